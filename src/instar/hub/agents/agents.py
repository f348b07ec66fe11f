"""Agents: the registry, presence and operations of the noun, in one object."""

from instar.base.clock import Micros
from instar.bus.fanout import Fanout, Pump
from instar.hub.act import Bindings, bind
from instar.hub.identity.authority import Authority
from instar.hub.identity.principals import Caller
from instar.hub.rooms.directory import Directory
from instar.store.seam import Store
from instar.wire import agents as wire
from instar.wire.names import Network

from .declaring import Declaring
from .presence import Presence
from .registration import Claim, Registration
from .registry import Registry
from .state import AgentState
from .summaries import CountPending, Summaries


class Agents:
    """Named participants that can be woken.

    Args:
        store: Where they are kept.
        pump: What keeps the registry true to the log.
        fanout: Takes presence signals.
        authority: Its policy says who may register; its speakers learn here who owns which agent.
        directory: The rooms that agents are members of.
        network: The local network.
    """

    def __init__(
        self, store: Store, pump: Pump, fanout: Fanout, authority: Authority, directory: Directory, network: Network
    ) -> None:
        self._store = store
        self._network = network
        self.registry = Registry(pump, authority.speakers, network)
        self.presence_board = Presence(store, fanout, self.registry, network)
        self.declaring = Declaring(network)
        """What `hub.apply` declares agents with."""
        self._registration = Registration(store, authority.policy, network)
        self._summaries = Summaries(self.registry, self.presence_board, authority, directory, network)

    async def load(self) -> None:
        """Read the registry; called once, before the pump starts."""
        await self.registry.load(self._store)

    def get(self, agent_id: str) -> AgentState | None:
        """Return a registered agent, or None."""
        return self.registry.get(agent_id)

    def all(self) -> list[AgentState]:
        """Return the registered agents by id."""
        return self.registry.all()

    async def register(self, caller: Caller, params: wire.RegisterAgent) -> wire.AgentRegistration:
        """Claim an agent id for a caller that was authorised to register or attach; see `Registration.register`."""
        return await self._registration.register(caller, params)

    async def attached(self, agent_id: str, attachment_id: str, *, reason: str = "") -> None:
        """Note a new attachment of an agent; see `Presence.attached`."""
        await self.presence_board.attached(agent_id, attachment_id, reason=reason)

    async def detached(self, agent_id: str, attachment_id: str, *, reason: str = "", error: str = "") -> None:
        """Note the end of an attachment; see `Presence.detached`."""
        await self.presence_board.detached(agent_id, attachment_id, reason=reason, error=error)

    def presence(self, agent_id: str) -> tuple[wire.Activity, str, Micros | None]:
        """Return what an agent is doing, its task, and when it was last heard of."""
        return self.presence_board.of(agent_id)

    def is_connected(self, agent_id: str) -> bool:
        """Whether at least one attachment of the agent lives."""
        return self.presence_board.is_connected(agent_id)

    def connected_count(self) -> int:
        """Return how many agents are connected."""
        return self.presence_board.connected_count()

    def count_pending_with(self, count: CountPending) -> None:
        """Let `count` answer how many inbox items of an agent wait."""
        self._summaries.count_pending = count

    def locate(self, caller: Caller, params: wire.AgentRef) -> AgentState:
        """Find a registered agent that the caller may know of.

        Raises:
            InstarError: `not_found`.
        """
        return self._summaries.locate_registered(caller, params)

    def claim(self, caller: Caller, params: wire.RegisterAgent) -> Claim:  # noqa: ARG002 - the shape of Locate
        """Return the agent id that a registration asks for, for `may` to judge.

        Raises:
            InstarError: `unprocessable_entity` when it is no id of this network.
        """
        return self._registration.claim(params)

    def bindings(self) -> Bindings:
        """Return the operations of agents; `agents.stop_all` and `agents.resume_all` are `hub.delivery`'s."""
        summaries, registration = self._summaries, self._registration
        return (
            bind(wire.LIST, summaries.list),
            bind(wire.GET, summaries.get, summaries.locate),
            bind(wire.REGISTER, lambda act: registration.register(act.caller, act.params), self.claim),
            bind(wire.TOKEN, registration.rotate_token, self.locate),
            bind(wire.UPDATE, summaries.update, self.locate),
            bind(wire.REMOVE, registration.remove, self.locate),
            bind(wire.PAUSE, summaries.pause, self.locate),
            bind(wire.RESUME, summaries.resume, self.locate),
            bind(wire.PRESENCE, summaries.set_presence, self.locate),
        )
