"""Session keys of the dialect and the conversations they stand for.

`agent:AGENT:NAME` is the session of that name; `agent:AGENT:instar:channel:ID` is room ID as the agent sees it, and
likewise `thread` and `dm`. A bare name is a session of the default agent.
"""

import re
from dataclasses import dataclass
from typing import Final

from instar.base.errors import InstarError
from instar.wire.limits import SESSION_NAME_PATTERN
from instar.wire.messages import Target, TargetKind
from instar.wire.names import is_id, room_key, split_key
from instar.wire.rooms import RoomKind

MAIN: Final = "main"
CHANNEL: Final = "instar"
"""The one channel there is: the hub's own conversations."""

_NAME = re.compile(SESSION_NAME_PATTERN)
_PLACES = {"channel": RoomKind.ROOM, "thread": RoomKind.THREAD, "dm": RoomKind.DM}
_WORDS = {kind: word for word, kind in _PLACES.items()}


@dataclass(frozen=True, slots=True)
class SessionKey:
    """A conversation of one agent."""

    agent_id: str
    kind: RoomKind
    name: str
    """Name of the session; id of the room, thread or direct conversation."""

    def __str__(self) -> str:
        """Return the key as the dialect writes it."""
        place = self.name if self.kind is RoomKind.SESSION else f"{CHANNEL}:{_WORDS[self.kind]}:{self.name}"
        return f"agent:{self.agent_id}:{place}"

    @property
    def is_session(self) -> bool:
        """Whether it is the agent's own conversation, not a room of the hub."""
        return self.kind is RoomKind.SESSION

    @property
    def is_main(self) -> bool:
        """Whether it is the agent's main session."""
        return self.is_session and self.name == MAIN

    @property
    def room(self) -> str:
        """Key of the room that holds it."""
        return room_key(self.kind, str(self) if self.is_session else self.name)

    @property
    def target(self) -> Target:
        """Where its messages go."""
        match self.kind:
            case RoomKind.THREAD:
                return Target(TargetKind.THREAD, thread_id=self.name)
            case RoomKind.DM:
                return Target(TargetKind.DM, dm_id=self.name)
            case RoomKind.ROOM:
                return Target(TargetKind.ROOM, room_id=self.name)
            case _:
                return Target(TargetKind.SESSION, session_id=str(self))


def parse_session_key(text: str, default_agent: str) -> SessionKey:
    """Read a key as clients write it.

    Raises:
        InstarError: `bad_request` when it is none.
    """
    agent_id, place = default_agent, text.strip()
    if place.startswith("agent:"):
        agent_id, _, place = place.removeprefix("agent:").partition(":")
    channel, _, rest = place.partition(":")
    word, _, name = rest.partition(":")
    kind = _PLACES.get(word) if channel == CHANNEL else None
    if kind is None:
        kind, name = RoomKind.SESSION, place
    fits = _NAME.match(name) is not None if kind is RoomKind.SESSION else is_id(name)
    if not is_id(agent_id) or not fits:
        raise InstarError(
            "bad_request", f"invalid session key: {text[:200]!r}", hint="Write `main`, or `agent:AGENT:NAME`."
        )
    return SessionKey(agent_id, kind, name)


def session_key_of(room: str, agent_id: str) -> SessionKey | None:
    """Return how the dialect calls a room (by its key); None for a system room.

    Args:
        room: Key of the room (`room:general`, `session:agent:guide:main`).
        agent_id: The agent as whose session a room that is no session is shown.
    """
    kind, name = split_key(room)
    if kind == RoomKind.SESSION:
        owner, _, session = name.removeprefix("agent:").partition(":")
        return SessionKey(owner, RoomKind.SESSION, session)
    return SessionKey(agent_id, RoomKind(kind), name) if kind in _WORDS else None
