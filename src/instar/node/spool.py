"""What a stream of a call has written so far, kept so that a link which breaks loses nothing of it."""

import hashlib
import os
from collections import deque
from pathlib import Path

from instar.wire.execution import StreamEnd
from instar.wire.limits import LINK_CREDIT_BYTES

_WINDOW_BYTES = 2 * LINK_CREDIT_BYTES


class Spool:
    """One stream: its first `cap_bytes` in a file that is made at the first byte.

    Beyond the cap, output of programs is counted and thrown away (`drops`); of what a tool sends, which may be larger
    than is worth a copy, the last few megabytes are held in memory: as much as a link can have lost on its way.

    Args:
        path: The file.
        cap_bytes: How much of the stream the file takes.
        drops: What happens beyond it.
    """

    def __init__(self, path: Path, cap_bytes: int, *, drops: bool) -> None:
        self._path = path
        self._cap_bytes = cap_bytes
        self.drops = drops
        self._file = -1
        self._digest = hashlib.sha256()
        self._window: deque[tuple[int, bytes]] = deque()
        self._window_bytes = 0
        self.size_bytes = 0
        """How much was written in all."""

    @property
    def kept_bytes(self) -> int:
        """How much of it can be read, or was sent."""
        return min(self.size_bytes, self._cap_bytes) if self.drops else self.size_bytes

    @property
    def is_full(self) -> bool:
        """Whether the file takes no more."""
        return self.size_bytes >= self._cap_bytes

    def append(self, content: bytes) -> None:
        """Take what was written.

        Raises:
            OSError: The disk does not take it.
        """
        fits = content[: max(0, self._cap_bytes - self.size_bytes)]
        if fits:
            self._write(fits)
        rest = content[len(fits) :]
        if rest and not self.drops:
            self._digest.update(rest)
            self._window.append((self.size_bytes + len(fits), rest))
            self._window_bytes += len(rest)
            while self._window_bytes - len(self._window[0][1]) >= _WINDOW_BYTES:
                self._window_bytes -= len(self._window.popleft()[1])
        self.size_bytes += len(content)

    def read(self, offset: int, limit: int) -> bytes:
        """Return what stands at `offset`, at most `limit` bytes; nothing when that is not kept."""
        if offset < min(self.size_bytes, self._cap_bytes):
            if self._file < 0:
                self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            return os.pread(self._file, min(limit, self._cap_bytes - offset), offset)
        for start, content in self._window:
            if start <= offset < start + len(content):
                return content[offset - start :][:limit]
        return b""

    def end(self, channel: int) -> StreamEnd:
        """Return how much the stream held, and the digest of what is kept of it."""
        return StreamEnd(channel, self.size_bytes, self._digest.hexdigest(), self.size_bytes - self.kept_bytes)

    def close(self) -> None:
        """Give the file back; it can be read again all the same."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, content: bytes) -> None:
        if self._file < 0:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self._digest.update(content)


def reopened(path: Path, end: StreamEnd) -> Spool:
    """Return the spool of a call from before the node was restarted: it can be read, no more."""
    spool = Spool(path, end.size_bytes - end.dropped_bytes, drops=True)
    spool.size_bytes = end.size_bytes
    return spool
