"""Bytes between a program's descriptors and a call's streams."""

import asyncio
import contextlib
import fcntl
import os

from instar.wire.execution import Channel

from .streams import Input, Streams

_READ_BYTES = 262_144
_PIPE_BYTES = 1_048_576
_SET_PIPE_SIZE = 1_031
"""`F_SETPIPE_SZ` of Linux."""


class Reader:
    """Reads one descriptor into a stream. Not reading is what holds a program back that writes too much.

    Args:
        descriptor: Non-blocking; it is closed at its end.
        channel: What it is.
        streams: Where its bytes go.
    """

    def __init__(self, descriptor: int, channel: Channel, streams: Streams) -> None:
        self._descriptor = descriptor
        self._channel = channel
        self._streams = streams
        self._loop = asyncio.get_running_loop()
        self.failure: OSError | None = None
        """The disk that did not take what was written."""
        self._loop.add_reader(descriptor, self._readable)

    def go_on(self) -> None:
        """Read again, after the stream was choked."""
        if self._descriptor >= 0:
            self._loop.add_reader(self._descriptor, self._readable)

    def drain(self) -> None:
        """Read what is left, now that nobody writes any more, and close."""
        while self._descriptor >= 0 and self._read():
            pass
        self.close()

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _readable(self) -> None:
        if self._streams.is_choked(self._channel):
            self._loop.remove_reader(self._descriptor)
        else:
            self._read()

    def _read(self) -> bool:
        """Take one piece; return whether more may come at once."""
        try:
            content = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            content = b""  # a terminal whose last process has gone
        if not content:
            self.close()
            return False
        try:
            self._streams.wrote(self._channel, content)
        except OSError as error:
            self.failure = error
            self.close()
        return True


async def feed(source: Input, descriptor: int, last_words: bytes = b"") -> None:
    """Write a call's input to a descriptor until it ends, or nobody reads it; then close it.

    Args:
        source: The input.
        descriptor: Non-blocking.
        last_words: Written at the end instead of closing: how a terminal is told.
    """
    try:
        async for content in source.pieces():
            await _write(descriptor, content)
        if last_words:
            await _write(descriptor, last_words)
    except OSError:
        return
    finally:
        if not last_words:
            os.close(descriptor)


async def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    loop = asyncio.get_running_loop()
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            ready: asyncio.Future[None] = loop.create_future()
            loop.add_writer(descriptor, _resolve, ready)
            try:
                await ready
            finally:
                loop.remove_writer(descriptor)


def _resolve(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def output_pipe() -> tuple[int, int]:
    """Return a pipe whose reading end does not block, as wide as the system lets it be."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with contextlib.suppress(OSError):
        fcntl.fcntl(writing, _SET_PIPE_SIZE, _PIPE_BYTES)
    return reading, writing
