"""What one connection hears: which events, numbered for itself, and which it goes without while it is slow."""

from collections.abc import Iterable

from instar.wire.gateway.connect import Introduction
from instar.wire.gateway.method import Generation

from .outgoing import Outgoing
from .subscriptions import Subscriptions

SCOPED = "session-scoped-events"
"""The capability of a client that wants the turns of sessions it subscribed to, and no others'."""
TURNS = frozenset({"chat", "agent"})
FAREWELL = "shutdown"


class TooSlowError(Exception):
    """The client does not keep up, and the event is none that it can go without."""


class Hearing:
    """The ears of one connection. Its numbers have no gaps but those of events that were left out for its slowness.

    Args:
        generation: Whose client it is.
        scopes: The dialect's scopes that it holds.
        caps: What it can do.
    """

    __slots__ = ("_generation", "_is_scoped", "_scopes", "_seq", "shows_cursor", "subscriptions")

    def __init__(self, generation: Generation, scopes: Iterable[str] = (), caps: Iterable[str] = ()) -> None:
        self._generation = generation
        self._scopes = frozenset(("", *scopes))
        self._is_scoped = SCOPED in caps
        self._seq = 0
        self.shows_cursor = False
        """Whether it is told where the log stands (`instar.resume`)."""
        self.subscriptions = Subscriptions()

    def wants(self, event: Outgoing) -> bool:
        """Whether the client may and wants to hear an event."""
        if self._generation not in event.row.generations or event.row.scope not in self._scopes:
            return False
        choices = self.subscriptions
        match self._generation:
            case Generation.V3:
                return True
            case Generation.MOLTIS:
                is_joined = bool(event.session) and event.session in choices.rooms
                return is_joined or choices.hears(event.family) or event.family == FAREWELL
            case Generation.V4:
                return self._hears_fourth(event, choices)

    def _hears_fourth(self, event: Outgoing, choices: Subscriptions) -> bool:
        if event.family == "sessions.changed":
            return choices.sessions
        if event.family == "session.message" or (self._is_scoped and event.family in TURNS):
            return event.session in choices.keys
        return True

    def frames(self, events: Iterable[Outgoing], *, is_slow: bool) -> bytes:
        """Return the events that the client hears as WebSocket frames.

        Raises:
            TooSlowError: It is slow, and one of them is none that it can go without.
        """
        heard: list[bytes] = []
        for event in events:
            if not self.wants(event):
                continue
            self._seq += 1
            if not is_slow:
                heard.append(event.frame(self._seq, shows_cursor=self.shows_cursor))
            elif not event.row.is_droppable:
                raise TooSlowError
        return b"".join(heard)


def hearing_of(who: Introduction, scopes: Iterable[str]) -> Hearing:
    """Return the ears of a client that was admitted. Moltis's newer clients hear nothing until they ask."""
    hearing = Hearing(who.generation, scopes, who.caps)
    if who.generation is Generation.MOLTIS and not who.is_flat:
        hearing.subscriptions.events = frozenset()
    return hearing
