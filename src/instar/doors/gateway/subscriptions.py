"""What one connection wants to hear. Generation 3 hears all; generation 4 and Moltis choose."""

from collections.abc import Iterable

from instar.base.errors import InstarError
from instar.wire.limits import GATEWAY_CHOICES_MAX

EVERYTHING = "*"


class Subscriptions:
    """The choices of one connection. What it may hear is its grant's matter; this only narrows."""

    __slots__ = ("events", "keys", "rooms", "sessions")

    def __init__(self) -> None:
        self.events: frozenset[str] | None = None
        """The families that it asked for (Moltis `subscribe`); None: all."""
        self.sessions = False
        """Whether it wants `sessions.changed` (`sessions.subscribe`)."""
        self.keys: frozenset[str] = frozenset()
        """Session keys whose messages it wants (`sessions.messages.subscribe`)."""
        self.rooms: frozenset[str] = frozenset()
        """Channels that it joined (Moltis `channel.join`)."""

    def want(self, families: Iterable[str]) -> None:
        """Hear these families as well; `*` is all.

        Raises:
            InstarError: `conflict` for more than `GATEWAY_CHOICES_MAX`, as each way to choose more.
        """
        wanted = frozenset(families)
        self.events = None if EVERYTHING in wanted else _joined(self.events or frozenset(), wanted)

    def hear(self, keys: Iterable[str]) -> None:
        """Hear the messages of these sessions as well."""
        self.keys = _joined(self.keys, keys)

    def join(self, keys: Iterable[str]) -> None:
        """Hear what is said in these channels as well."""
        self.rooms = _joined(self.rooms, keys)

    def drop(self, families: Iterable[str]) -> None:
        """Hear these families no more. Nothing can be dropped from "all", as Moltis has it."""
        if self.events is not None:
            self.events -= frozenset(families)

    def hears(self, family: str) -> bool:
        """Whether it wants this family."""
        return self.events is None or family in self.events


def _joined(chosen: frozenset[str], more: Iterable[str]) -> frozenset[str]:
    whole = chosen.union(more)
    if len(whole) > GATEWAY_CHOICES_MAX:
        told = f"a connection chooses at most {GATEWAY_CHOICES_MAX:,} of a kind"
        raise InstarError("conflict", told, hint="Leave some first, or open another connection.")
    return whole
