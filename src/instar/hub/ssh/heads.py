"""Finds where a command's own output begins, IO-free: what a login profile prints before it is no part of a call."""

from typing import NamedTuple

from .script import Mark

NOISE_MAX_BYTES = 65_536
_VALUE_MAX_BYTES = 24


class Said(NamedTuple):
    """What the script said of itself."""

    pid: int = 0
    """Of the program, which leads its process group."""
    has_no_folder: bool = False
    """The working directory is not there; nothing runs."""


class Head:
    """Takes the beginning of a stream until the mark has come.

    Args:
        mark: What the script says.
    """

    def __init__(self, mark: Mark) -> None:
        self._mark = mark.head
        self._taken = b""
        self.said: Said | None = None

    def take(self, content: bytes) -> bytes:
        """Return what of it is the command's own output; empty until the mark has come whole.

        Raises:
            ValueError: There is more noise before the mark than is taken, or the mark says nonsense.
        """
        if self.said is not None:
            return content
        self._taken += content
        at = self._taken.find(self._mark)
        if at < 0:
            if len(self._taken) > NOISE_MAX_BYTES:
                raise ValueError("the login profile prints too much")
            return b""
        begin = at + len(self._mark)
        value, end, rest = self._taken[begin:].partition(b";")
        if not end:
            if len(value) > _VALUE_MAX_BYTES:
                raise ValueError("the mark is broken")
            return b""
        self.said = Said(has_no_folder=True) if value == b"cwd" else Said(pid=_pid(value))
        self._taken = b""
        return rest


def _pid(value: bytes) -> int:
    pid = int(value) if value.isdigit() else 0
    if pid <= 1:
        raise ValueError("the mark names no process")
    return pid
