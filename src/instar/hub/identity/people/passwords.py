"""Passwords: Argon2id, a few at a time, off the event loop. Nothing else in the hub hashes or compares one."""

import asyncio
import secrets
import unicodedata
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from instar.base.errors import InstarError
from instar.wire.limits import PASSWORD_CHECKS_MAX, PASSWORD_CHECKS_WAITING_MAX

MEMORY_KIB = 65_536
PASSES = 3
LANES = 1
"""One lane, so that a check takes one thread and the limit of checks is a limit of threads."""


class Passwords:
    """Makes and checks hashes; at most `PASSWORD_CHECKS_MAX` at a time.

    Args:
        hasher: Another cost, for tests.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(PASSES, MEMORY_KIB, LANES)
        self._slots = asyncio.Semaphore(PASSWORD_CHECKS_MAX)
        self._waiting = 0
        self._nobodys = ""

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for one's turn to hash; what is decided on must be looked at again afterwards.

        Raises:
            InstarError: `overloaded` when too many wait already.
        """
        if self._waiting >= PASSWORD_CHECKS_WAITING_MAX:
            raise InstarError("overloaded", "too many passwords are being checked", retry_after_s=1.0)
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    async def hash(self, password: str) -> str:
        """Return the Argon2id hash of a password, with its salt and cost. Call it within `turn`."""
        return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def check(self, stored: str, password: str) -> bool:
        """Whether the password is the one of `stored`. Call it within `turn`.

        An empty `stored` (there is no such person) takes as long and is never right.
        """
        if not self._nobodys:
            self._nobodys = await self.hash(secrets.token_urlsafe())
        is_right = await asyncio.to_thread(self._verify, stored or self._nobodys, _normal(password))
        return is_right and bool(stored)

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with another cost than new ones are."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> bytes:
    """Return a password as one sequence of bytes, whichever way a keyboard composed its letters."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
