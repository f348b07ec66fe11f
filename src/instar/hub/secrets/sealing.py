"""Authenticated encryption of small secrets, IO-free. What is sealed opens under the same key and context only."""

import secrets

from instar.base.errors import InstarError

KEY_BYTES = 32
_VERSION = b"\x01"
"""ChaCha20-Poly1305 with a random nonce of 96 bits: secrets are few, so none comes twice."""
_NONCE_BYTES = 12
_TAG_BYTES = 16
_PURPOSE = b"instar secret 1\x00"


def seal(key: bytes, context: str, content: bytes) -> bytes:
    """Return `content` encrypted: version, nonce, ciphertext with its tag. The context is bound, and not in it."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305  # noqa: PLC0415 - starting needs none

    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _VERSION + nonce + ChaCha20Poly1305(key).encrypt(nonce, content, _bound(context))


def unseal(key: bytes, context: str, sealed: bytes) -> bytes:
    """Return what was sealed.

    Raises:
        InstarError: `secret_unreadable`: another key or context, another version, or it was changed.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305  # noqa: PLC0415

    if sealed[:1] != _VERSION or len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES:
        raise InstarError("secret_unreadable", f"the secret {context!r} is not in a format that this version knows")
    nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, _bound(context))
    except InvalidTag as error:
        raise InstarError(
            "secret_unreadable", f"the secret {context!r} was sealed with another key, or was changed"
        ) from error


def _bound(context: str) -> bytes:
    return _PURPOSE + context.encode()
