"""What `Authority` asks of an object. The nouns above fulfil these; identity knows none of them."""

from collections.abc import Iterable
from typing import Protocol

from instar.wire.events import RoomKey
from instar.wire.rooms import RoomKind, Visibility, WritePolicy

from .principals import Grant


class RoomFacts(Protocol):
    """A room of any kind. A thread answers with the members, visibility and policy of its parent."""

    @property
    def key(self) -> RoomKey:
        """Its key, `kind:id`."""
        ...

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def kind(self) -> RoomKind:
        """What it is."""
        ...

    @property
    def parent(self) -> str:
        """The key of a thread's room; empty for others."""
        ...

    @property
    def visibility(self) -> Visibility:
        """Who may read it besides members and observers."""
        ...

    @property
    def write_policy(self) -> WritePolicy:
        """Who may send into it."""
        ...

    @property
    def is_removed(self) -> bool:
        """Whether it was removed."""
        ...

    def has_member(self, member: str) -> bool:
        """Whether a member (of a direct conversation: a participant) goes by this name: `id` or `net:id`."""
        ...


class MessageFacts(Protocol):
    """A message."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def room(self) -> RoomFacts:
        """Where it was said."""
        ...

    @property
    def sender_id(self) -> str:
        """Who said it, as a member name: `id`, or `net:id` when it came from another network."""
        ...


class AgentFacts(Protocol):
    """An agent, or an id that somebody wants for one."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


class RunFacts(Protocol):
    """A run."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def room(self) -> RoomFacts:
        """The room that it speaks into."""
        ...

    @property
    def agent_id(self) -> str:
        """The agent that it wakes."""
        ...


class ScheduleFacts(Protocol):
    """A schedule, made or yet to be made."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def room(self) -> RoomFacts | None:
        """The room that it speaks into; None when there is none."""
        ...


class CallFacts(Protocol):
    """A call, made or yet to be made."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def requester(self) -> str:
        """Id of the principal that asked for it; empty while it is being asked for."""
        ...

    @property
    def room(self) -> RoomFacts | None:
        """The room whose call it is; None: its requester's own."""
        ...

    @property
    def agent_id(self) -> str:
        """The agent on whose behalf; empty: nobody's."""
        ...


class RouteFacts(Protocol):
    """A choice of where calls go."""

    @property
    def id(self) -> str:
        """What it is for, in words."""
        ...

    @property
    def room(self) -> RoomFacts | None:
        """The room that it is for."""
        ...

    @property
    def agent_id(self) -> str:
        """The agent that it is for; neither: the org."""
        ...


class DeviceFacts(Protocol):
    """A device."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def principal(self) -> str:
        """Id of its principal."""
        ...

    @property
    def held(self) -> Iterable[Grant]:
        """The grants that it holds, one for each role."""
        ...


class PersonFacts(Protocol):
    """A person."""

    @property
    def id(self) -> str:
        """Id of the principal."""
        ...

    @property
    def grant(self) -> Grant:
        """What the person may do."""
        ...
