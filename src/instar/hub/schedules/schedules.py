"""Schedules, wired: what there is, what is due, and the loop between, in one object."""

from collections.abc import Callable

from instar.base.clock import Micros, now
from instar.base.tasks import TaskScope
from instar.bus.fanout import Pump
from instar.hub.act import Bindings
from instar.hub.agents.agents import Agents
from instar.hub.delivery.switch import StopSwitch
from instar.hub.identity.identity import Identity
from instar.hub.rooms import Rooms
from instar.store.seam import Store
from instar.wire.names import Network

from . import slots
from .firing import Firing
from .handlers import Handlers
from .obstacles import Obstacles
from .plans import Plans
from .scheduler import Scheduler


class Schedules:
    """Time as a cause of messages.

    Args:
        store: Where they are kept.
        pump: Keeps the projection true to the log.
        identity: By whose right they speak.
        rooms: Where.
        agents: Whom they wake.
        switch: Whether all agents are stopped.
        network: The local network.
        scope: The parent of the scheduler's tasks.
        clock: Wall-clock time, for tests.
    """

    def __init__(
        self,
        store: Store,
        pump: Pump,
        identity: Identity,
        rooms: Rooms,
        agents: Agents,
        switch: StopSwitch,
        network: Network,
        scope: TaskScope,
        *,
        clock: Callable[[], Micros] = now,
    ) -> None:
        self._store = store
        self._plans = Plans(pump)
        obstacles = Obstacles(identity.authority, identity.standing, rooms.directory, agents.registry, switch)
        firing = Firing(store, rooms.messages, obstacles, network)
        self.scheduler = Scheduler(self._plans, firing, clock, scope)
        self._handlers = Handlers(store, identity.authority, self._plans, obstacles, firing, clock)

    def bindings(self) -> Bindings:
        """Return `schedules.*` with their handlers."""
        return self._handlers.bindings()

    async def load(self) -> None:
        """Read the schedules; called once, before anything is served."""
        await self._plans.load(self._store)

    def open(self) -> None:
        """Begin to fire, what was missed included; called when everything that may wake is ready."""
        self.scheduler.start()

    async def trim(self) -> int:
        """Forget the slots that histories keep no longer; return how many. To be called once in a while."""
        return await self._store.transact(slots.trim)

    async def close(self) -> None:
        """Fire nothing more. Twice is no error."""
        await self.scheduler.close()
