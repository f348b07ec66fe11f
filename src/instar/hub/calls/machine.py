"""The one machine of calls (law 5) as a table. Time, store and executors are elsewhere."""

import enum
from collections.abc import Mapping

from instar.wire.calls import CallState
from instar.wire.execution import Ended


class Move(enum.StrEnum):
    """What may happen to a call."""

    ASK = "ask"
    """The rules leave it to a person."""
    DISPATCH = "dispatch"
    """Allowed, and on disk that its executor is about to be told. It happens to a call once."""
    STREAM = "stream"
    """It runs: its executor said so, or output came."""
    FINISH = "finish"
    """It ran to its end."""
    FAIL = "fail"
    """It never ran, or a limit stopped it."""
    CANCEL = "cancel"
    """Somebody with the right to it stopped it."""
    EXPIRE = "expire"
    """Its time was over."""
    LOSE = "lose"
    """It was dispatched, and nobody can say how it ended."""


MOVES: Mapping[tuple[CallState, Move], CallState] = {
    (CallState.ADMITTED, Move.ASK): CallState.AWAITING_APPROVAL,
    (CallState.ADMITTED, Move.DISPATCH): CallState.DISPATCHED,
    (CallState.ADMITTED, Move.FAIL): CallState.FAILED,
    (CallState.ADMITTED, Move.CANCEL): CallState.CANCELLED,
    (CallState.ADMITTED, Move.EXPIRE): CallState.EXPIRED,
    (CallState.AWAITING_APPROVAL, Move.DISPATCH): CallState.DISPATCHED,
    (CallState.AWAITING_APPROVAL, Move.FAIL): CallState.FAILED,
    (CallState.AWAITING_APPROVAL, Move.CANCEL): CallState.CANCELLED,
    (CallState.AWAITING_APPROVAL, Move.EXPIRE): CallState.EXPIRED,
    (CallState.DISPATCHED, Move.STREAM): CallState.STREAMING,
    (CallState.DISPATCHED, Move.FINISH): CallState.DONE,
    (CallState.DISPATCHED, Move.FAIL): CallState.FAILED,
    (CallState.DISPATCHED, Move.CANCEL): CallState.CANCELLED,
    (CallState.DISPATCHED, Move.EXPIRE): CallState.EXPIRED,
    (CallState.DISPATCHED, Move.LOSE): CallState.LOST,
    (CallState.STREAMING, Move.STREAM): CallState.STREAMING,
    (CallState.STREAMING, Move.FINISH): CallState.DONE,
    (CallState.STREAMING, Move.FAIL): CallState.FAILED,
    (CallState.STREAMING, Move.CANCEL): CallState.CANCELLED,
    (CallState.STREAMING, Move.EXPIRE): CallState.EXPIRED,
    (CallState.STREAMING, Move.LOSE): CallState.LOST,
}
"""(state, move) → state. What is not here is illegal; an ended call moves no more."""

ENDED = frozenset({CallState.DONE, CallState.FAILED, CallState.CANCELLED, CallState.EXPIRED, CallState.LOST})
UNSENT = frozenset({CallState.ADMITTED, CallState.AWAITING_APPROVAL})
"""Nothing of it can have run yet."""

MOVE_OF: Mapping[Ended, Move] = {
    Ended.DONE: Move.FINISH,
    Ended.FAILED: Move.FAIL,
    Ended.CANCELLED: Move.CANCEL,
    Ended.EXPIRED: Move.EXPIRE,
    Ended.LOST: Move.LOSE,
}
"""How a call ended where it ran → the move that it makes here."""


class IllegalMoveError(RuntimeError):
    """A call was asked for a move that its state does not have: a fault of the hub."""

    def __init__(self, state: CallState, move: Move) -> None:
        super().__init__(f"a call that is {state} cannot {move}")
        self.state = state
        self.move = move


def moved(state: CallState, move: Move) -> CallState:
    """Return the state after `move`.

    Raises:
        IllegalMoveError: The table has no such move.
    """
    try:
        return MOVES[state, move]
    except KeyError:
        raise IllegalMoveError(state, move) from None
