"""Stored output: a file for each stream of a call, written off the event loop, capped, readable while it grows."""

import asyncio
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import structlog

from instar.base.errors import InstarError
from instar.store.files import storage_fault
from instar.wire.execution import Channel, StreamEnd
from instar.wire.limits import CALL_INLINE_BYTES, CALL_INLINE_LINES

CHANNELS = (Channel.STDOUT, Channel.STDERR)
_READ_BYTES = 1_048_576
_log = structlog.get_logger("instar.calls")


class Piece(NamedTuple):
    """A range of a stored stream."""

    offset: int
    content: bytes


class Tail(NamedTuple):
    """The end of a stream as text."""

    text: str
    is_cut: bool


class StoredStream:
    """One stream of a call. Its methods are called on the event loop; only `_write` and `_read` run in a thread.

    Args:
        path: Its file; made with the first bytes.
        cap_bytes: So much is stored; what comes beyond is counted and thrown away.
        on_stored: Called after each write: the reader has taken what came.
    """

    def __init__(self, path: Path, cap_bytes: int, on_stored: Callable[[], None]) -> None:
        self.path = path
        self.taken = 0
        """Bytes that came in all."""
        self.stored = 0
        """Bytes on disk."""
        self.settled = 0
        """Bytes that are on disk or thrown away: credit counts from here."""
        self._cap = cap_bytes
        self._on_stored = on_stored
        self._pending: list[bytes] = []
        self._writing: asyncio.Future[int] | None = None
        self._file = -1
        self._digest = sha256()
        self._start: bytearray | None = bytearray()
        """All of it while it is short: most tails are read from here."""
        self._fault = False

    @property
    def dropped(self) -> int:
        """Bytes that were thrown away."""
        return self.settled - self.stored

    def take(self, offset: int, content: bytes | memoryview) -> bytes:
        """Take bytes that begin at `offset`; return what of them was new. Nothing is taken after a gap."""
        if offset > self.taken:
            return b""
        new = bytes(content[self.taken - offset :] if offset < self.taken else content)
        if new:
            self.taken += len(new)
            if self._start is not None:
                if self.taken <= CALL_INLINE_BYTES:
                    self._start += new
                else:
                    self._start = None
            self._pending.append(new)
            self._write_on()
        return new

    async def recover(self) -> None:
        """Take up what an earlier process stored: the stream goes on at its end."""
        size = await asyncio.to_thread(self._rehash)
        self.taken = self.stored = self.settled = size
        if size:
            self._start = None

    async def flush(self) -> None:
        """Wait until everything that was taken is on disk or thrown away."""
        while self._writing is not None or self._pending:
            await asyncio.wait((self._writing,)) if self._writing is not None else await asyncio.sleep(0)

    async def finish(self) -> StreamEnd | None:
        """Wait for the disk and close the file; return what the stream held, None for nothing."""
        await self.flush()
        if not self.taken:
            return None
        if self._file >= 0:
            await asyncio.to_thread(self._close)
        return StreamEnd(0, self.taken, self._digest.hexdigest(), self.dropped)

    async def tail(self) -> Tail:
        """Return the end of what is stored, as text."""
        if self._start is not None:
            return tail_of(bytes(self._start), is_whole=True)
        return await read_tail(self.path)

    def _write_on(self) -> None:
        if self._writing is None and self._pending:
            batch, self._pending = self._pending, []
            loop = asyncio.get_running_loop()
            self._writing = loop.run_in_executor(None, self._write, batch, self._cap - self.stored)
            self._writing.add_done_callback(self._written)

    def _written(self, done: "asyncio.Future[int]") -> None:
        self._writing = None
        if done.cancelled():
            return
        self.stored += done.result()
        self.settled = self.taken - sum(map(len, self._pending))
        self._on_stored()
        self._write_on()

    def _write(self, batch: list[bytes], room: int) -> int:
        """Write what there is room for and return how much that was; the digest is of everything."""
        content = batch[0] if len(batch) == 1 else b"".join(batch)
        self._digest.update(content)
        if self._fault or room <= 0:
            return 0
        view, written = memoryview(content)[:room], 0
        try:
            if self._file < 0:
                self._open()
            while written < len(view):
                written += os.write(self._file, view[written:])
        except OSError as error:
            # The call goes on: what cannot be stored is counted as thrown away, as beyond the cap.
            self._fault = True
            _log.warning("output not stored", path=str(self.path), error=storage_fault(error).message)
        return written

    def _open(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _close(self) -> None:
        try:
            os.fdatasync(self._file)
        except OSError as error:
            _log.warning("output not synced", path=str(self.path), error=str(error))
        finally:
            os.close(self._file)
            self._file = -1

    def _rehash(self) -> int:
        try:
            with self.path.open("rb") as file:
                size = 0
                while chunk := file.read(_READ_BYTES):
                    self._digest.update(chunk)
                    size += len(chunk)
                return size
        except FileNotFoundError:
            return 0


class CallOutput:
    """Both streams of one call that lives; each is made when it is first asked for."""

    def __init__(self, root: Path, call_id: str, cap_bytes: int, on_stored: Callable[[int], None]) -> None:
        self._root = root
        self._call_id = call_id
        self._cap_bytes = cap_bytes
        self._on_stored = on_stored
        self._streams: dict[int, StoredStream] = {}

    def stream(self, channel: int) -> StoredStream:
        """Return one stream; `channel` is one of `CHANNELS`."""
        stream = self._streams.get(channel)
        if stream is None:
            path = self._root / self._call_id / str(int(channel))
            stream = StoredStream(path, self._cap_bytes, lambda: self._on_stored(channel))
            self._streams[channel] = stream
        return stream

    def offsets(self) -> dict[int, int]:
        """Return where each stream goes on."""
        return {int(channel): self.stream(channel).taken for channel in CHANNELS}

    async def recover(self) -> None:
        """Take up what an earlier process stored."""
        for channel in CHANNELS:
            await self.stream(channel).recover()

    async def finish(self, said: list[StreamEnd]) -> list[StreamEnd]:
        """Wait for the disk; return what each stream held, with what its executor `said` that it threw away."""
        if not said and not self._streams:
            return []
        by_channel = {end.channel: end for end in said}
        ends: list[StreamEnd] = []
        for channel in CHANNELS:
            end, claim = await self.stream(channel).finish(), by_channel.get(channel)
            size = max(end.size_bytes if end else 0, claim.size_bytes if claim else 0)
            if not size:
                continue
            digest = end.sha256 if end and end.size_bytes == size else claim.sha256 if claim else ""
            stored = end.size_bytes - end.dropped_bytes if end else 0
            ends.append(StreamEnd(int(channel), size, digest, size - stored))
        return ends


class Outputs:
    """Every stored stream, below one folder.

    Args:
        folder: Where they are; made with the first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, call_id: str, cap_bytes: int, on_stored: Callable[[int], None]) -> CallOutput:
        """Return the streams of a call that lives."""
        return CallOutput(self._folder, call_id, cap_bytes, on_stored)

    def path(self, call_id: str, channel: int) -> Path:
        """Return where a stream of a call is, if it wrote any."""
        return self._folder / call_id / str(channel)

    async def read(self, call_id: str, channel: int, offset: int, limit: int) -> Piece:
        """Return at most `limit` bytes of a stream; a negative offset counts from its end.

        Raises:
            InstarError: `internal_error`: the disk refused.
        """
        return await asyncio.to_thread(_read, self.path(call_id, channel), offset, limit)

    async def tail(self, call_id: str, channel: int) -> Tail:
        """Return the end of a stored stream as text; empty when there is none, or the disk refuses to read it."""
        try:
            return await read_tail(self.path(call_id, channel))
        except InstarError as error:
            _log.warning("output cannot be read", call=call_id, error=error.message)
            return Tail("", True)

    async def remove(self, call_id: str) -> None:
        """Delete what a call wrote. Nothing there is no error."""
        await asyncio.to_thread(shutil.rmtree, self._folder / call_id, ignore_errors=True)


def _read(path: Path, offset: int, limit: int) -> Piece:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            at = max(0, size + offset) if offset < 0 else min(offset, size)
            return Piece(at, os.pread(file.fileno(), limit, at))
    except FileNotFoundError:
        return Piece(0, b"")
    except OSError as error:
        raise storage_fault(error) from error


async def read_tail(path: Path) -> Tail:
    """Return the end of a stored stream as text.

    Raises:
        InstarError: `internal_error`: the disk refused.
    """
    piece = await asyncio.to_thread(_read, path, -CALL_INLINE_BYTES, CALL_INLINE_BYTES)
    return tail_of(piece.content, is_whole=not piece.offset)


def tail_of(content: bytes, *, is_whole: bool) -> Tail:
    """Return the last lines of `content` as text, at most `CALL_INLINE_LINES`; what is no UTF-8 is replaced.

    A line or character that a cut would leave half is left out, where another remains.
    """
    if not is_whole:
        newline = content.find(b"\n")
        begin = newline + 1 if 0 <= newline < len(content) - 1 else 0
        while not begin and content and 0x80 <= content[0] < 0xC0:
            content = content[1:]
        content = content[begin:]
    at = len(content) - 1 if content.endswith(b"\n") else len(content)
    for _ in range(CALL_INLINE_LINES):
        at = content.rfind(b"\n", 0, at)
        if at < 0:
            return Tail(content.decode("utf-8", "replace"), not is_whole)
    return Tail(content[at + 1 :].decode("utf-8", "replace"), True)


def broken(call_id: str, channel: int, at: int, stored: int) -> InstarError:
    """Return what is said of a file that was removed or cut by somebody else."""
    lacking = f"channel {channel} of call {call_id!r} lacks what was stored from byte {at:,} to {stored:,}"
    return InstarError("output_gone", f"{lacking}: its file was removed or damaged")


def gone(call_id: str) -> InstarError:
    """Return what is said of output that was swept."""
    return InstarError("output_gone", f"the output of call {call_id!r} is no longer kept")
