"""The one execution gate (law 5): every call has a task, which brings it from its row to its one end."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec
import structlog
from msgspec.structs import replace

from instar.base.backoff import full_jitter
from instar.base.errors import InstarError
from instar.store.seam import Transaction
from instar.wire.calls import Call, CallError, CallState
from instar.wire.execution import Channel, Outcome
from instar.wire.limits import CALL_RECALL_S, WRITER_RETRY_S

from . import records
from .following import Following
from .jobs import visible
from .live import Ending, Live, OverError, call_error
from .machine import MOVES, UNSENT, Move
from .outputs import Tail
from .owing import Owing
from .preparing import Preparing
from .records import CallRecord
from .stage import Stage

_RETRY_MAX_S = 10.0
_log = structlog.get_logger("instar.calls")


class Dispatch:
    """Runs the task of each call.

    Args:
        stage: The shared parts.
        owing: Takes the calls whose end their executors do not know.
    """

    def __init__(self, stage: Stage, owing: Owing) -> None:
        self._stage = stage
        self._owing = owing
        self._preparing = Preparing(stage, _stream)
        self._following = Following(stage, _stream)

    def take_up(self, live: Live) -> None:
        """Go on with a call of an earlier process; one that it dispatched is asked about, not started anew."""
        live.is_recovered = live.state not in UNSENT
        if live.is_recovered:
            live.severed = "the hub was restarted"
            # As far as anybody knows it runs still: it counts among what its target takes at once until it has ended.
            live.turn = live.record.course.target_id
            self._stage.turns.resume(live.turn)
            live.input.forget()
        else:
            live.wait_early(CALL_RECALL_S)
        self.begin(live)

    def begin(self, live: Live) -> None:
        """Start the task of a call."""
        live.task = self._stage.scope.start(f"call {live.id}", self._run(live))

    async def _run(self, live: Live) -> None:
        try:
            ending = await self._course(live)
        finally:
            if live.turn:
                self._stage.turns.give(live.turn)
                live.turn = ""
        await self._end(live, ending)

    async def _course(self, live: Live) -> Ending:
        try:
            if live.is_recovered:
                await live.output.recover()
            else:
                await self._preparing.send(live)
            return await self._following.follow(live)
        except OverError as over:
            return over.ending
        except InstarError as error:
            return Ending(Move.FAIL, call_error(error.code, error.message, error.hint))
        except Exception as error:  # noqa: BLE001 - a fault of the hub is the end of this call alone, and is logged
            _log.exception("call failed", call=live.id)
            fault = CallError("internal_error", f"the hub could not carry it out: {type(error).__name__}")
            is_sent = live.state not in UNSENT
            return Ending(Move.LOSE if is_sent else Move.FAIL, fault, live.outcome, is_owed=is_sent)

    async def _end(self, live: Live, ending: Ending) -> None:
        """Write down the end, then say it: to the executor, to who waits and watches, to whoever could approve it."""
        was_waiting = live.state is CallState.AWAITING_APPROVAL
        record = await self._ended(live, ending)
        is_new = await self._persist(lambda tx: records.end(tx, record, is_owed=ending.is_owed))
        live.become(record)
        live.end(await self._final(live))
        self._stage.close(live)
        if ending.outcome is not None and live.executor is not None:
            live.executor.settle(live.id)
        if ending.is_owed:
            self._owing.add(record.course.target_id, live.id)
        if was_waiting:
            with suppress(InstarError):
                await self._stage.gate.cancel(live.id, f"the call {record.state}")
        if is_new:
            for observe in self._stage.observers:
                observe(record)

    async def _ended(self, live: Live, ending: Ending) -> CallRecord:
        """Return the call at its end, its output on disk."""
        outcome = ending.outcome
        move = ending.move if (live.state, ending.move) in MOVES else Move.FAIL
        streams = await live.output.finish(outcome.streams if outcome else [])
        record = live.record
        has_run = record.course.has_run or _has_run(outcome)
        record = record.after(
            move, error=ending.error, streams=streams, has_run=has_run,
            exit_status=outcome.exit_status if outcome else None, signal=outcome.signal if outcome else "",
        )  # fmt: skip
        result = b""
        if outcome and outcome.result is not None:
            result = msgspec.json.encode(await visible(self._stage, record, outcome.result))
        return replace(record, result=result, ended_at=self._stage.clock())

    async def _final(self, live: Live) -> Call:
        """Return the call as it is shown at its end; a disk that cannot be read takes only its output from it."""
        call = live.record.view()
        try:
            return await with_tails(call, lambda channel: live.output.stream(channel).tail())
        except InstarError as error:
            _log.warning("output of a call that ended cannot be read", call=live.id, error=error.message)
            return call

    async def _persist(self, work: Callable[[Transaction], Awaitable[bool]]) -> bool:
        """Write, and again until the disk takes it: nothing that ran may go without its end."""
        delays = full_jitter(WRITER_RETRY_S, _RETRY_MAX_S)
        while True:
            try:
                return await asyncio.shield(self._stage.store.transact(work))
            except InstarError as error:
                _log.warning("end of a call not written yet", error=error.message)
                await asyncio.sleep(next(delays))


def _stream(live: Live) -> None:
    """Note that a call runs; not on disk, where it is dispatched."""
    if live.record.state is CallState.DISPATCHED:
        live.become(live.record.after(Move.STREAM, has_run=True))


def _has_run(outcome: Outcome | None) -> bool:
    if outcome is None:
        return False
    return outcome.exit_status is not None or bool(outcome.signal) or outcome.result is not None


async def with_tails(call: Call, tail: Callable[[int], Awaitable[Tail]]) -> Call:
    """Return an ended call with the end of what it wrote, as far as `tail` has it."""
    if not call.streams:
        return call
    stdout, stderr = await tail(Channel.STDOUT), await tail(Channel.STDERR)
    is_cut = stdout.is_cut or stderr.is_cut or any(stream.dropped_bytes for stream in call.streams)
    return replace(call, stdout=stdout.text, stderr=stderr.text, is_truncated=is_cut)
