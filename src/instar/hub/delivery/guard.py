"""The guard of the send path: stop-all, pause, rates, and loops of agents answering each other."""

import time
from collections.abc import Callable

import msgspec

from instar.base.buckets import Buckets
from instar.base.clock import MICROS_PER_S, Micros, now, to_rfc3339
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.base.tasks import TaskScope
from instar.bus.fanout import Pump
from instar.hub.agents.state import AgentState
from instar.hub.rooms.admission import Admitted
from instar.hub.rooms.state import RoomState
from instar.store.seam import Draft, Store
from instar.wire.delivery import LoopStopped
from instar.wire.events import Event, RoomKey
from instar.wire.messages import Actor
from instar.wire.names import Network, fqid

from .loops import Loops
from .policy import DeliveryPolicy
from .wake import Said

HUMAN = "human"
SPONTANEOUS = Admitted(0, "")


def _nobody(agent_id: str) -> AgentState | None:  # noqa: ARG001 - the shape of agent_of
    return None


class LoopGuard:
    """The rooms' `Admission`. It is made before the agents are known; `Delivery` connects it to them.

    A chain is remembered for the latest messages of a room since the hub's start.
    """

    def __init__(
        self,
        store: Store,
        pump: Pump,
        network: Network,
        policy: DeliveryPolicy,
        scope: TaskScope,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._network = network
        self._scope = scope
        self._loops = Loops(policy, clock)
        self._agent_rate = Buckets(0, 0, clock)
        self._room_rate = Buckets(0, 0, clock)
        self.obey(policy)
        self._leased: dict[str, dict[RoomKey, int]] = {}
        self.agent_of: Callable[[str], AgentState | None] = _nobody
        self.is_stopped: Callable[[], bool] = lambda: False
        self.stop_reason: Callable[[], str] = lambda: ""
        for ending in ("room.removed", "session.removed", "session.reset"):
            pump.apply_with(ending, lambda event: self._loops.forget(event.room))

    def obey(self, policy: DeliveryPolicy) -> None:
        """Guard by these limits from now on."""
        self._policy = policy
        self._loops.obey(policy)
        self._agent_rate.limit(policy.agent_messages_per_s, policy.agent_messages_per_s)
        self._room_rate.limit(policy.room_messages_per_s, policy.room_messages_per_s)

    def delivered(self, agent_id: str, room: RoomKey, seq: int) -> None:
        """Take note that an agent has leased an inbox item: what it says next in that room answers it."""
        rooms = self._leased.setdefault(agent_id, {})
        rooms[room] = max(seq, rooms.get(room, 0))

    def heard(self, event: Event, message: Said) -> None:
        """Take note of a message that was stored."""
        if message.from_.type == HUMAN:
            self._loops.heard_person(event.room, event.seq, event.id, message.sender)
        else:
            self._loops.heard(event.room, event.seq, event.id, message.sender, message.hops)

    def forget(self, agent_id: str) -> None:
        """Forget what an agent was delivered; it was removed."""
        self._leased.pop(agent_id, None)

    def admit(self, sender: Actor, is_agent: bool, room: RoomState, cause: str) -> Admitted:
        """Return hops and cause of a message about to be stored.

        Raises:
            InstarError: `paused` (the agent, or all agents), `rate_limited`, or `loop_stopped`.
        """
        name = sender.fqid or fqid(sender.network_id or self._network.id, "agents", sender.id)
        agent = self.agent_of(sender.id) if sender.network_id in {"", self._network.id} else None
        if is_agent:
            self._check_awake(sender.id, agent)
        self._check_rates(name if is_agent else "", room)
        if not is_agent:
            return Admitted(0, cause)
        admitted, cause_sender = self._cause(name, agent, room.key, cause)
        if admitted.hops:
            self._check_loop(room.key, name, admitted.hops, cause_sender)
        return admitted

    def _check_awake(self, agent_id: str, agent: AgentState | None) -> None:
        if self.is_stopped():
            why = f": {reason}" if (reason := self.stop_reason()) else ""
            hint = "Resume them with `instar agents resume --all`."
            raise InstarError("paused", f"all agents are stopped{why}", hint=hint)
        if agent is not None and agent.paused:
            raise InstarError("paused", f"agent {agent_id!r} is paused", hint=f"Run `instar agents resume {agent_id}`.")

    def _check_rates(self, agent: str, room: RoomState) -> None:
        if agent and (wait_s := self._agent_rate.take(agent)):
            what = f"this agent may send {self._agent_rate.rate_per_s:g} messages a second"
            raise InstarError("rate_limited", what, retry_after_s=wait_s)
        if wait_s := self._room_rate.take(room.key):
            what = f"{room.key} takes {self._room_rate.rate_per_s:g} messages a second"
            raise InstarError("rate_limited", what, retry_after_s=wait_s)

    def _cause(self, name: str, agent: AgentState | None, room: RoomKey, cause: str) -> tuple[Admitted, str]:
        """Return what a message answers, and which agent said that."""
        if cause:
            answered = self._loops.named(room, cause)
            # A cause that is no longer remembered is an answer nevertheless.
            return Admitted((answered.hops if answered else 0) + 1, cause), answered.agent if answered else ""
        if agent is None:
            return SPONTANEOUS, ""
        leased_seq = self._leased.get(agent.id, {}).get(room, 0)
        if not leased_seq and not agent.cursor:
            return SPONTANEOUS, ""
        answered = self._loops.inherited(room, name, agent.cursor or 0, leased_seq)
        if answered is None:
            return SPONTANEOUS, ""
        return Admitted(answered.hops + 1, answered.event_id), answered.agent

    def _check_loop(self, room: RoomKey, name: str, hops: int, cause_sender: str) -> None:
        verdict = self._loops.judge(room, name, hops, cause_sender)
        if not verdict.retry_after_s:
            return
        if verdict.stop:
            self._scope.start("loop.stopped", self._record_stop(room, name, hops, verdict.stop))
        raise InstarError(
            "loop_stopped",
            f"agents answered each other too often in {room}: {verdict.stop or 'the room cools down'}",
            retry_after_s=verdict.retry_after_s,
        )

    async def _record_stop(self, room: RoomKey, name: str, hops: int, reason: str) -> None:
        at = now()
        until = to_rfc3339(Micros(at + int(self._policy.cool_down_s * MICROS_PER_S)))
        stopped = LoopStopped(self._loops.participants(room, name), hops, reason, until)
        await self._store.append([Draft(room, new_id("evt"), "loop.stopped", msgspec.json.encode(stopped), at)])
