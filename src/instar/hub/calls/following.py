"""A call from the moment it was dispatched to its end, across broken links and restarts of the hub."""

from collections.abc import Callable
from functools import partial

from instar.base.clock import MICROS_PER_S
from instar.base.errors import InstarError
from instar.hub.execution import Executor
from instar.wire.calls import CallError
from instar.wire.execution import CallOrder, Channel, Ended, LedgerEntry, LedgerState, Outcome, Preparation, Start
from instar.wire.limits import CALL_KILL_GRACE_S, CALL_OBEY_S, CALL_QUEUE_S, CALL_RECALL_S

from .live import AWAY, Ending, Live, Sink, call_error, wished
from .machine import MOVE_OF, Move
from .stage import Stage

_CODES = {
    Ended.FAILED: "internal_error",
    Ended.CANCELLED: "cancelled",
    Ended.EXPIRED: "timeout",
    Ended.LOST: "node_away",
}


class Following:
    """Follows what runs."""

    def __init__(self, stage: Stage, stream: Callable[[Live], None]) -> None:
        self._stage = stage
        self._stream = stream

    async def follow(self, live: Live) -> Ending:
        """Wait for a dispatched call's end and return it; the executor is told of what is wished meanwhile."""
        is_told = False
        while True:
            live.news.clear()
            if live.outcome is not None:
                return _ending_of(live, live.outcome)
            if live.severed:
                ending = await self._reunite(live)
                if ending is not None:
                    return ending
                is_told = False
                continue
            if live.wish is not None and not is_told:
                is_told = True
                await self._tell(live)
                continue
            if live.wish is not None and live.has_given_up:
                return _unconfirmed(live, "its executor did not say that it obeyed")
            await live.news.wait()

    async def _tell(self, live: Live) -> None:
        """Tell the executor to end the call; it has some time to obey."""
        executor, wish = live.executor, live.wish
        if executor is None or wish is None:
            return
        live.timers.at(CALL_KILL_GRACE_S + CALL_OBEY_S, live.give_up)
        try:
            await executor.order("cancel", CallOrder(live.id, reason=wish.message))
        except InstarError as error:
            if error.code in AWAY:
                live.severed = live.severed or error.message
            live.news.set()

    async def _reunite(self, live: Live) -> Ending | None:
        """Find out what became of a call whose executor was lost; None: it goes on.

        One that does not outlast its node's absence ends at once, unless it was the hub that was away.
        """
        request = live.record.request
        if live.wish is not None:
            return _unconfirmed(live, "its node is away, and is told when it is back")
        if not request.is_queued and not live.is_recovered:
            return _lost(live)
        live.executor = None
        live.input.disconnect()
        patience_s = CALL_QUEUE_S if request.is_queued else CALL_RECALL_S
        live.has_given_up = False
        patience = live.timers.at(patience_s, live.give_up)
        live.seen = -1
        target_id = live.record.course.target_id
        self._stage.targets.await_return(target_id, live.news.set)
        try:
            return await self._recall(live, target_id)
        finally:
            patience.cancel()
            self._stage.targets.forget(target_id, live.news.set)

    async def _recall(self, live: Live, target_id: str) -> Ending | None:
        targets, name = self._stage.targets, live.record.course.target_name
        while True:
            live.news.clear()
            if live.wish is not None:
                return _unconfirmed(live, "its node is away, and is told when it is back")
            executor, returns = targets.executor(target_id), targets.returns(target_id)
            if executor is not None and returns > live.seen:
                live.seen = returns
                if not executor.keeps_ledger:
                    return _lost(live)
                try:
                    entry = (await executor.recall([live.id]))[0]
                    return await self._take_up(live, executor, entry)
                except InstarError as error:
                    if error.code not in AWAY:
                        return _lost(live)
                    live.severed = error.message
                    continue
            if live.has_given_up:
                return _lost(live)
            live.become(live.record, f"waits for {name} to come back")
            await live.news.wait()

    def _left_s(self, live: Live, entry: LedgerEntry) -> float:
        """Return how much of its time a call still has: all of it when nothing of it ran."""
        if entry.state is LedgerState.UNKNOWN:
            return live.record.request.timeout_s
        return (live.record.course.deadline_at - self._stage.clock()) / MICROS_PER_S

    async def _take_up(self, live: Live, executor: Executor, entry: LedgerEntry) -> Ending | None:
        """Go on as the executor's ledger says.

        Raises:
            InstarError: `node_away` or `timeout`: it broke again; what the executor refuses.
        """
        live.executor, live.severed = executor, ""
        live.sink = Sink(live, partial(self._stream, live))
        live.began_anew()
        live.become(live.record)
        live.expect_end(self._left_s(live, entry))
        if entry.state is not LedgerState.UNKNOWN:
            if entry.outcome is None or _lacks_output(live, entry.outcome):
                received = entry.produced.get(str(int(Channel.STDIN)), 0)
                offsets = {**live.output.offsets(), int(Channel.STDIN): received}
                await executor.resume(live.id, offsets, live.sink)
                await live.input.connect(executor, received)
                live.let_input()
            else:
                live.outcome = entry.outcome
            return None
        if not live.record.request.is_queued:
            error = call_error("node_away", f"{live.record.course.target_name} went away before it began: nothing ran")
            return Ending(Move.FAIL, error)
        try:
            await executor.start(live.start or _start_of(live), live.sink)
            await live.input.connect(executor)
            live.let_input()
        except InstarError as error:
            if error.code in AWAY:
                raise
            return Ending(Move.FAIL, CallError(error.code, error.message, error.hint))
        return None


def _start_of(live: Live) -> Start:
    """Return what an earlier process of the hub told the executor, made of what is stored."""
    record, prepared = live.record, live.record.prepared
    if prepared is None:
        raise InstarError("plan_changed", "what would run is no longer known")
    request, plan = record.request, prepared.plan
    preparation = Preparation(
        record.id, request.tool, request.args, request.cwd, plan.env, sorted(plan.env), request.terminal,
        request.has_input, request.timeout_s, plan.sandbox, request.is_background,
        plan.read_rules,
    )  # fmt: skip
    return Start(preparation, prepared.digest, request.timeout_s)


def _lacks_output(live: Live, outcome: Outcome) -> bool:
    have = live.output.offsets()
    return any(have.get(end.channel, 0) < end.size_bytes - end.dropped_bytes for end in outcome.streams)


def _ending_of(live: Live, outcome: Outcome) -> Ending:
    if outcome.ended is Ended.DONE:
        return Ending(Move.FINISH, None, outcome)
    wish, move = live.wish, MOVE_OF[outcome.ended]
    if wish is not None and (outcome.ended is Ended.CANCELLED or move is wish.move):
        # It was cancelled as it was told; why it was to end, the hub knows.
        return Ending(wish.move, call_error(wish.code, wish.message, _hint(wish.code)), outcome)
    code = outcome.code or _CODES[outcome.ended]
    message = outcome.message or f"it {outcome.ended}"
    return Ending(move, call_error(code, message, outcome.hint or _hint(code)), outcome)


def _hint(code: str) -> str:
    return "Give it longer: `timeout_s`, or `instar exec --timeout`." if code == "timeout" else ""


def _unconfirmed(live: Live, note: str) -> Ending:
    if live.wish is None:
        return _lost(live)
    return wished(live.wish, is_owed=True, note=note)


def _lost(live: Live) -> Ending:
    name = live.record.course.target_name
    error = call_error("node_away", f"{name} went away ({live.severed or 'it did not come back'}); it may have run")
    return Ending(Move.LOSE, error, None, is_owed=True)
