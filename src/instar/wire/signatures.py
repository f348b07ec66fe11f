"""What devices sign, and how a signature is checked: Ed25519 keys, fingerprints, and the payload of each dialect.

Every payload of ours begins with its own context string, so that no signature made for one purpose serves another.
`cryptography` is imported where it is used: a command that only sends a message must not pay for it.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
SEED_BYTES = 32
NONCE_BYTES = 32


def device_id(public_key: bytes) -> str:
    """Return the id of the device (or hub) with this raw public key: its SHA-256 in lower-case hex."""
    return hashlib.sha256(public_key).hexdigest()


def fingerprint(public_key: bytes) -> str:
    """Return what people compare: `SHA256:` and the padded base64 of the key's SHA-256, 51 characters."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public_key).digest()).decode()


def to_base64url(content: bytes) -> str:
    """Return unpadded base64url."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def from_base64(text: str) -> bytes | None:
    """Return what canonical base64 or base64url, padded or not, stands for; None when it is neither.

    Text that decodes but is not how its bytes are written is refused: one key must not have two spellings.
    """
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        content = base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return None
    return content if to_base64url(content) == plain else None


def is_public_key(public_key: bytes) -> bool:
    """Whether these are 32 bytes that name a point of large order: a small-order key verifies what nobody signed."""
    return len(public_key) == PUBLIC_KEY_BYTES and public_key not in _SMALL_ORDER


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the holder of `public_key` signed exactly `message` (Ed25519, RFC 8032). Never raises."""
    if not is_public_key(public_key) or len(signature) != SIGNATURE_BYTES:
        return False
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def sign(seed: bytes, message: bytes) -> bytes:
    """Return the signature of the key that grows from this 32-byte seed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def public_key_of(seed: bytes) -> bytes:
    """Return the raw public key that grows from this 32-byte seed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def device_message(purpose: str, hub_id: str, nonce: bytes, role: str, scopes: Sequence[str]) -> bytes:
    """Return what a device of ours signs: bound to hub, purpose (`pair`, `sign-in`), challenge, role and scopes.

    No part holds a line break: ids, roles and scopes are checked before this.
    """
    parts = ("instar.device.v1", purpose, hub_id, nonce.hex(), role, ",".join(scopes))
    return "\n".join(parts).encode()


def hub_message(hub_id: str, client_nonce: bytes, nonce: bytes, public_key: bytes) -> bytes:
    """Return what the hub signs to prove itself to a device, bound to the challenges of both sides."""
    parts = ("instar.hub.v1", hub_id, client_nonce.hex(), nonce.hex(), public_key.hex())
    return "\n".join(parts).encode()


_SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    )
)
"""The encodings of points of order 1, 2, 4 and 8, and those that are not canonical."""
