"""A terminal of a call: what the process has instead of pipes."""

import fcntl
import os
import signal
import struct
import termios
from contextlib import suppress

from instar.wire.execution import Terminal


def open_terminal(size: Terminal) -> tuple[int, int]:
    """Return the node's end and the program's end of a new terminal of this size."""
    ours, theirs = os.openpty()
    resize(ours, size.rows, size.columns)
    os.set_blocking(ours, False)
    return ours, theirs


def resize(terminal: int, rows: int, columns: int) -> None:
    """Give a terminal another size; the program is told by SIGWINCH."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def signal_foreground(terminal: int, number: int) -> bool:
    """Signal what runs in the terminal's foreground; return whether there was anything to signal."""
    with suppress(OSError):
        group = os.tcgetpgrp(terminal)
        if group > 0:
            os.killpg(group, signal.Signals(number))
            return True
    return False


def end_of_input(terminal: int) -> bytes:
    """Return what a person would type to end the input."""
    with suppress(termios.error):
        return termios.tcgetattr(terminal)[6][termios.VEOF]
    return b"\x04"
