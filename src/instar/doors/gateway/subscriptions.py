"""What one connection wants to hear. Generation 3 hears all; generation 4 and Moltis choose."""

from collections.abc import Iterable

EVERYTHING = "*"


class Subscriptions:
    """The choices of one connection. What it may hear is its grant's matter; this only narrows."""

    __slots__ = ("events", "keys", "rooms", "sessions")

    def __init__(self) -> None:
        self.events: frozenset[str] | None = None
        """The families that it asked for (Moltis `subscribe`); None: all."""
        self.sessions = False
        """Whether it wants `sessions.changed` (`sessions.subscribe`)."""
        self.keys: set[str] = set()
        """Session keys whose messages it wants (`sessions.messages.subscribe`)."""
        self.rooms: set[str] = set()
        """Channels that it joined (Moltis `channel.join`)."""

    def want(self, families: Iterable[str]) -> None:
        """Hear these families as well; `*` is all."""
        wanted = frozenset(families)
        self.events = None if EVERYTHING in wanted else (self.events or frozenset()) | wanted

    def drop(self, families: Iterable[str]) -> None:
        """Hear these families no more. Nothing can be dropped from "all", as Moltis has it."""
        if self.events is not None:
            self.events -= frozenset(families)

    def hears(self, family: str) -> bool:
        """Whether it wants this family."""
        return self.events is None or family in self.events
