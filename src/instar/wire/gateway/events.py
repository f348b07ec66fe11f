"""The events of the dialect: who may hear each, and which may be left out for a client that is slow.

An event that does not stand here is not sent: unknown families fail closed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from .method import Generation
from .scopes import ADMIN, APPROVALS, PAIRING, READ

ALL = frozenset(Generation)
V4 = frozenset({Generation.V4})
MOLTIS = frozenset({Generation.MOLTIS})


class EventRow(NamedTuple):
    """One event."""

    summary: str
    scope: str = ""
    """The dialect's scope that it needs; empty: every connection hears it."""
    is_droppable: bool = False
    """Whether a client that does not keep up goes without; something that can be read again replaces it."""
    generations: frozenset[Generation] = ALL


EVENTS: Mapping[str, EventRow] = MappingProxyType(
    {
        "connect.challenge": EventRow("The nonce that a device signs; the first frame of all"),
        "tick": EventRow("The gateway lives", is_droppable=True),
        "shutdown": EventRow("The gateway stops; the close follows"),
        "presence": EventRow("Who is connected", is_droppable=True),
        "health": EventRow("How the hub is", READ),
        "heartbeat": EventRow("A heartbeat of an agent was due", READ),
        "chat": EventRow("What an agent says in a session: delta, final, aborted or error", READ),
        "agent": EventRow("How a turn goes: lifecycle and text", READ),
        "session.message": EventRow("A message of a session that the client subscribed to", READ, generations=V4),
        "sessions.changed": EventRow("A session was made, changed or removed", READ, generations=V4),
        "cron": EventRow("A schedule was changed, fired or missed", READ),
        "config.changed": EventRow("The settings were changed", ADMIN, generations=V4),
        "device.pair.requested": EventRow("A device asks to be let in", PAIRING, is_droppable=True),
        "device.pair.resolved": EventRow("It was decided on", PAIRING, is_droppable=True),
        "device.pair.changed": EventRow("A device was changed, revoked or removed", PAIRING, True, V4),
        "node.pair.requested": EventRow("A node asks to be let in", PAIRING, is_droppable=True),
        "node.pair.resolved": EventRow("It was decided on", PAIRING, is_droppable=True),
        "node.pair.pending": EventRow("To the node itself: an operator decides", generations=MOLTIS),
        "node.auth.challenge": EventRow("To the node itself: sign this", generations=MOLTIS),
        "node.security.key-mismatch": EventRow("Another key was shown under a node's name", PAIRING, False, MOLTIS),
        "node.invoke.request": EventRow("To the node itself: do this"),
        "node.invoke.cancel": EventRow("To the node itself: end it", generations=V4),
        "node.telemetry": EventRow("A node said how it is", READ, True, MOLTIS),
        "exec.approval.requested": EventRow("A call waits for an approval", APPROVALS),
        "exec.approval.resolved": EventRow("It was decided on, or is over", APPROVALS),
        "error": EventRow("A frame could not be taken", generations=MOLTIS),
    }
)
"""Event → row."""


def events_of(generation: Generation) -> list[str]:
    """Return the events that a client of this generation may meet."""
    return [name for name, row in EVENTS.items() if generation in row.generations]
