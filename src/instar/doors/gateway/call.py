"""One call of a method, as its handler sees it; over the socket and over `POST /api/rpc` alike."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from instar.base.errors import InstarError
from instar.hub.operations.hub import Caller, Hub
from instar.wire.gateway.method import Generation, Method

from .gateway import Gateway
from .nodes.side import NodeSide
from .subscriptions import Subscriptions


@dataclass(frozen=True, slots=True)
class Client:
    """What a connection said of itself in `connect`. Shown, never believed: nothing is decided on it."""

    id: str = ""
    mode: str = ""
    version: str = ""
    platform: str = ""
    role: str = "operator"
    scopes: tuple[str, ...] = ()
    """The dialect's scopes that it holds now."""
    caps: frozenset[str] = frozenset()
    instance_id: str = ""
    device_id: str = ""
    """The device that it proved to be, or empty."""
    conn_id: str = ""
    display_name: str = ""


class Peer(Protocol):
    """The socket of a call. Its methods do not block, do not raise, and do nothing once the socket has gone."""

    @property
    def subscriptions(self) -> Subscriptions:
        """What the connection wants to hear."""
        ...

    @property
    def node(self) -> NodeSide | None:
        """The node behind it; None: it is no node's."""
        ...

    def accept(self, payload: object) -> None:
        """Send an early `res` with the id of the call; the handler's result follows on the same id (method `agent`).

        From here on the call only waits.
        """
        ...

    def only_waits(self) -> None:
        """Let the call end with the socket, as it has nothing left to do but to answer."""
        ...


@dataclass(slots=True)
class Call:
    """One call under way."""

    hub: Hub
    caller: Caller
    generation: Generation
    client: Client
    method: Method
    params: Any
    """An instance of `method.params_for(generation)`."""
    request_id: str
    key: str
    """The idempotency key; empty for a method that needs none and was given none."""
    peer: Peer | None
    """The socket; None over `POST /api/rpc`."""
    gateway: Gateway
    address: str
    """Where the client calls from: what its wrong guesses count against."""


class TurnFailedError(InstarError):
    """A turn that ended badly: the answer says `ok: false`, the error, and beside it the state of the turn.

    Args:
        message: What went wrong.
        payload: The state, as the dialect shows it.
    """

    def __init__(self, message: str, payload: dict[str, Any]) -> None:
        super().__init__("service_unavailable", message)
        self.payload = payload


Payload = msgspec.Struct | msgspec.Raw | dict[str, Any] | list[Any] | None
"""What a handler may answer: msgspec encodes it; `Raw` is JSON that is ready."""

Handler = Callable[[Call], Awaitable[object]]
"""Does a call and returns its payload. It checks no right: it invokes operations, which do.

Raises:
    InstarError: Translated into the dialect's error by `wire.gateway.errors`.
"""
