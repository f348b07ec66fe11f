"""Nodes that dial in: who may serve, what becomes of the connection, and what is written down of it."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog
from msgspec.structs import replace

from instar.base.buckets import Buckets
from instar.base.clock import Micros, to_rfc3339
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.base.tasks import TaskScope
from instar.bus.fanout import Fanout
from instar.hub.identity.principals import DEVICE_ID_PREFIX, Caller
from instar.store.seam import Store, Transaction
from instar.wire.events import NODES
from instar.wire.execution import Declaration, Outcome
from instar.wire.identity import Scope
from instar.wire.limits import NODE_DECLARATION_S, NODE_DECLARATIONS_MAX
from instar.wire.nodes import LOCAL, Telemetry, TelemetrySignal

from . import records
from .declarations import calls_max, checked
from .executor import LinkExecutor
from .links import Ender, ExecutorFactory, NodeLink
from .records import NodeRecord
from .roster import Roster
from .sessions import LinkedSession, NodeSession
from .telemetry import Reports

_log = structlog.get_logger("instar.nodes")


class Entrance:
    """Where nodes come in and go; the board of their sessions.

    Args:
        store: Where they are kept.
        roster: Who is connected.
        reports: How they are.
        fanout: Who hears of telemetry.
        scope: The parent of what is written down after a connection ended.
        clock: Wall-clock time.
    """

    def __init__(
        self,
        store: Store,
        roster: Roster,
        reports: Reports,
        fanout: Fanout,
        scope: TaskScope,
        clock: Callable[[], Micros],
    ) -> None:
        self._store = store
        self._roster = roster
        self._reports = reports
        self._fanout = fanout
        self._scope = scope
        self._clock = clock
        self._declarations = Buckets(1 / NODE_DECLARATION_S, NODE_DECLARATIONS_MAX)
        self.on_stray: Callable[[str, Outcome], None] | None = None
        self.is_stopping = False
        """Connections that end while the hub stops leave no event."""

    async def serve(self, caller: Caller, declaration: Declaration, link: NodeLink) -> LinkedSession:
        """Take a node in that dialled in on a native link; see `Nodes.serve`."""
        node_id = self._admitted(caller)
        declaration = checked(declaration)
        executor = LinkExecutor(node_id, link, calls_max(declaration))
        session = LinkedSession(
            self, node_id, new_id("conn"), executor, link.end, self._clock(), dialect=link.dialect,
            address=link.address,
        )  # fmt: skip
        await self._enter(session, declaration)
        return session

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
        """Take a node of another dialect in; see `Nodes.serve_foreign`."""
        node_id = self._admitted(caller)
        declaration = checked(declaration)
        executor = executor_factory(node_id, declaration)
        session = NodeSession(
            self, node_id, new_id("conn"), executor, end, self._clock(), dialect=dialect, address=address
        )
        await self._enter(session, declaration)
        return session

    # What sessions say (`sessions.Board`)

    def declared(self, session: NodeSession, declaration: Declaration) -> None:
        """A node offers something else from now on.

        Raises:
            InstarError: `unprocessable_entity`, `rate_limited`.
        """
        declaration = checked(declaration)
        if wait_s := self._declarations.take(session.node_id):
            what = "the node changes what it declares too often"
            raise InstarError("rate_limited", what, retry_after_s=wait_s)
        if isinstance(session.executor, LinkExecutor):
            session.executor.calls_max = calls_max(declaration)
        change = partial(replace, declaration=declaration)
        self._start("write what a node declares", self._write(session, records.CONNECTED, change, is_connected=True))

    def reported(self, session: NodeSession, telemetry: Telemetry) -> None:
        """A node said how it is."""
        taken = self._reports.take(session.node_id, telemetry, self._clock())
        if taken is not None:
            self._fanout.signal(NODES, TelemetrySignal(session.node_id, taken))

    def left(self, session: NodeSession, reason: str) -> None:
        """A connection has ended."""
        self._roster.gave_up(session)
        if self._roster.leave(session):
            self._start("write down that a node left", self._gone(session, reason))

    def stray(self, session: NodeSession, outcome: Outcome) -> None:
        """A node tells of a call that nobody follows."""
        if self.on_stray is not None:
            self.on_stray(session.node_id, outcome)

    # Inner parts

    def _admitted(self, caller: Caller) -> str:
        if not caller.has(Scope.NODE):
            raise InstarError("forbidden", "needs scope node", detail={"missing": "scope node"})
        return self._roster.identify(caller.grant)

    async def _enter(self, session: NodeSession, declaration: Declaration) -> None:
        """Write the connection down; the pump makes it its node's, in the order in which they came to disk."""
        self._roster.entering(session)
        at = to_rfc3339(session.connected_at)
        change = partial(
            replace, declaration=declaration, dialect=session.dialect, address=session.address, connected_at=at,
            last_seen_at=at,
        )  # fmt: skip
        try:
            await self._write(session, records.CONNECTED, change, is_connected=True)
        finally:
            self._roster.gave_up(session)
        if session.is_closed:
            await self._gone(session, "the connection ended while it was made")

    async def _gone(self, session: NodeSession, reason: str) -> None:
        change = partial(replace, last_seen_at=to_rfc3339(self._clock()))
        await self._write(session, records.DISCONNECTED, change, reason=reason)

    async def _write(
        self,
        session: NodeSession,
        kind: str,
        change: Callable[[NodeRecord], NodeRecord],
        **said: Any,  # noqa: ANN401 - the fields of NodeEvent
    ) -> None:
        node_id = session.node_id
        node = self._roster.get(node_id)
        name = node.name if node is not None else ""
        actor = "" if node_id == LOCAL else DEVICE_ID_PREFIX + node_id

        async def work(tx: Transaction) -> None:
            record = change(await records.find(tx, node_id))
            await records.put(tx, record, kind, actor, name=name, connection=session.connection, **said)

        await self._store.transact(work)

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        if self.is_stopping:
            work.close()
        else:
            self._scope.start(name, _heedless(work))


async def _heedless(work: Coroutine[Any, Any, None]) -> None:
    """Let a write fail that nobody waits for: the store has said why, and the next connection tells the truth."""
    try:
        await work
    except InstarError as error:
        _log.warning("a node's coming or going was not written down", code=error.code, cause=error.message)
