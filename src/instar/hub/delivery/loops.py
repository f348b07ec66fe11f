"""Loops of agents answering each other, without IO: chains of causes, rates of answers, and the cool-down of a room."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from instar.base.buckets import Buckets
from instar.wire.events import RoomKey
from instar.wire.limits import LOOP_CAUSE_WINDOW_S, LOOP_MEMORY_MESSAGES

from .policy import DeliveryPolicy


class Utterance(NamedTuple):
    """A message as the guard remembers it."""

    seq: int
    event_id: str
    sender: str
    """FQID."""
    hops: int
    at_s: float
    is_persons: bool = False

    @property
    def agent(self) -> str:
        """The agent that said it; empty for a person: answering people is no exchange between two agents."""
        return "" if self.is_persons else self.sender


class Verdict(NamedTuple):
    """May it be said? `retry_after_s` above 0 refuses; `stop` names why a loop is stopped now, once per stop."""

    retry_after_s: float = 0.0
    stop: str = ""


@dataclass(slots=True)
class _Talk:
    """What is remembered of one room."""

    recent: deque[Utterance] = field(default_factory=lambda: deque[Utterance](maxlen=LOOP_MEMORY_MESSAGES))
    cool_until_s: float = 0.0


class Loops:
    """Remembers the latest messages of each room and judges caused ones.

    Args:
        policy: The limits.
        clock: Monotonic seconds.
    """

    def __init__(self, policy: DeliveryPolicy, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._talks: dict[RoomKey, _Talk] = {}
        self._pairs = Buckets(0, 0, clock)
        self._rooms = Buckets(0, 0, clock)
        self.obey(policy)

    def obey(self, policy: DeliveryPolicy) -> None:
        """Judge by these limits from now on."""
        self._policy = policy
        self._pairs.limit(policy.pair_per_min / 60, policy.pair_per_min)
        self._rooms.limit(policy.room_per_min / 60, policy.room_per_min)

    def heard(self, room: RoomKey, seq: int, event_id: str, sender: str, hops: int) -> None:
        """Take note of an agent's message."""
        self._remember(room, Utterance(seq, event_id, sender, hops, self._clock()))

    def _remember(self, room: RoomKey, utterance: Utterance) -> None:
        talk = self._talks.get(room)
        if talk is None:
            talk = self._talks[room] = _Talk()
        talk.recent.append(utterance)

    def heard_person(self, room: RoomKey, seq: int, event_id: str, sender: str) -> None:
        """Take note of a person's message: it ends the room's cool-down and every chain in it."""
        self._talks.pop(room, None)
        self._remember(room, Utterance(seq, event_id, sender, 0, self._clock(), is_persons=True))

    def forget(self, room: RoomKey) -> None:
        """Forget a room that is no more."""
        self._talks.pop(room, None)

    def named(self, room: RoomKey, event_id: str) -> Utterance | None:
        """Return a remembered message by the id of its event."""
        talk = self._talks.get(room)
        return next((each for each in talk.recent if each.event_id == event_id), None) if talk else None

    def inherited(self, room: RoomKey, sender: str, acknowledged_seq: int, leased_seq: int) -> Utterance | None:
        """Return the latest message of another sender in the room that was delivered to `sender`, not too long ago.

        Delivered is what its attachment acknowledged (all up to `acknowledged_seq`) and what it leased last; what was
        merely sent to it is not.
        """
        talk = self._talks.get(room)
        if talk is None:
            return None
        oldest_s = self._clock() - LOOP_CAUSE_WINDOW_S
        for each in reversed(talk.recent):
            if each.at_s < oldest_s:
                return None
            if each.sender != sender and (each.seq <= acknowledged_seq or each.seq == leased_seq):
                return each
        return None

    def judge(self, room: RoomKey, sender: str, hops: int, cause_sender: str) -> Verdict:
        """Judge a caused message of an agent; `cause_sender` is the agent that it answers, empty for a person."""
        talk = self._talks.setdefault(room, _Talk())
        at_s = self._clock()
        if talk.cool_until_s > at_s:
            return Verdict(talk.cool_until_s - at_s)
        stop = self._reason(room, sender, hops, cause_sender)
        if not stop:
            return Verdict()
        talk.cool_until_s = at_s + self._policy.cool_down_s
        return Verdict(max(self._policy.cool_down_s, 0.001), stop)

    def _reason(self, room: RoomKey, sender: str, hops: int, cause_sender: str) -> str:
        if hops > self._policy.max_hops:
            return f"a chain of {self._policy.max_hops} answers"
        if cause_sender and self._pairs.take((room, frozenset({sender, cause_sender}))):
            return f"more than {self._policy.pair_per_min} answers a minute between two agents"
        if self._rooms.take(room):
            return f"more than {self._policy.room_per_min} answers of agents a minute"
        return ""

    def participants(self, room: RoomKey, sender: str) -> list[str]:
        """Return the agents that spoke in the room lately, `sender` included."""
        talk = self._talks.get(room)
        oldest_s = self._clock() - LOOP_CAUSE_WINDOW_S
        lately = [each.sender for each in talk.recent if each.hops and each.at_s >= oldest_s] if talk else []
        return sorted({sender, *lately})
