"""Identifiers and secrets: random, prefixed, printable."""

import hashlib
import secrets
import uuid

SECRET_BYTES = 32


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
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))
