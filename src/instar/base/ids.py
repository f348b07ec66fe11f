"""Identifiers and secrets: random, prefixed, printable."""

import hashlib
import secrets
import uuid

SECRET_BYTES = 32
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
"""The UUID's variant bits (binary 10) put over a hex digit."""


def new_id(prefix: str) -> str:
    """Return `prefix` + `_` + a random UUIDv4, for example `msg_0f6c…`."""
    return f"{prefix}_{uuid.uuid4()}"


def new_secret(prefix: str) -> str:
    """Return `prefix` + `_` + 32 random bytes as unpadded base64url (43 characters)."""
    return f"{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"


def secret_hash(secret: str) -> str:
    """Return the hex SHA-256 of a high-entropy secret; what the store keeps instead of the secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def derived_uuid(text: str) -> str:
    """Return the UUID-shaped first 16 bytes of SHA-256(text), version nibble 4 and variant bits 10."""
    digits = hashlib.sha256(text.encode()).hexdigest()
    variant = _VARIANT[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
