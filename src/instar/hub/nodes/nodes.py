"""Nodes, wired: who may serve, who is connected, what each may be asked. A `TargetSource` for calls."""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import msgspec

from instar.base.clock import Micros, now
from instar.base.tasks import TaskScope
from instar.bus.fanout import Fanout, Pump
from instar.hub.act import Bindings
from instar.hub.execution import Executor
from instar.hub.identity.identity import Identity
from instar.hub.identity.principals import Caller
from instar.policy.routing import TargetFacts
from instar.store.seam import Store, Transaction
from instar.wire.devices import Device
from instar.wire.events import Event
from instar.wire.execution import Declaration, Outcome, Sandbox
from instar.wire.nodes import LOCAL, NodeKind

from . import records
from .entrance import Entrance
from .handlers import Handlers
from .links import Ender, ExecutorFactory, NodeLink
from .local import LocalTarget
from .permits import refusal
from .records import NodeRecord
from .roster import KnownNode, Roster
from .sessions import LinkedSession, NodeSession
from .status import Status
from .telemetry import Reports
from .views import Views


class _Known(NamedTuple):
    """What routing was told of a node, and from what that was read."""

    device: Device | None
    record: NodeRecord
    facts: TargetFacts


class Nodes:
    """Every node of this hub, its own machine among them.

    Args:
        store: Where they are kept.
        pump: Keeps the projection true to the log.
        fanout: Who hears of telemetry.
        identity: Whose grant is a node's.
        scope: The parent of what is written down after a connection ended.
        clock: Wall-clock time, for tests.
    """

    def __init__(
        self,
        store: Store,
        pump: Pump,
        fanout: Fanout,
        identity: Identity,
        scope: TaskScope,
        *,
        clock: Callable[[], Micros] = now,
    ) -> None:
        self._store = store
        self._clock = clock
        self._devices = identity.devices
        self.roster = Roster(pump, identity.devices.registry)
        self.reports = Reports(store)
        self.local = LocalTarget(self.roster)
        self.views = Views(self.roster, self.reports, self.local, clock)
        self.status = Status(self.roster, self.local)
        self._known: dict[str, _Known] = {}
        self._entrance = Entrance(store, self.roster, self.reports, fanout, scope, clock)
        self._handlers = Handlers(identity.devices, self.roster, self.views, self.reports, self.status, clock)
        pump.apply_with("device.removed", self._removed)

    def bindings(self) -> Bindings:
        """Return `nodes.*` with their handlers."""
        return self._handlers.bindings()

    async def load(self) -> None:
        """Read what is kept of nodes; called once, before anything is served."""
        await self.roster.load(self._store)
        await self.reports.load()

    async def close(self) -> None:
        """Write down what waits; connections that end from now on leave no event. Twice is no error."""
        self._entrance.is_stopping = True
        await self.reports.flush()

    def obey(self, *, is_local: bool, telemetry_keep_s: float) -> None:
        """Let these settings hold from now on."""
        self.local.is_on = is_local
        self.reports.keep_s = telemetry_keep_s

    async def flush(self) -> None:
        """Write down what nodes said of themselves. To be called every few seconds."""
        await self.reports.flush()

    async def sweep(self) -> None:
        """Delete what is kept too long, or of devices that were forgotten. To be called each minute."""
        await self.reports.sweep(self._clock())
        self.roster.forget_strangers()
        self.reports.keep_only(self._is_known)
        forgotten = [record.id for record in await self._store.read(records.everyone) if not self._is_known(record.id)]

        async def work(tx: Transaction) -> None:
            for node_id in forgotten:
                await records.forget(tx, node_id)

        if forgotten:
            await self._store.transact(work)

    # Doors

    async def serve(self, caller: Caller, declaration: Declaration, link: NodeLink) -> LinkedSession:
        """Take a node in that dialled in on a native link. From its commit on it is there for calls.

        A connection that the same node had before is ended, whichever of the two is heard of later.

        Raises:
            InstarError: `forbidden` when the caller is no node; `unprocessable_entity` for what it declares.
        """
        return await self._entrance.serve(caller, declaration, link)

    async def serve_foreign(
        self,
        caller: Caller,
        declaration: Declaration,
        executor_factory: ExecutorFactory,
        *,
        dialect: str,
        address: str,
        end: Ender,
    ) -> NodeSession:
        """Take a node of another dialect in; its door makes what carries calls out there. As `serve`."""
        return await self._entrance.serve_foreign(
            caller, declaration, executor_factory, dialect=dialect, address=address, end=end
        )

    def on_stray(self, callback: Callable[[str, Outcome], None]) -> None:
        """Call back with (node id, outcome) when a node repeats the end of a call that nobody follows any more.

        Believe nothing of it but that this node keeps such an entry: settle it where the call is that node's and has
        ended on disk.
        """
        self._entrance.on_stray = callback

    # TargetSource

    def targets(self) -> Sequence[TargetFacts]:
        """Return every node that was let in, and the hub's own machine."""
        return [self._facts(node) for node in self.roster]

    def target(self, target_id: str) -> TargetFacts | None:
        """Return one of them, or None."""
        node = self.roster.get(target_id)
        return self._facts(node) if node is not None else None

    def executor(self, target_id: str) -> Executor | None:
        """Return what carries calls out on a node that can be reached."""
        if target_id == LOCAL:
            return self.local if self.local.can_run else None
        session = self.roster.session(target_id)
        return session.executor if session is not None else None

    def permits(self, target_id: str, tool: str, agent_id: str) -> str:
        """Return why this may not be asked of a node; empty when it may."""
        node = self.roster.get(target_id)
        return "there is no such node" if node is None else refusal(node, tool, agent_id)

    def env_allowed(self, target_id: str) -> Sequence[str]:
        """Return the names that a node's permit lists."""
        node = self.roster.get(target_id)
        return node.permit.env if node is not None else ()

    def sandboxes(self, target_id: str) -> Collection[Sandbox]:
        """Return the kinds of sandbox that a node says that it has; its word is tested when it is asked for one."""
        node = self.roster.get(target_id)
        return node.declaration.sandboxes if node is not None else ()

    def on_connected(self, callback: Callable[[str], None]) -> None:
        """Call back with its id each time that a node has connected."""
        self.roster.on_entered(lambda session: callback(session.node_id))

    # Inner parts

    def _is_known(self, node_id: str) -> bool:
        return node_id == LOCAL or self._devices.registry.get(node_id) is not None

    def _removed(self, event: Event) -> None:
        node_id = msgspec.json.decode(event.payload, type=Device).id
        self._known.pop(node_id, None)
        self.reports.forget(node_id)

    def _facts(self, node: KnownNode) -> TargetFacts:
        """Return what routing knows of a node; its name and labels are read anew only when what they stand in changed.

        Device and record never change but are replaced, so that they are the same objects says that nothing did.
        """
        session = node.session
        is_connected = self.local.can_run if node.is_local else session is not None
        load = session.executor.calls_running if session is not None else 0
        known = self._known.get(node.id)
        if known is not None and known.device is node.device and known.record is node.record:
            facts = known.facts
            if facts.is_connected is is_connected and facts.load == load:
                return facts
            facts = facts._replace(is_connected=is_connected, load=load)
        else:
            kind = NodeKind.LOCAL if node.is_local else NodeKind.NODE
            aliases = (node.alias,) if node.alias else ()
            facts = TargetFacts(node.id, node.name, kind, node.labels, is_connected, aliases, load=load)
        self._known[node.id] = _Known(node.device, node.record, facts)
        return facts
