"""The table of moves, and that every call ends once whatever happens to it in whatever order."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.hub.calls.live import Wish
from instar.hub.calls.machine import ENDED, MOVES, UNSENT, IllegalMoveError, Move, moved
from instar.wire.approvals import Action, ApprovalState
from instar.wire.calls import CallState, IfAway
from instar.wire.execution import Ended
from tests.hub.calls.conftest import Bench, ScriptedGate
from tests.hub.calls.executors import ScriptedExecutor


def test_an_ended_call_moves_no_more() -> None:
    for state in ENDED:
        for move in Move:
            with pytest.raises(IllegalMoveError):
                moved(state, move)


def test_every_state_is_reached_and_left_to_an_end() -> None:
    assert set(MOVES.values()) | {CallState.ADMITTED} == set(CallState)
    for state in set(CallState) - ENDED:
        ends = {after for (before, _), after in MOVES.items() if before is state and after in ENDED}
        assert {CallState.FAILED, CallState.CANCELLED, CallState.EXPIRED} <= ends


def test_what_was_never_sent_is_never_lost_and_never_done() -> None:
    for state in UNSENT:
        assert (state, Move.LOSE) not in MOVES
        assert (state, Move.FINISH) not in MOVES


def test_nothing_is_dispatched_twice() -> None:
    assert {before for before, move in MOVES if move is Move.DISPATCH} == UNSENT


class _Storm:
    """Random events around some calls."""

    def __init__(self, bench: Bench, box: ScriptedExecutor, gate: ScriptedGate, seed: int) -> None:
        self.bench = bench
        self.box = box
        self.gate = gate
        self.random = random.Random(seed)
        self.calls: list[str] = []

    async def ask(self) -> None:
        self.gate.action = self.random.choice([Action.ALLOW, Action.ASK, Action.ASK, Action.DENY])
        if_away = self.random.choice([IfAway.FAIL, IfAway.QUEUE])
        call = await self.bench.ask(target="box", if_away=if_away)
        self.calls.append(call.id)

    async def turn(self) -> None:
        for _ in range(self.random.randrange(6)):
            await self.bench.pause()

    async def cut(self) -> None:
        self.bench.target.leave("box")
        self.box.sever()

    async def mend(self) -> None:
        self.box.is_reached = True
        self.bench.target.come("box")

    async def break_start(self) -> None:
        self.box.heard_before_fault = self.random.random() < 0.5
        self.box.faults["start"] = InstarError("node_away", "the link broke")

    async def restart(self) -> None:
        await self.bench.restart()

    async def cancel(self) -> None:
        if self.calls and (live := self.bench.calls.handlers.live(self.random.choice(self.calls))) is not None:
            live.stop(Wish(Move.CANCEL, "cancelled", "enough"))

    async def expire(self) -> None:
        if self.calls and (live := self.bench.calls.handlers.live(self.random.choice(self.calls))) is not None:
            live.stop(Wish(Move.EXPIRE, "timeout", "too long"))

    async def decide(self) -> None:
        waiting = [each for each in self.gate.approvals.values() if each.state is ApprovalState.PENDING]
        if waiting:
            states = [ApprovalState.APPROVED] * 3 + [ApprovalState.DENIED, ApprovalState.EXPIRED]
            self.gate.decide(self.random.choice(waiting).call_id, self.random.choice(states))

    async def end_there(self) -> None:
        running = [call_id for call_id, outcome in self.box.ledger.items() if outcome is None]
        if running:
            self.box.end(self.random.choice(running), self.random.choice([Ended.DONE, Ended.FAILED, Ended.EXPIRED]))

    async def write(self) -> None:
        if self.box.sinks:
            call_id = self.random.choice(sorted(self.box.sinks))
            self.box.sinks[call_id].output(1, 0, b"x" * self.random.randrange(1, 50))

    async def blow(self, steps: int) -> None:
        acts: list[Callable[[], Any]] = [
            self.ask, self.turn, self.turn, self.cut, self.mend, self.mend, self.restart, self.cancel, self.expire,
            self.decide, self.decide, self.end_there, self.write, self.break_start,
        ]  # fmt: skip
        for _ in range(steps):
            await self.random.choice(acts)()
        self.gate.action = Action.ALLOW
        await self.settle()

    async def settle(self) -> None:
        """Let everything come to its end: the machine is back, its calls end, nobody approves any more."""
        self.box.faults.clear()
        for _ in range(200):
            await self.mend()
            for call_id, outcome in list(self.box.ledger.items()):
                if outcome is None:
                    self.box.end(call_id)
            for each in list(self.gate.approvals.values()):
                if each.state is ApprovalState.PENDING:
                    self.gate.decide(each.call_id, ApprovalState.DENIED)
            if not self.bench.calls.live_count():
                return
            await self.bench.pause()
        raise AssertionError("a call has no end")


@pytest.mark.parametrize("seed", range(25))
async def test_whatever_happens_each_call_ends_once_and_runs_at_most_once(
    bench: Bench, box: ScriptedExecutor, gate: ScriptedGate, seed: int
) -> None:
    storm = _Storm(bench, box, gate, seed)
    await storm.blow(60)
    ends: dict[str, list[str]] = {}
    sent: dict[str, int] = {}
    for event in bench.engine.events:
        if event.type == "call.ended":
            ends.setdefault(str(bench.payload(event)["id"]), []).append(str(bench.payload(event)["state"]))
        elif event.type == "call.dispatched":
            call_id = str(bench.payload(event)["id"])
            sent[call_id] = sent.get(call_id, 0) + 1
    assert set(ends) == set(storm.calls)
    for call_id in storm.calls:
        assert len(ends[call_id]) == 1
        assert (await bench.get(call_id)).state == ends[call_id][0]
    assert set(sent.values()) <= {1}
    assert set(box.starts.values()) <= {1}
    refused = {each.call_id for each in gate.approvals.values() if each.state is not ApprovalState.APPROVED}
    assert not refused & set(box.starts)
    assert set(box.starts) <= set(sent)
