"""Runs: the runner, the operations, and the runtimes that they are for, in one object."""

from instar.base.tasks import TaskScope
from instar.bus.fanout import Fanout, Pump
from instar.hub.act import Bindings, bind
from instar.hub.agents.agents import Agents
from instar.hub.delivery.delivery import Delivery
from instar.hub.rooms.admission import Admission
from instar.hub.rooms.directory import Directory
from instar.hub.rooms.messages import Messages
from instar.store.seam import Store
from instar.wire import runs as wire
from instar.wire.limits import RUN_BUDGET_S

from .awaiting import Awaiting
from .handlers import RunHandlers
from .hosting import Hosting
from .transitions import Transitions
from .wakes import Wakes
from .work import Runtime
from .worker import Stage

ITEM_LEASE_SLACK_S = 60.0
"""How much longer than the longest run its inbox item is nobody else's."""


class Runs:
    """Hosted agents: what wakes them is run, once at a time in each room (law 6).

    Args:
        messages: How an answer becomes a message.
        admission: The loop guard; each run asks it once, before it begins.
        scope: The parent of the workers and runs; closing it ends every run visibly.
        budget_s: The longest run; it may be changed, for the runs that begin after that.
    """

    def __init__(
        self,
        store: Store,
        pump: Pump,
        fanout: Fanout,
        delivery: Delivery,
        messages: Messages,
        directory: Directory,
        agents: Agents,
        admission: Admission,
        scope: TaskScope,
        *,
        budget_s: float = RUN_BUDGET_S,
    ) -> None:
        self.budget_s = budget_s
        self._runtimes: dict[str, Runtime] = {}
        wakes = Wakes(store, delivery.inboxes, delivery.desks, delivery.bell)
        stage = Stage(
            store=store,
            fanout=fanout,
            wakes=wakes,
            transitions=Transitions(store, wakes, messages, lambda: self.budget_s + ITEM_LEASE_SLACK_S),
            registry=agents.registry,
            presence=agents.presence_board,
            directory=directory,
            admission=admission,
            scope=scope,
            is_stopped=lambda: delivery.switch.is_stopped,
            budget_s=lambda: self.budget_s,
        )
        self._hosting = Hosting(store, pump, stage, self._runtimes)
        self._handlers = RunHandlers(store, directory, self._hosting)
        self._awaiting = Awaiting(store, pump, directory, self._hosting)
        delivery.switch.open_runs = self.open_runs

    def serve(self, name: str, runtime: Runtime) -> None:
        """Host the agents whose `runtime` is `name`; called before `open`."""
        self._runtimes[name] = runtime

    async def open(self) -> None:
        """Recover from an earlier process, then begin to run what wakes hosted agents."""
        await self._hosting.open()

    def open_runs(self) -> int:
        """Return how many runs are under way."""
        return self._hosting.open_runs()

    def bindings(self) -> Bindings:
        """Return the operations of runs."""
        return (*self._handlers.bindings(), bind(wire.AWAIT, self._awaiting.await_run))
