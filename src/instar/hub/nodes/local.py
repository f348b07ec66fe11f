"""The hub's own machine as a target: its node is a child process that starts at the first call that needs it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from instar.base.errors import InstarError
from instar.hub.execution import CallSink, Executor
from instar.wire.execution import CallOrder, LedgerEntry, Preparation, Prepared, Start
from instar.wire.limits import LOCAL_NODE_START_S, NODE_CALLS_MAX
from instar.wire.nodes import LOCAL

from .roster import Roster
from .sessions import NodeSession

Starter = Callable[[], Awaitable[None]]
"""Make sure that the child runs; it dials in by itself. Raises `InstarError` when it cannot run."""


class LocalTarget:
    """See `hub.execution.Executor`. What awaits starts the node where it is not connected, and waits for it.

    Args:
        roster: Knows when it has connected.
    """

    target_id = LOCAL
    keeps_ledger = True

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._waiting: set[asyncio.Future[str]] = set()
        self.starter: Starter | None = None
        """How the child is started; None: this hub has none."""
        self.is_on = True
        """Setting `nodes.local`."""
        roster.on_entered(self._entered)

    @property
    def can_run(self) -> bool:
        """Whether the hub's own machine takes calls, started already or not."""
        return self.is_on and (self.starter is not None or self._roster.session(LOCAL) is not None)

    @property
    def calls_max(self) -> int:
        """How many calls it takes at once."""
        current = self._current
        return current.calls_max if current is not None else NODE_CALLS_MAX

    async def prepare(self, preparation: Preparation) -> Prepared:
        """Let it resolve what would run."""
        return await (await self._reach()).prepare(preparation)

    async def start(self, start: Start, sink: CallSink) -> None:
        """Run exactly what was prepared."""
        await (await self._reach()).start(start, sink)

    async def order(self, method: str, order: CallOrder) -> None:
        """Give an order about a call."""
        await (await self._reach()).order(method, order)

    async def recall(self, call_ids: Sequence[str]) -> list[LedgerEntry]:
        """Ask for what the ledger says."""
        return await (await self._reach()).recall(call_ids)

    async def resume(self, call_id: str, offsets: Mapping[int, int], sink: CallSink) -> None:
        """Go on with a call of before a break."""
        await (await self._reach()).resume(call_id, offsets, sink)

    def write(self, call_id: str, offset: int, content: bytes) -> None:
        """Send input."""
        if (current := self._current) is not None:
            current.write(call_id, offset, content)

    def allow(self, call_id: str, channel: int, upto: int) -> None:
        """Let output come up to this offset."""
        if (current := self._current) is not None:
            current.allow(call_id, channel, upto)

    def settle(self, call_id: str) -> None:
        """The outcome is on disk."""
        if (current := self._current) is not None:
            current.settle(call_id)

    def gave_up(self, reason: str) -> None:
        """The child has ended: nobody waits for it in vain. An empty reason: it has connected."""
        for arrival in self._waiting:
            if not arrival.done():
                arrival.set_result(reason)

    @property
    def _current(self) -> Executor | None:
        session = self._roster.session(LOCAL)
        return session.executor if session is not None else None

    async def _reach(self) -> Executor:
        """Return what carries calls out here, once the node is up.

        Raises:
            InstarError: `node_away`.
        """
        if (current := self._current) is not None:
            return current
        if self.starter is None or not self.is_on:
            raise InstarError("node_away", "the hub's own machine takes no calls (setting `nodes.local`)")
        try:
            async with asyncio.timeout(LOCAL_NODE_START_S):
                # The first one may be about to end, and only take note of that now.
                reason = await self._start() and await self._start()
        except TimeoutError:
            reason = f"nothing came of it within {LOCAL_NODE_START_S:g} s"
        if reason:
            cause = f"the node of the hub's own machine did not come up: {reason}"
            raise InstarError("node_away", cause, hint="See `instar logs`; `instar node doctor` says what is wrong.")
        if (current := self._current) is None:
            raise InstarError("node_away", "the node of the hub's own machine left at once")
        return current

    async def _start(self) -> str:
        """Start the child and wait until it has connected, or ended: then return why."""
        assert self.starter is not None
        arrival: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.add(arrival)
        try:
            await self.starter()
            return await arrival
        finally:
            self._waiting.discard(arrival)

    def _entered(self, session: NodeSession) -> None:
        if session.node_id == LOCAL:
            self.gave_up("")
