"""Presence: who is attached, and what attached agents say they are doing. It begins anew with every start."""

from dataclasses import dataclass, field

import msgspec

from instar.base.clock import Micros, now
from instar.base.ids import new_id
from instar.bus.fanout import Fanout
from instar.store.seam import HOME, Draft, Store, Transaction
from instar.wire.agents import Activity, AgentEvent
from instar.wire.events import DIRECTORY
from instar.wire.names import Network
from instar.wire.runs import PresenceSignal

from .registry import Registry


@dataclass(slots=True)
class _Here:
    attachments: set[str] = field(default_factory=set[str])
    activity: Activity = Activity.IDLE
    task: str = ""
    last_seen_at: Micros | None = None


class Presence:
    """Knows which agents are here. An agent is connected from its first attachment to the end of its last."""

    def __init__(self, store: Store, fanout: Fanout, registry: Registry, network: Network) -> None:
        self._store = store
        self._fanout = fanout
        self._registry = registry
        self._network = network
        self._here: dict[str, _Here] = {}
        registry.on_removed(lambda agent_id: self._here.pop(agent_id, None) and None)

    def is_connected(self, agent_id: str) -> bool:
        """Whether at least one attachment of the agent lives."""
        here = self._here.get(agent_id)
        return here is not None and bool(here.attachments)

    def connected_count(self) -> int:
        """Return how many agents are connected."""
        return sum(bool(here.attachments) for here in self._here.values())

    def of(self, agent_id: str) -> tuple[Activity, str, Micros | None]:
        """Return what an agent is doing, its task, and when it was last heard of."""
        agent = self._registry.get(agent_id)
        here = self._here.get(agent_id)
        seen = here.last_seen_at if here is not None and here.last_seen_at else agent.last_seen_at if agent else None
        if agent is not None and agent.paused:
            return Activity.PAUSED, "", seen
        if here is None or not here.attachments:
            return Activity.OFFLINE, "", seen
        return here.activity, here.task, seen

    def seen(self, agent_id: str) -> None:
        """Note that the agent was heard of now."""
        self._here.setdefault(agent_id, _Here()).last_seen_at = now()

    def say(self, agent_id: str, activity: Activity, task: str) -> None:
        """Take what an agent says of itself, and signal it. It ends with the last attachment."""
        self.seen(agent_id)
        here = self._here[agent_id]
        here.activity = Activity.BUSY if activity is Activity.BUSY else Activity.IDLE
        here.task = task
        self.signal(agent_id)

    def signal(self, agent_id: str) -> None:
        """Tell the readers of the directory what the agent is doing now."""
        activity, task, _ = self.of(agent_id)
        self._fanout.signal(DIRECTORY, PresenceSignal(agent_id, activity, task))

    async def attached(self, agent_id: str, attachment_id: str, *, reason: str = "") -> None:
        """Note a new attachment; the first one is the event `agent.connected`, on disk when this returns."""
        self.seen(agent_id)
        here = self._here[agent_id]
        is_first = not here.attachments
        here.attachments.add(attachment_id)
        if is_first:
            await self._record(agent_id, "agent.connected", reason, "")

    async def detached(self, agent_id: str, attachment_id: str, *, reason: str = "", error: str = "") -> None:
        """Note the end of an attachment; the last one is the event `agent.disconnected`. Twice is no error."""
        here = self._here.get(agent_id)
        if here is None or attachment_id not in here.attachments:
            return
        here.attachments.discard(attachment_id)
        here.last_seen_at = now()
        if not here.attachments:
            here.activity, here.task = Activity.IDLE, ""
            await self._record(agent_id, "agent.disconnected", reason, error)

    async def _record(self, agent_id: str, kind: str, reason: str, error: str) -> None:
        agent = self._registry.get(agent_id)
        name, fqid = (agent.name, agent.fqid) if agent else ("", "")
        event = AgentEvent(agent_id, self._network.id, fqid, name, reason=reason, error=error)
        draft = Draft(DIRECTORY, new_id("evt"), kind, msgspec.json.encode(event), now())

        async def record(tx: Transaction) -> None:
            await tx.execute(
                "UPDATE agents SET last_seen_at = ?3 WHERE org = ?1 AND id = ?2", HOME, agent_id, draft.created_at
            )
            await tx.append(draft)

        await self._store.transact(record)
        self.signal(agent_id)
