"""A local pseudo-terminal for OpenSSH's client, which asks its own terminal how large the remote one shall be."""

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import termios

from instar.wire.execution import Terminal


class LocalTerminal:
    """Both ends of one. The client gets `client`; the hub reads and writes the other.

    Its modes stay those of any new terminal: the client gives them to the remote one, then makes its own raw.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._own, self.client = pty.openpty()
        os.set_blocking(self._own, False)
        self.resize(terminal)

    def resize(self, terminal: Terminal) -> None:
        """Set its size; the client has to be told by SIGWINCH."""
        size = struct.pack("HHHH", terminal.rows, terminal.columns, 0, 0)
        if self._own >= 0:
            fcntl.ioctl(self._own, termios.TIOCSWINSZ, size)

    def handed_over(self) -> None:
        """The client has its end; this process lets go of it, so that the client's end is seen."""
        os.close(self.client)

    async def read(self, max_bytes: int) -> bytes:
        """Return the next bytes, empty at the end."""
        while self._own >= 0:
            try:
                return os.read(self._own, max_bytes)
            except BlockingIOError:
                await self._ready(is_reading=True)
            except OSError:
                # The client is gone.
                return b""
        return b""

    async def write(self, content: bytes) -> None:
        """Write bytes; what nobody reads is dropped."""
        left = memoryview(content)
        while left and self._own >= 0:
            try:
                left = left[os.write(self._own, left) :]
            except BlockingIOError:
                await self._ready(is_reading=False)
            except OSError:
                return

    def close(self) -> None:
        """Let go of it. Twice is no error."""
        if self._own >= 0:
            own, self._own = self._own, -1
            loop = asyncio.get_running_loop()
            loop.remove_reader(own)
            loop.remove_writer(own)
            with contextlib.suppress(OSError):
                os.close(own)

    async def _ready(self, *, is_reading: bool) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        own = self._own
        add, remove = (loop.add_reader, loop.remove_reader) if is_reading else (loop.add_writer, loop.remove_writer)
        add(own, wake)
        try:
            await ready
        finally:
            if self._own == own:
                remove(own)
