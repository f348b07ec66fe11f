"""Private keys: made, or read from OpenSSH's and PEM files. They exist in memory only; `hub.secrets` keeps them.

Whoever calls these runs them off the event loop: a passphrase takes a tenth of a second to try, by design.
"""

from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from instar.base.errors import InstarError

from .host_keys import HostKey

RSA_MIN_BITS = 2_048
_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_PRIVATE = b"PRIVATE KEY-----"


class KeyPair(NamedTuple):
    """A private key in OpenSSH's format without a passphrase, and its public half."""

    private: bytes
    public_key: str
    fingerprint: str

    def __repr__(self) -> str:
        return f"KeyPair({self.fingerprint})"


def generate(comment: str) -> KeyPair:
    """Return a new Ed25519 key."""
    return _pair(Ed25519PrivateKey.generate(), comment)


def read_key(text: str, passphrase: str, comment: str) -> KeyPair:
    """Return the key of a file's text: OpenSSH's format, PKCS#8 or the older PEM formats; RSA, ECDSA or Ed25519.

    Raises:
        InstarError: `unprocessable_entity`: it is none, needs a passphrase, the passphrase is wrong or not needed,
            or is of a kind or length that SSH servers refuse.
    """
    content = text.strip().encode() + b"\n"
    if _PRIVATE not in content:
        raise _refused(
            "it is no private key", "Paste the whole file, from `-----BEGIN` to `-----END`; not the `.pub` file."
        )
    load = load_ssh_private_key if content.startswith(_OPENSSH) else load_pem_private_key
    try:
        key = load(content, passphrase.encode() or None)
    except TypeError as error:
        raise _passphrase(is_given=bool(passphrase)) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unread(error, passphrase) from error
    if isinstance(key, RSAPrivateKey) and key.key_size < RSA_MIN_BITS:
        raise _refused(f"an RSA key of {key.key_size} bits is too short", "Use an Ed25519 key.")
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey):
        raise _refused("it is of a kind that SSH servers refuse", "Use an Ed25519, ECDSA or RSA key.")
    return _pair(key, comment)


def _pair(key: RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey, comment: str) -> KeyPair:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    kind, blob = public.split()[:2]
    return KeyPair(private, f"{public} {comment}", HostKey(kind, blob).fingerprint)


def _unread(error: Exception, passphrase: str) -> InstarError:
    """Return why a key could not be read; the library's own words may quote the key, so they are not shown."""
    words = str(error).lower()
    if "password" in words or "decrypt" in words or (passphrase and "corrupt" in words):
        return _passphrase(is_given=bool(passphrase))
    return _refused("it is damaged, or in a format that is not known", "Write it anew with `ssh-keygen -p -f FILE`.")


def _passphrase(*, is_given: bool) -> InstarError:
    if is_given:
        return _refused("the passphrase is not its own", "Give the passphrase of this key; none if it has none.")
    return _refused("it is protected with a passphrase", "Give its passphrase as well; it is not kept.")


def _refused(cause: str, hint: str) -> InstarError:
    return InstarError("unprocessable_entity", f"the private key cannot be used: {cause}", hint=hint)
