"""Who is connected: counts who has yet to say who it is, tells everybody what concerns all, and ends them in order."""

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from instar.base.addresses import site_of
from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.doors.heartbeat import Heartbeat
from instar.hub.operations.hub import Caller
from instar.wire.gateway.method import Generation
from instar.wire.limits import GATEWAY_UNAUTHENTICATED_PER_PEER_MAX

from .gateway import Gateway
from .outgoing import Outgoing, outgoing
from .rendering import GatewayRenderer
from .times import now_ms


class Line(Protocol):
    """A connection that was admitted. Its methods do not block and do not raise."""

    @property
    def caller(self) -> Caller | None:
        """Who it is; None before it was admitted."""
        ...

    def tell(self, event: Outgoing) -> None:
        """Send an event, if the client may and wants to hear it."""
        ...


class Switchboard:
    """What the sockets of the gateway share.

    Args:
        gateway: What handlers see of it.
        tasks: The parent of what sockets start.
    """

    def __init__(self, gateway: Gateway, tasks: TaskScope) -> None:
        self.gateway = gateway
        self.tasks = tasks
        self.heartbeat = Heartbeat()
        self.renderers: Mapping[Generation, GatewayRenderer] = {
            generation: GatewayRenderer(generation, lambda: gateway.health_version) for generation in Generation
        }
        self._lines: set[Line] = set()
        self._waiting: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._lines)

    def is_full(self, peer: str) -> bool:
        """Whether so many sockets of an address have yet to pass `connect` that no more are taken."""
        return self._waiting[site_of(peer)] >= GATEWAY_UNAUTHENTICATED_PER_PEER_MAX

    def wait(self, peer: str) -> None:
        """Count a socket that has yet to pass `connect`."""
        self._waiting[site_of(peer)] += 1

    def settle(self, peer: str) -> None:
        """Count it no more: it passed, or has gone."""
        site = site_of(peer)
        self._waiting[site] -= 1
        if not self._waiting[site]:
            del self._waiting[site]

    def enter(self, line: Line) -> None:
        """Tell this connection what concerns all, from now on."""
        self._lines.add(line)

    def leave(self, line: Line) -> None:
        """Forget a connection; an unknown one is no error."""
        self._lines.discard(line)

    def tell(self, event: Outgoing) -> None:
        """Send an event to every connection that may and wants to hear it."""
        for line in tuple(self._lines):
            line.tell(event)

    def tick(self) -> None:
        """Show everybody that the hub lives. To be called each `GATEWAY_TICK_S`."""
        self.tell(outgoing("tick", {"ts": now_ms()}))

    async def look(self) -> None:
        """Look at the hub's health anew, and tell each as far as it may see. To be called each `GATEWAY_HEALTH_S`."""
        seen: dict[object, Outgoing | None] = {}
        if self._lines:
            self.gateway.health_version += 1
        for line in tuple(self._lines):
            if (caller := line.caller) is None:
                continue
            key = (caller.grant.id, caller.grant.scopes)
            if key not in seen:
                seen[key] = await self._health_for(caller)
            if (event := seen[key]) is not None:
                line.tell(event)

    async def _health_for(self, caller: Caller) -> Outgoing | None:
        try:
            return outgoing("health", await self.gateway.health.health(self.gateway.hub, caller, probe=True))
        except InstarError:
            # Who may not observe hears nothing of it.
            return None
