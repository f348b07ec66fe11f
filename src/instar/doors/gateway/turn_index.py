"""Which turn a run is to the dialect: its id there is the id of the message that woke the agent."""

from collections import OrderedDict
from dataclasses import dataclass

from instar.wire.events import message_event_id
from instar.wire.gateway.session_keys import session_key_of
from instar.wire.runs import Run

TURNS_MAX = 4_096
"""Turns, and messages that may become one, that are remembered; the oldest are forgotten."""


@dataclass(slots=True)
class Turn:
    """A run as the dialect's clients follow it."""

    id: str
    """What the dialect calls it: `runId`."""
    session: str
    """The session key; empty for a room that the dialect has no name for."""
    agent_id: str
    seq: int = 0
    """Number of its latest `agent` event."""
    chat_seq: int = 0
    """Number of its latest `chat` event."""
    text: str = ""
    """What the agent has said so far, as far as it was heard from the start."""
    shown: str = ""
    """How much of it the latest delta told."""
    shown_at: float = 0.0
    has_spoken: bool = False
    """Whether its message came."""


class TurnIndex:
    """Remembers what the events of one generation said, as one event tells only half of a turn."""

    __slots__ = ("_causes", "_turns")

    def __init__(self) -> None:
        self._causes: OrderedDict[str, str] = OrderedDict()
        self._turns: OrderedDict[str, Turn] = OrderedDict()

    def said(self, message_id: str) -> None:
        """Note a message: it may wake an agent."""
        self._causes[message_event_id(message_id)] = message_id
        if len(self._causes) > TURNS_MAX:
            self._causes.popitem(last=False)

    def begin(self, run: Run) -> Turn:
        """Return the turn that a run is, from its start on; telling of its start again changes nothing."""
        if (known := self._turns.get(run.id)) is not None:
            return known
        session = session_key_of(run.room, run.agent_id)
        turn = Turn(self._causes.get(run.cause, run.id), str(session) if session else "", run.agent_id)
        self._turns[run.id] = turn
        if len(self._turns) > TURNS_MAX:
            self._turns.popitem(last=False)
        return turn

    def find(self, run_id: str) -> Turn | None:
        """Return the turn of a run that was seen beginning."""
        return self._turns.get(run_id)

    def end(self, run: Run) -> Turn:
        """Return the turn of a run that ended, and forget it."""
        return self._turns.pop(run.id, None) or self._ended(run)

    def _ended(self, run: Run) -> Turn:
        turn = self.begin(run)
        del self._turns[run.id]
        return turn

    def cause_of(self, event_id: str) -> str:
        """Return the message whose event this is; empty when it is not remembered."""
        return self._causes.get(event_id, "")
