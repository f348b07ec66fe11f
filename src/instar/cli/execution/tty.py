"""The terminal that a person sits at: its size, raw mode, and reading it without holding anything else up."""

import asyncio
import contextlib
import os
import sys
import termios
import threading
import tty
from collections.abc import Generator

READ_BYTES = 65_536


def size() -> tuple[int, int]:
    """Return rows and columns of the terminal, 24 and 80 where there is none.

    The terminal itself is asked: `COLUMNS` and `LINES` are what it had once.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            columns, rows = os.get_terminal_size(stream.fileno())
            return min(rows, 1_000) or 24, min(columns, 1_000) or 80
    return 24, 80


@contextlib.contextmanager
def raw() -> Generator[None]:
    """Pass every key on as it is typed, if standard input is a terminal; afterwards it is as it was."""
    if not sys.stdin.isatty():
        yield
        return
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    # What was typed ahead is kept.
    tty.setraw(fd, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


class Input:
    """Standard input, read by a thread of its own that nobody waits for in the end.

    A read that was given up is not lost: the next one returns what it brings.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pending: asyncio.Future[bytes] | None = None

    async def read(self) -> bytes:
        """Return what comes next; nothing at the end."""
        if self._pending is None:
            self._pending = self._loop.create_future()
            threading.Thread(target=self._fetch, args=(self._pending,), daemon=True).start()
        content = await asyncio.shield(self._pending)
        self._pending = None
        return content

    async def line(self) -> str:
        """Return the next line as somebody types it, without its end."""
        return (await self.read()).decode(errors="replace").strip()

    def _fetch(self, wanted: "asyncio.Future[bytes]") -> None:
        try:
            content = os.read(sys.stdin.fileno(), READ_BYTES)
        except (OSError, ValueError):
            content = b""
        with contextlib.suppress(RuntimeError):  # the loop may be closed by now
            self._loop.call_soon_threadsafe(lambda: wanted.done() or wanted.set_result(content))
