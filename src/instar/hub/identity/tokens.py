"""Opaque tokens: what a grant's holder presents. Only the SHA-256 of one is ever stored."""

from typing import NamedTuple

from instar.base.ids import new_secret, secret_hash

from .principals import GrantKind

DEVICE_PREFIX = "idt"
"""What a device's token begins with."""
_PREFIXES: dict[GrantKind, str] = {
    "local": "ik",
    "key": "ik",
    "agent": "magt_v1",
    "session": "is",
    "device": DEVICE_PREFIX,
    "person": "ip",
}
_RECOGNISABLE_CHARS = 5
"""Characters of the secret part that are kept in plain, to tell keys apart: 30 of 256 bits."""


class Token(NamedTuple):
    """A fresh token: shown once, then only its hash is left."""

    text: str
    hash: str
    prefix: str
    """Its first characters, to recognise it by."""


def new_token(kind: GrantKind) -> Token:
    """Return a token for a grant of this kind; its prefix says which kind."""
    return stored_token(kind, new_secret(_PREFIXES[kind]))


def stored_token(kind: GrantKind, text: str) -> Token:
    """Return the token with this text, as it is stored."""
    return Token(text, secret_hash(text), text[: len(_PREFIXES[kind]) + 1 + _RECOGNISABLE_CHARS])
