"""An event on its way to many clients: rendered once, numbered by each connection for itself."""

from typing import NamedTuple

import msgspec

from instar.wire.frames import text_frame
from instar.wire.gateway.events import EVENTS, EventRow
from instar.wire.gateway.frames import StateVersion, event_tail, numbered_event

_encode = msgspec.json.Encoder().encode


class Outgoing(NamedTuple):
    """One event as all clients of a generation get it, but for its number."""

    family: str
    row: EventRow
    tail: bytes
    session: str = ""
    """The session key that it speaks of, for clients that choose sessions."""
    cursor: int = 0
    """Where the log stands after it; 0: it is not of the log, or more of the same event follow."""

    def frame(self, seq: int, *, shows_cursor: bool) -> bytes:
        """Return the WebSocket frame for a connection whose next number this is."""
        return text_frame(numbered_event(seq, self.tail, self.cursor if shows_cursor else 0))


def outgoing(
    family: str,
    payload: object,
    *,
    session: str = "",
    state: StateVersion | None = None,
    is_droppable: bool | None = None,
) -> Outgoing:
    """Return an event.

    Args:
        family: Its name.
        payload: What it says.
        session: The session key that it speaks of.
        state: Which presence and health it speaks of.
        is_droppable: Whether a slow client goes without this one; None: as its row says.

    Raises:
        KeyError: It does not stand in the table of events.
    """
    row = EVENTS[family]
    if is_droppable is not None:
        row = row._replace(is_droppable=is_droppable)
    return Outgoing(family, row, event_tail(family, _encode(payload), state), session)
