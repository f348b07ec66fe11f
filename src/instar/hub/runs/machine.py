"""The one run machine (law 6) as a table. Time, store and runtime are elsewhere."""

import enum
from collections.abc import Mapping

from instar.wire.runs import RunState


class Move(enum.StrEnum):
    """What may happen to a run."""

    LEASE = "lease"
    """A worker took it, with a new fencing token."""
    SPEAK = "speak"
    """Its runtime said something."""
    WAIT = "wait"
    """It waits for an approval, an input or a call."""
    FINISH = "finish"
    """Its answer is complete."""
    FAIL = "fail"
    """It cannot go on: its runtime failed, its budget is spent, or its process died."""
    CANCEL = "cancel"
    """Somebody with the right to it stopped it."""


MOVES: Mapping[tuple[RunState, Move], RunState] = {
    (RunState.ADMITTED, Move.LEASE): RunState.LEASED,
    (RunState.ADMITTED, Move.FAIL): RunState.FAILED,
    (RunState.ADMITTED, Move.CANCEL): RunState.CANCELLED,
    (RunState.LEASED, Move.SPEAK): RunState.STREAMING,
    (RunState.LEASED, Move.WAIT): RunState.WAITING,
    (RunState.LEASED, Move.FINISH): RunState.DONE,
    (RunState.LEASED, Move.FAIL): RunState.FAILED,
    (RunState.LEASED, Move.CANCEL): RunState.CANCELLED,
    (RunState.STREAMING, Move.SPEAK): RunState.STREAMING,
    (RunState.STREAMING, Move.WAIT): RunState.WAITING,
    (RunState.STREAMING, Move.FINISH): RunState.DONE,
    (RunState.STREAMING, Move.FAIL): RunState.FAILED,
    (RunState.STREAMING, Move.CANCEL): RunState.CANCELLED,
    (RunState.WAITING, Move.SPEAK): RunState.STREAMING,
    (RunState.WAITING, Move.WAIT): RunState.WAITING,
    (RunState.WAITING, Move.FINISH): RunState.DONE,
    (RunState.WAITING, Move.FAIL): RunState.FAILED,
    (RunState.WAITING, Move.CANCEL): RunState.CANCELLED,
}
"""(state, move) → state. What is not here is illegal; an ended run moves no more."""

ENDED = frozenset({RunState.DONE, RunState.FAILED, RunState.CANCELLED})


class IllegalMoveError(RuntimeError):
    """A run was asked for a move that its state does not have: a fault of the hub, or a race that it has lost."""

    def __init__(self, state: RunState, move: Move) -> None:
        super().__init__(f"a run that is {state} cannot {move}")
        self.state = state
        self.move = move


def moved(state: RunState, move: Move) -> RunState:
    """Return the state after `move`.

    Raises:
        IllegalMoveError: The table has no such move.
    """
    try:
        return MOVES[state, move]
    except KeyError:
        raise IllegalMoveError(state, move) from None
