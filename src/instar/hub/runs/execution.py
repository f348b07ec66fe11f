"""One run under way: it listens to the runtime, signals what it hears, keeps the lease, and ends in one transaction."""

import asyncio
from collections.abc import AsyncGenerator
from typing import NamedTuple

import structlog
from msgspec.structs import replace

from instar.base.clock import now
from instar.base.errors import InstarError
from instar.bus.fanout import Fanout
from instar.wire.codes import CODES
from instar.wire.limits import RUN_HEARTBEAT_S, RUN_PARTIAL_S, RUN_TEXT_MAX_CHARS
from instar.wire.runs import DeltaSignal, RunSignal, RunUpdate, TextDelta, WaitingUpdate

from .machine import Move
from .patience import patiently
from .records import LeaseLostError, RunRecord
from .transitions import INTERRUPTED, Transitions, lease_end
from .work import Runtime, Work

_log = structlog.get_logger("instar.runs")


class Failure(NamedTuple):
    """Why a run cannot go on."""

    error: str
    is_final: bool
    """Whether a further attempt cannot help."""


class Execution:
    """A run in the hands of this process, made in the task that performs it. Other tasks may only stop and look.

    Args:
        run: The run, leased.
        name: The agent's display name.
        budget_s: How long it may take.
    """

    def __init__(
        self,
        run: RunRecord,
        work: Work,
        runtime: Runtime,
        *,
        name: str,
        transitions: Transitions,
        fanout: Fanout,
        budget_s: float,
    ) -> None:
        self.run = run
        self._work = work
        self._runtime = runtime
        self._name = name
        self._transitions = transitions
        self._fanout = fanout
        self._budget_s = budget_s
        self._said: list[str] = []
        self._length = 0
        self._is_dirty = False
        self._is_ending = False
        self._cancelled_for: str | None = None
        self._task = asyncio.current_task()
        self._ended = asyncio.Event()

    async def perform(self) -> None:
        """Run to the end, whatever it is. A worker that lost the run leaves without a trace.

        Raises:
            CancelledError: The hub stops; the run has ended visibly and its item comes again.
        """
        self._signal_state()
        try:
            await self._live()
        except LeaseLostError:
            _log.warning("run lost", run=self.run.id, agent=self.run.agent_id)
        finally:
            self._signal_state()
            self._ended.set()

    async def cancel(self, reason: str) -> RunRecord:
        """Stop the run and return how it ended: it may have ended by itself meanwhile."""
        self.stop(reason)
        await self._ended.wait()
        return self.run

    def stop(self, reason: str) -> None:
        """Begin to cancel the run; one that is ending already ends as it does."""
        if self._task is not None and not self._is_ending and self._cancelled_for is None:
            self._cancelled_for = reason
            self._task.cancel()

    def snapshot(self) -> RunRecord:
        """Return the run as far as it has come, with what it has said."""
        return self.run if self.run.is_ended else replace(self.run, partial=self._text())

    async def _live(self) -> None:
        try:
            failure = await self._listen_and_keep()
        except asyncio.CancelledError:
            self._is_ending = True
            if self._cancelled_for is None:
                self.run = await self._transitions.fail(self.run, self._text(), INTERRUPTED, final=False)
                raise
            reason = self._cancelled_for
            if self._task is not None:
                self._task.uncancel()
            self.run = await patiently(lambda: self._transitions.cancel(self.run, self._text(), reason))
            return
        self._is_ending = True
        if failure is None:
            failure = await self._finish()
        if failure is not None:
            error, is_final = failure
            self.run = await patiently(lambda: self._transitions.fail(self.run, self._text(), error, final=is_final))

    async def _finish(self) -> Failure | None:
        try:
            self.run = await patiently(lambda: self._transitions.finish(self.run, self._text(), self._name))
        except InstarError as error:
            return Failure(f"{error.code}: {error.message}", is_final=True)
        return None

    async def _listen_and_keep(self) -> Failure | None:
        failure: Failure | None = None
        lost: LeaseLostError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(self._keep())
                try:
                    failure = await self._listen()
                finally:
                    keeper.cancel()
        except* LeaseLostError as errors:
            lost = LeaseLostError(str(errors))
        if lost is not None:
            raise lost
        return failure

    async def _listen(self) -> Failure | None:
        """Take what the runtime says until it is done; return how it failed, or None."""
        budget = asyncio.timeout(self._budget_s)
        try:
            async with budget:
                await self._take_all()
        except InstarError as error:
            row = CODES.get(error.code)
            return Failure(f"{error.code}: {error.message}", is_final=row is not None and not row.retryable)
        except Exception as error:  # noqa: BLE001 - a runtime is foreign code: whatever it raises ends its run alone
            if budget.expired():
                return Failure(f"timeout: the run took longer than its {self._budget_s:g} s", is_final=False)
            _log.exception("runtime failed", run=self.run.id, agent=self.run.agent_id)
            return Failure(f"internal_error: the runtime raised {type(error).__name__}", is_final=False)
        return None

    async def _take_all(self) -> None:
        updates = self._runtime.run(self._work)
        try:
            async for update in updates:
                self._take(update)
        finally:
            if isinstance(updates, AsyncGenerator):
                await updates.aclose()

    def _take(self, update: RunUpdate) -> None:
        self._move(Move.WAIT if isinstance(update, WaitingUpdate) else Move.SPEAK)
        if not isinstance(update, TextDelta) or not update.text:
            return
        offset = self._length
        self._length += len(update.text)
        if self._length > RUN_TEXT_MAX_CHARS:
            self._length = offset
            raise InstarError("too_large", f"the answer is longer than {RUN_TEXT_MAX_CHARS} characters")
        self._said.append(update.text)
        self._is_dirty = True
        run = self.run
        signal = DeltaSignal(run.id, run.agent_id, run.message_id, run.room, offset, update.text)
        self._fanout.signal(run.room, signal)

    def _move(self, move: Move) -> None:
        before = self.run.state
        self.run = self.run.after(move)
        if self.run.state is not before:
            self._is_dirty = True
            self._signal_state()

    async def _keep(self) -> None:
        """Store what was said so far, and renew the lease, until cancelled."""
        silent_s = 0.0
        while True:
            await asyncio.sleep(RUN_PARTIAL_S)
            silent_s += RUN_PARTIAL_S
            if not self._is_dirty and silent_s < RUN_HEARTBEAT_S:
                continue
            self._is_dirty, silent_s = False, 0.0
            self.run = replace(self.run, partial=self._text(), lease_until=lease_end(now()))
            try:
                await patiently(lambda: self._transitions.save(self.run))
            except InstarError as error:
                # The end of the run is written or refused by itself; a lost partial text is no reason to end it.
                _log.error("partial text not stored", run=self.run.id, error=error.message)

    def _text(self) -> str:
        """What was said so far; folded, so that a long answer is joined once."""
        if len(self._said) > 1:
            self._said = ["".join(self._said)]
        return self._said[0] if self._said else ""

    def _signal_state(self) -> None:
        run = self.run
        self._fanout.signal(run.room, RunSignal(run.id, run.agent_id, run.room, run.state))
