"""How the node stands with its hub, told by the running node in a small file: it is there when the hub is away.

The file is replaced when the link comes, goes, or is tried again. A lock that ends with the process says whether the
node that wrote it still runs, so that one which was killed is not taken for a connected one.
"""

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Protocol

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from instar.base.clock import MICROS_PER_S, Micros, now, to_rfc3339
from instar.base.errors import InstarError
from instar.client import private_json

_log = structlog.get_logger("instar.node")
_MESSAGE_MAX_CHARS = 500


class Failure(Struct, frozen=True, omit_defaults=True):
    """Why there was no link."""

    code: str
    message: str
    at: str
    hint: str = ""


class Standing(Struct, frozen=True, omit_defaults=True):
    """What the file holds."""

    url: str
    pid: int
    is_connected: bool = False
    since: str = ""
    """Since when there is a link, or none."""
    node_id: str = ""
    hub_version: str = ""
    last_connected_at: str = ""
    last_error: Failure | None = None
    """The newest; it stays when the link is back."""
    next_try_at: str = ""
    """While there is no link."""
    tries: int = 0
    """That failed since there was a link."""


class Board(Protocol):
    """Who is told how the link is."""

    async def connected(self, node_id: str, hub_version: str) -> None:
        """There is a link."""
        ...

    async def away(self, error: InstarError, wait_s: float) -> None:
        """There is none, and the next try comes after this time."""
        ...


class Unheard:
    """Tells nobody."""

    async def connected(self, node_id: str, hub_version: str) -> None:
        """Tell nobody."""

    async def away(self, error: InstarError, wait_s: float) -> None:
        """Tell nobody."""


class StandingFile:
    """A `Board` that writes the file, mode 0600. What cannot be written stops no node.

    Args:
        path: The file; its lock lies beside it.
        url: Of the hub.
    """

    def __init__(self, path: Path, url: str) -> None:
        self._path = path
        self._standing = Standing(url, os.getpid(), since=to_rfc3339(now()))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(_lock_of(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            _log.warning("another node says how it stands", file=str(path))
        self._write()

    async def connected(self, node_id: str, hub_version: str) -> None:
        """Note that there is a link."""
        at = to_rfc3339(now())
        self._standing = replace(
            self._standing, is_connected=True, since=at, node_id=node_id, hub_version=hub_version,
            last_connected_at=at, next_try_at="", tries=0,
        )  # fmt: skip
        await asyncio.to_thread(self._write)

    async def away(self, error: InstarError, wait_s: float) -> None:
        """Note that there is none, why, and when the next try comes."""
        known, at = self._standing, now()
        self._standing = replace(
            known,
            is_connected=False,
            since=to_rfc3339(at) if known.is_connected else known.since,
            last_connected_at=to_rfc3339(at) if known.is_connected else known.last_connected_at,
            last_error=Failure(error.code, error.message[:_MESSAGE_MAX_CHARS], to_rfc3339(at), error.hint),
            next_try_at=to_rfc3339(Micros(at + round(wait_s * MICROS_PER_S))),
            tries=known.tries + 1,
        )
        await asyncio.to_thread(self._write)

    def close(self) -> None:
        """The node runs no more."""
        os.close(self._lock)

    def _write(self) -> None:
        try:
            private_json.write(self._path, msgspec.to_builtins(self._standing))
        except InstarError as error:
            _log.warning("how the node stands could not be written", error=error.message)


def read(path: Path) -> Standing | None:
    """Return how the node stands that runs now; None: none does, or it has yet to say so.

    Not for the running node itself: a process that closes a file gives up its locks on it.

    Raises:
        InstarError: `unauthorized` for a file that others can get at, or that is none of ours.
    """
    if not _is_held(_lock_of(path)):
        return None
    content = private_json.read(path)
    try:
        return msgspec.convert(content, Standing) if content else None
    except msgspec.ValidationError as error:
        raise InstarError("unauthorized", f"{path} cannot be used: {error}", hint=f"Remove {path}.") from error


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
