"""The settings file on disk: read with its hash, replaced whole or not at all, by one writer at a time."""

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

from instar.base.errors import InstarError
from instar.store.files import open_private, storage_fault, sync

from .load import read_bytes, text_of

_WAIT_S = 5.0
_POLL_S = 0.02


class Snapshot(NamedTuple):
    """The file at one moment."""

    content: bytes
    hash: str
    """SHA-256 of its bytes in hex; empty: there is no file."""

    @property
    def text(self) -> str:
        """Its text.

        Raises:
            InstarError: `bad_request` when it is no UTF-8.
        """
        return text_of(self.content)


def hash_of(content: bytes) -> str:
    """Return the hash of a file with these bytes."""
    return hashlib.sha256(content).hexdigest()


def read(path: Path) -> Snapshot:
    """Return the file as it stands.

    Raises:
        InstarError: `bad_request` when it cannot be read.
    """
    if not path.exists():
        return Snapshot(b"", "")
    content = read_bytes(path)
    return Snapshot(content, hash_of(content))


def write_whole(path: Path, text: str) -> None:
    """Make the file hold this text, for its owner alone. A crash leaves the old or the new file, never a part.

    A link stays a link: what it leads to is replaced. The caller holds the lock.

    Raises:
        InstarError: `storage_full` or `internal_error` when the disk refuses; the old file is whole then.
    """
    path = path.resolve()
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        with open_private(fresh) as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync(path.parent)
    except OSError as error:
        raise storage_fault(error) from error


@contextlib.contextmanager
def locked(path: Path, wait_s: float = _WAIT_S) -> Generator[None]:
    """Hold the file's lock, which every process that writes it takes; the kernel frees that of a dead one.

    Raises:
        InstarError: `service_unavailable` when another process holds it for longer than `wait_s`.
    """
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise storage_fault(error) from error
    try:
        _wait(lock, path, time.monotonic() + wait_s)
        yield
    finally:
        os.close(lock)


def _wait(lock: int, path: Path, until: float) -> None:
    while not _taken(lock):
        if time.monotonic() >= until:
            raise InstarError("service_unavailable", f"another process is writing {path}")
        time.sleep(_POLL_S)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
