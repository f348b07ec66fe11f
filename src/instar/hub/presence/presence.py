"""One connection's place among who is here."""

from typing import Any, Protocol

from msgspec.structs import replace

from instar.wire.presence import GONE, PresenceEntry


class Board(Protocol):
    """What a place tells of itself; `hub.presence.presences` is it."""

    def changed(self, entry: PresenceEntry) -> None:
        """Take note of what a connection says of itself now."""
        ...

    def left(self, entry: PresenceEntry, reason: str) -> None:
        """Take note that a connection has ended."""
        ...


class Presence:
    """Who opened it closes it, once its connection has ended. Closing twice is no error."""

    __slots__ = ("_board", "_entry", "_is_open")

    def __init__(self, board: Board, entry: PresenceEntry) -> None:
        self._board = board
        self._entry = entry
        self._is_open = True

    @property
    def entry(self) -> PresenceEntry:
        """What was said of the connection last."""
        return self._entry

    def update(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of PresenceEntry
        """Say something else of the connection, but not who it is. Once it is closed, nothing happens."""
        if self._is_open:
            self._entry = replace(self._entry, **changes)
            self._board.changed(self._entry)

    def close(self, reason: str = GONE) -> None:
        """Say that the connection has ended; its row is shown a while longer."""
        if self._is_open:
            self._is_open = False
            self._board.left(self._entry, reason)
