"""Calls that ended here while their executor was away: it is told when it is back, so that nothing goes on unseen."""

from collections.abc import Callable

import structlog

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.hub.execution import Executor
from instar.store.seam import Store
from instar.wire.execution import CallOrder, LedgerState, Outcome
from instar.wire.limits import LINK_CREDIT_BYTES

from . import records
from .targets import Targets

_log = structlog.get_logger("instar.calls")


class Owing:
    """What is owed to which target."""

    def __init__(self, store: Store, targets: Targets, scope: TaskScope) -> None:
        self._store = store
        self._targets = targets
        self._scope = scope
        self._owed: dict[str, set[str]] = {}
        targets.on_connected(self._connected)

    async def load(self) -> None:
        """Read what an earlier process owed."""
        for target_id, call_id in await self._store.read(records.owed):
            self.add(target_id, call_id)

    def add(self, target_id: str, call_id: str) -> None:
        """Tell the target of this call's end when it is back; at once, if it is reached."""
        self._owed.setdefault(target_id, set()).add(call_id)
        if self._targets.executor(target_id) is not None:
            self._connected(target_id)

    def _connected(self, target_id: str) -> None:
        if owed := self._owed.pop(target_id, None):
            self._scope.start(f"tell {target_id}", self._tell(target_id, owed))

    async def _tell(self, target_id: str, owed: set[str]) -> None:
        executor = self._targets.executor(target_id)
        if executor is None:
            self._owed.setdefault(target_id, set()).update(owed)
            return
        if not executor.keeps_ledger:
            for call_id in owed:
                self.settled(executor, call_id)
            return
        left = sorted(owed)
        try:
            for entry in await executor.recall(left):
                if entry.state is LedgerState.RUNNING:
                    await executor.order("cancel", CallOrder(entry.call_id, reason="the hub gave the call up"))
                    await executor.resume(entry.call_id, {}, _Drain(self, executor, entry.call_id))
                else:
                    self.settled(executor, entry.call_id)
                left.remove(entry.call_id)
        except InstarError as error:
            _log.info("node not told of calls that were given up", node=target_id, calls=left, error=error.message)
            self._owed.setdefault(target_id, set()).update(left)

    def settled(self, executor: Executor, call_id: str) -> None:
        """Note that an executor knows of a call's end, and let its ledger forget it."""
        executor.settle(call_id)
        self._scope.start(f"settle {call_id}", self._store.transact(lambda tx: records.paid(tx, call_id)))

    async def sweep(self, is_gone: Callable[[str], bool]) -> int:
        """Owe nothing any more to targets that were removed; return how many there were.

        If one is let in again later, the ends that its ledger repeats are settled as strays.
        """
        gone = [target_id for target_id in self._owed if is_gone(target_id)]
        for target_id in gone:
            await self._store.transact(lambda tx, target_id=target_id: records.forgive(tx, target_id))
            self._owed.pop(target_id, None)
        return len(gone)

    async def settle_stray(self, target_id: str, call_id: str) -> None:
        """Let a target's ledger forget a call of its own that ended here, or that an older backup knows nothing of."""
        record = await self._store.read(lambda reader: records.find(reader, call_id))
        executor = self._targets.executor(target_id)
        if executor is None:
            return
        if record is None:
            executor.settle(call_id)
        elif record.is_ended and record.course.target_id == target_id:
            self.settled(executor, call_id)


class _Drain:
    """Hears the rest of a call that nobody waits for."""

    def __init__(self, owing: Owing, executor: Executor, call_id: str) -> None:
        self._owing = owing
        self._executor = executor
        self._call_id = call_id

    def started(self) -> None:
        """Nobody waits for it."""

    def output(self, channel: int, offset: int, content: bytes | memoryview) -> None:
        """Throw it away, and let more come: its process must not hang on it."""
        self._executor.allow(self._call_id, channel, offset + len(content) + LINK_CREDIT_BYTES)

    def allowed(self, upto: int) -> None:
        """Nobody writes."""

    def ended(self, outcome: Outcome) -> None:  # noqa: ARG002 - the shape of CallSink
        """Settle it."""
        self._owing.settled(self._executor, self._call_id)

    def severed(self, reason: str) -> None:  # noqa: ARG002 - the shape of CallSink
        """Try again when it is back."""
        self._owing.add(self._executor.target_id, self._call_id)
