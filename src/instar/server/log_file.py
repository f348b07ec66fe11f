"""The hub's own log as a file of JSON lines in the data folder: begun anew at a size, read by byte offset."""

import os
import threading
from pathlib import Path
from typing import NamedTuple

from instar.wire.limits import LOG_FILE_MAX_BYTES, LOG_FILES

FOLDER = "logs"
NAME = "instar.log"


def path_in(data_dir: Path) -> Path:
    """Return the log file of a data folder."""
    return data_dir / FOLDER / NAME


class LogFile:
    """Takes lines. A disk that refuses costs lines, never more: `lost` counts them.

    Args:
        path: The file; older ones stand beside it as `instar.log.1` (the latest) and up.
        max_bytes: The file is begun anew before it grows beyond this.
        keep: How many older ones are kept.
    """

    def __init__(self, path: Path, *, max_bytes: int = LOG_FILE_MAX_BYTES, keep: int = LOG_FILES) -> None:
        self.path = path
        self.lost = 0
        self._max_bytes = max_bytes
        self._keep = keep
        self._handle = -1
        self._size = 0
        self._lock = threading.Lock()
        """Libraries log from threads of their own."""

    def write(self, line: str) -> None:
        """Append one line, without its end."""
        content = line.replace("\n", " ").encode(errors="replace") + b"\n"
        with self._lock:
            try:
                if self._handle < 0 or self._size + len(content) > self._max_bytes:
                    self._begin(len(content))
                self._size += os.write(self._handle, content)
            except OSError:
                self.lost += 1

    def _begin(self, coming: int) -> None:
        """Open the file; a full one is put aside first."""
        self._close()
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.path.exists() and self.path.stat().st_size + coming > self._max_bytes:
            for number in range(self._keep, 0, -1):
                older = self.path if number == 1 else self._older(number - 1)
                if older.exists():
                    older.replace(self._older(number))
        self._handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._handle).st_size

    def _older(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        with self._lock:
            self._close()


class Tail(NamedTuple):
    """Whole lines of the log, and where the next read begins."""

    cursor: int
    size: int
    lines: list[str]
    truncated: bool
    reset: bool


_NOTHING = Tail(0, 0, [], truncated=False, reset=False)


def _rest(path: Path, cursor: int, max_bytes: int) -> Tail:
    """Return what follows an offset that was given for a file that was put aside since; nothing if that is too much."""
    if not path.exists() or path.stat().st_size < cursor:
        return _NOTHING
    tail = read_tail(path, cursor, limit=max_bytes, max_bytes=max_bytes)
    return tail._replace(lines=[]) if tail.reset else tail


def read_tail(path: Path, cursor: int | None, *, limit: int, max_bytes: int) -> Tail:
    """Return the lines from a byte offset on, at most `limit` of them, the latest; without an offset the file's end.

    An offset beyond the file (it was begun anew) is answered with the rest of the one before, if that is still there,
    and the whole file; one more than `max_bytes` before the end is given up for the file's end. Both say `reset`, and
    `truncated` where lines were left out. A line that is half written comes next time.

    Raises:
        OSError: The file cannot be read. One that is not there is empty.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return Tail(0, 0, [], truncated=False, reset=bool(cursor))
    with file:
        size = os.fstat(file.fileno()).st_size
        is_reset = cursor is not None and (cursor > size or size - cursor > max_bytes)
        begin = max(0, size - max_bytes) if cursor is None or is_reset else cursor
        look_behind = min(begin, 1)  # the byte before tells whether a line begins here
        file.seek(begin - look_behind)
        content = file.read(size - begin + look_behind)
    first = content.find(b"\n") + 1 if look_behind else 0
    whole, newline, _ = content[first:].rpartition(b"\n") if first or not look_behind else (b"", b"", b"")
    lines = whole.decode(errors="replace").split("\n") if newline else []
    older = _rest(path.with_name(f"{path.name}.1"), cursor, max_bytes) if cursor and cursor > size else _NOTHING
    lines = older.lines + lines
    is_cut = older.truncated or len(lines) > limit or (begin > 0 and (cursor is None or is_reset))
    read = first + len(whole) + len(newline)
    return Tail(max(begin, begin - look_behind + read), size, lines[-limit:], truncated=is_cut, reset=is_reset)
