"""Codes that a person reads in one place and types in another."""

import secrets

ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""30 letters, none that looks like a digit: 4.9 bits each."""


def made(half_chars: int) -> str:
    """Return a random code: two halves of so many letters with a hyphen between them."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(half_chars)) for _ in range(2))


def as_meant(text: str) -> str:
    """Return a code as it was meant: case, spaces and hyphens do not matter."""
    return "".join(text.upper().replace("-", " ").split())
