"""The registered agents in memory, changed only by the pump."""

from collections.abc import Callable

import msgspec

from instar.bus.fanout import Pump
from instar.hub.identity.speakers import Speakers
from instar.store.seam import Store
from instar.wire.agents import AgentEvent
from instar.wire.events import Event
from instar.wire.names import Network

from .state import AgentRecord, AgentState, all_agents, of_record

_CHANGES = ("agent.registered", "agent.updated", "agent.paused", "agent.resumed")


class Registry:
    """The projection of table `agents`; it also tells `Speakers` which grant owns which agent."""

    def __init__(self, pump: Pump, speakers: Speakers, network: Network) -> None:
        self._speakers = speakers
        self._network = network
        self._agents: dict[str, AgentState] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._removal_listeners: list[Callable[[str], None]] = []
        for kind in _CHANGES:
            pump.apply_with(kind, self._changed)
        pump.apply_with("agent.removed", self._removed)

    async def load(self, store: Store) -> None:
        """Read the table; called once, before the pump starts."""
        for agent in await store.read(lambda reader: all_agents(reader, self._network)):
            self._enter(agent)

    def get(self, agent_id: str) -> AgentState | None:
        """Return a registered agent, or None."""
        return self._agents.get(agent_id)

    def all(self) -> list[AgentState]:
        """Return the registered agents by id."""
        return [self._agents[agent_id] for agent_id in sorted(self._agents)]

    def __len__(self) -> int:
        return len(self._agents)

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id of an agent that was registered, changed, paused or resumed."""
        self._listeners.append(listener)

    def on_removed(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id of an agent that was removed."""
        self._removal_listeners.append(listener)

    def _enter(self, agent: AgentState) -> None:
        self._agents[agent.id] = agent
        self._speakers.claim(agent.id, agent.credential)

    def _changed(self, event: Event) -> None:
        agent = of_record(msgspec.json.decode(event.payload, type=AgentRecord))
        if (known := self._agents.get(agent.id)) is not None:
            agent.cursor, agent.low_water, agent.last_seen_at = known.cursor, known.low_water, known.last_seen_at
        self._enter(agent)
        for listener in self._listeners:
            listener(agent.id)

    def _removed(self, event: Event) -> None:
        agent_id = msgspec.json.decode(event.payload, type=AgentEvent).agent_id
        self._agents.pop(agent_id, None)
        self._speakers.release(agent_id)
        for listener in self._removal_listeners:
            listener(agent_id)
