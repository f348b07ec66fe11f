"""What this door asks of the hub; `instar.hub.operations.hub.Hub` answers. No type of a lower package is named here."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

import msgspec

from instar.wire.agents import AgentRegistration
from instar.wire.events import Event, ReplayGap
from instar.wire.identity import Principal, Scope
from instar.wire.names import Network
from instar.wire.operation import Operation
from instar.wire.runs import Signal


class Credential(msgspec.Struct, frozen=True):
    """What stands in a request to be authenticated."""

    token: str = ""
    is_local: bool = False
    peer: str = ""
    has_origin: bool = False


class HeldGrant(Protocol):
    """The grant of a caller, opaque but for its id."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


class NewSession(Protocol):
    """The answer to a sign-in, with its token beside it that no encoder writes."""

    @property
    def token(self) -> str:
        """The session's token."""
        ...


class Holder(Protocol):
    """What an authenticated party is to this door: opaque but for who it is and what it holds."""

    @property
    def principal(self) -> Principal:
        """Who it is."""
        ...

    @property
    def grant(self) -> HeldGrant:
        """What it holds."""
        ...

    @property
    def is_anonymous(self) -> bool:
        """Whether no credential was presented."""
        ...

    def has(self, *scopes: Scope) -> bool:
        """Whether its grant holds one of `scopes`."""
        ...


class Renderer(Protocol):
    """How a dialect writes events; one instance each, it is a cache key of the fan-out."""

    def render(self, event: Event) -> bytes:
        """Return one event."""
        ...

    def join(self, rendered: Sequence[bytes]) -> bytes:
        """Return several rendered events in one piece."""
        ...

    def signal(self, signal: Signal) -> bytes:
        """Return a signal."""
        ...


class Sink(Protocol):
    """Where a feed writes to. Called on the event loop; no method blocks or raises."""

    def write(self, frames: bytes) -> None:
        """Take rendered events."""
        ...

    def buffered_bytes(self) -> int:
        """Return how many bytes the client has not taken yet."""
        ...

    def gap(self, gap: ReplayGap) -> None:
        """The feed cannot go on where it was asked to; it goes on at the newest."""
        ...

    def ended(self, code: str, message: str, cursor: str) -> None:
        """The feed is over: `overloaded` for a lagging client, `unauthorized`, `not_found`, `service_unavailable`."""
        ...


class Feed(Protocol):
    """An open feed."""

    @property
    def cursor(self) -> str:
        """Where it stands."""
        ...

    def writable(self) -> None:
        """The client has taken what waited."""
        ...


class Attachment(Protocol):
    """An agent's place at the hub while its socket lives."""

    @property
    def registration(self) -> AgentRegistration:
        """What READY says."""
        ...

    def close(self, reason: str, error: str = "") -> None:
        """Give the place up; `agent.disconnected` follows when it was the agent's last."""
        ...


class Hub(Protocol):
    """The facade, as far as this door uses it."""

    @property
    def network(self) -> Network:
        """Which network this is."""
        ...

    def authenticate(self, credential: Credential) -> Holder:
        """Return who presents a credential."""
        ...

    def visitor(self) -> Holder:
        """Return the caller without any right."""
        ...

    async def invoke(
        self,
        caller: Any,  # noqa: ANN401 - the hub's own Caller, opaque here
        operation: Operation[Any, Any],
        params: msgspec.Struct,
        *,
        request_id: str = "",
        idempotency_key: str = "",
        body: Callable[[], AsyncIterator[bytes]] | None = None,
    ) -> Any:  # noqa: ANN401 - the operation's own result type
        """Do `operation` for `caller`."""
        ...

    async def open_feed(
        self,
        caller: Any,  # noqa: ANN401 - as above
        sink: Sink,
        renderer: Renderer,
        *,
        cursor: str = "",
        agent_id: str = "",
        signals: bool = False,
    ) -> Feed:
        """Deliver to `sink` what `caller` may read, from `cursor` on."""
        ...

    async def attach(self, caller: Any, agent_id: str, name: str) -> Attachment:  # noqa: ANN401 - as above
        """Register or resolve the agent and take a place for it."""
        ...

    def close_feed(self, feed: Feed) -> None:
        """Deliver nothing to a feed any more."""
        ...

    def acknowledge(self, feed: Feed, agent_id: str, cursor: str) -> None:
        """Take everything up to `cursor` as processed by the agent."""
        ...

    def failed(self, agent_id: str, error: str) -> None:
        """The agent could not handle what it was woken for."""
        ...
