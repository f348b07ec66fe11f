import itertools

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from instar.hub.runs.machine import ENDED, MOVES, IllegalMoveError, Move, moved
from instar.wire.runs import RunState


@pytest.mark.parametrize(("state", "move"), list(itertools.product(RunState, Move)))
def test_each_pair_moves_or_raises_the_one_error(state, move):
    if (state, move) in MOVES:
        assert moved(state, move) is MOVES[state, move]
        return
    with pytest.raises(IllegalMoveError) as refused:
        moved(state, move)
    assert (refused.value.state, refused.value.move) == (state, move)
    assert str(move) in str(refused.value)


def test_every_open_run_can_end_badly_and_no_ended_run_moves():
    for state in RunState:
        moves = {move for known, move in MOVES if known is state}
        assert moves == set() if state in ENDED else {Move.FAIL, Move.CANCEL} <= moves


def test_no_run_answers_without_a_lease():
    assert MOVES.get((RunState.ADMITTED, Move.FINISH)) is None
    assert MOVES.get((RunState.ADMITTED, Move.SPEAK)) is None


class Life(RuleBasedStateMachine):
    """Random lives: illegal moves leave the run where it is, and the end is the end."""

    @initialize()
    def admitted(self):
        self.state = RunState.ADMITTED
        self.trace = [self.state]

    @rule(move=st.sampled_from(Move))
    def try_to(self, move):
        before = self.state
        try:
            self.state = moved(self.state, move)
        except IllegalMoveError:
            assert self.state is before
            return
        assert before not in ENDED
        self.trace.append(self.state)

    @invariant()
    def a_lease_comes_before_any_word(self):
        spoke = {RunState.STREAMING, RunState.WAITING, RunState.DONE}
        if spoke & set(self.trace):
            assert self.trace[1] is RunState.LEASED

    @invariant()
    def it_ends_once(self):
        assert sum(state in ENDED for state in self.trace) <= 1


TestLife = Life.TestCase
