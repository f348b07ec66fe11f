"""One hub at a time on one data directory: an OS lock on a file that says who holds it."""

import contextlib
import fcntl
import os
import socket
from pathlib import Path

import msgspec

from instar.base.clock import now, to_rfc3339
from instar.base.errors import InstarError

LOCK_FILE = "lock"


class Holder(msgspec.Struct, frozen=True):
    """Who holds the lock."""

    pid: int
    host: str
    started_at: str


class DirectoryLock:
    """The lock of a data directory; the kernel releases it when the process dies, however it dies.

    Raises:
        InstarError: `storage_locked`, naming pid and host of the holder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK_FILE
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = self._holder()
            os.close(self._handle)
            raise InstarError("storage_locked", f"{folder} is in use by {holder}") from error
        self._write()

    def _holder(self) -> str:
        with contextlib.suppress(msgspec.DecodeError, OSError):
            holder = msgspec.json.decode(os.pread(self._handle, 4_096, 0), type=Holder)
            return f"process {holder.pid} on {holder.host} since {holder.started_at}"
        return "another process that has not written its name yet"

    def _write(self) -> None:
        holder = Holder(os.getpid(), socket.gethostname(), to_rfc3339(now()))
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, msgspec.json.encode(holder), 0)

    def release(self) -> None:
        """Let another process in. The file stays: deleting it would let two processes lock two files."""
        os.ftruncate(self._handle, 0)
        os.close(self._handle)
