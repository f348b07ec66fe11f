"""Agents as callers see them: registered ones, and names that rooms list as members; and changes of one agent."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from instar.base.clock import now, to_rfc3339
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.hub.act import Act
from instar.hub.identity.authority import Authority
from instar.hub.identity.principals import Caller
from instar.hub.rooms.directory import Directory
from instar.hub.rooms.paging import page_of
from instar.hub.rooms.participants import canonical_member, member_fqid
from instar.store.seam import Transaction
from instar.wire.agents import AgentPage, AgentRef, AgentSummary, SetPresence, UpdateAgent, Wake
from instar.wire.messages import PageQuery
from instar.wire.names import Network, room_key
from instar.wire.rooms import RoomKind

from .presence import Presence
from .registry import Registry
from .state import AgentState, find, put

CountPending = Callable[[str], Awaitable[int]]
"""agent id → inbox items that wait; `hub.delivery` answers."""


@dataclass(frozen=True, slots=True)
class Named:
    """An agent that a caller asks for: registered, or only named as a member."""

    id: str
    state: AgentState | None = None


async def nothing_pending(agent_id: str) -> int:  # noqa: ARG001 - the shape of CountPending
    """Answer for a hub without inboxes."""
    return 0


class Summaries:
    """Handlers that read agents, and those that change one."""

    def __init__(
        self, registry: Registry, presence: Presence, authority: Authority, directory: Directory, network: Network
    ) -> None:
        self._authority = authority
        self._registry = registry
        self._presence = presence
        self._directory = directory
        self._network = network
        self.count_pending: CountPending = nothing_pending

    def locate(self, caller: Caller, params: AgentRef) -> Named:
        """Find an agent that the caller may know of: a registered one, or a member of a room that it reads.

        Raises:
            InstarError: `not_found`; `unprocessable_entity` for what is no agent id.
        """
        agent_id = canonical_member(params.agent_id, self._network.id)
        state = self._registry.get(params.agent_id) or self._registry.get(agent_id)
        if state is not None and self._may_know(caller, state.id):
            return Named(state.id, state)
        if state is None and agent_id in self._rooms_by_member(caller):
            return Named(agent_id)
        raise InstarError("not_found", f"there is no agent {params.agent_id!r}")

    def locate_registered(self, caller: Caller, params: AgentRef) -> AgentState:
        """Find a registered agent that the caller may know of.

        Raises:
            InstarError: `not_found`.
        """
        named = self.locate(caller, params)
        if named.state is None:
            raise InstarError("not_found", f"agent {named.id!r} is a member's name, but nobody registered it")
        return named.state

    def _may_know(self, caller: Caller, agent_id: str) -> bool:
        """An anonymous reader of public rooms knows only their members."""
        return bool(caller.grant.scopes) or agent_id in self._rooms_by_member(caller)

    def _rooms_by_member(self, caller: Caller) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for room in self._directory.all(RoomKind.ROOM):
            if self._directory.may_read(caller, room):
                for member in room.members:
                    found.setdefault(member, []).append(room.id)
        return found

    def _wake_rooms(self, caller: Caller, agent: AgentState) -> dict[str, Wake]:
        """Return the agent's policies for the rooms that the caller may know of; of its own agent, all of them."""
        if self._authority.reads_everywhere(caller) or self._authority.speaks_as(caller, agent.id):
            return agent.wake_rooms
        found = {room_id: self._directory.get(room_key("room", room_id)) for room_id in agent.wake_rooms}
        known = {room_id for room_id, room in found.items() if room and self._directory.may_read(caller, room)}
        return {room_id: policy for room_id, policy in agent.wake_rooms.items() if room_id in known}

    def _summary(self, caller: Caller, agent_id: str, rooms: list[str], *, pending_count: int = 0) -> AgentSummary:
        state = self._registry.get(agent_id)
        scoped, colon, _ = agent_id.partition(":")
        if state is None:
            network_id = scoped if colon else self._network.id
            return AgentSummary(agent_id, member_fqid(agent_id, self._network.id), network_id, False, rooms=rooms)
        activity, task, seen = self._presence.of(agent_id)
        return AgentSummary(
            agent_id, state.fqid, self._network.id, self._presence.is_connected(agent_id), state.name,
            state.actor_uid, rooms, True, activity, task, to_rfc3339(seen) if seen else "", state.wake,
            self._wake_rooms(caller, state), state.runtime, pending_count,
        )  # fmt: skip

    async def list(self, act: Act[PageQuery, None]) -> AgentPage:
        """Page through the agents that the caller may know of, by id."""
        rooms = self._rooms_by_member(act.caller)
        ids = set(rooms)
        if act.caller.grant.scopes:
            ids.update(agent.id for agent in self._registry.all())
        window, page = page_of(sorted(ids), act.params, lambda agent_id: agent_id)
        return AgentPage([self._summary(act.caller, one, rooms.get(one, [])) for one in window], page)

    async def get(self, act: Act[AgentRef, Named]) -> AgentSummary:
        """Read one agent, with how much waits in its inbox."""
        agent_id = act.object.id
        pending = await self.count_pending(agent_id) if act.object.state else 0
        return self._view(act.caller, agent_id, pending)

    def _view(self, caller: Caller, agent_id: str, pending_count: int = 0) -> AgentSummary:
        rooms = self._rooms_by_member(caller).get(agent_id, [])
        return self._summary(caller, agent_id, rooms, pending_count=pending_count)

    async def update(self, act: Act[UpdateAgent, AgentState]) -> AgentSummary:
        """Change an agent's name or wake policies, in the new or the older spelling.

        Raises:
            InstarError: `unprocessable_entity` for an unknown policy of a room.
        """
        wanted = act.params
        rooms = wake_rooms_of(wanted.wake_rooms)
        wake = wake_of(wanted)

        def change(agent: AgentState) -> None:
            agent.name = agent.name if wanted.name is None else wanted.name
            agent.wake = wake or agent.wake
            merged = agent.wake_rooms | {room: policy for room, policy in rooms.items() if policy}
            agent.wake_rooms = {room: policy for room, policy in merged.items() if rooms.get(room, policy)}

        return await self._change(act, "agent.updated", change)

    async def pause(self, act: Act[AgentRef, AgentState]) -> AgentSummary:
        """Wake the agent no more; what would wake it waits in its inbox."""
        return await self._set_paused(act, paused=True)

    async def resume(self, act: Act[AgentRef, AgentState]) -> AgentSummary:
        """Wake the agent again."""
        return await self._set_paused(act, paused=False)

    async def _set_paused(self, act: Act[AgentRef, AgentState], *, paused: bool) -> AgentSummary:
        def change(agent: AgentState) -> None:
            agent.paused = paused

        summary = await self._change(act, "agent.paused" if paused else "agent.resumed", change)
        self._presence.signal(act.object.id)
        return summary

    async def set_presence(self, act: Act[SetPresence, AgentState]) -> AgentSummary:
        """Take what an agent says it is doing."""
        self._presence.say(act.object.id, act.params.activity, act.params.task)
        return self._view(act.caller, act.object.id)

    async def _change(
        self, act: Act[UpdateAgent, AgentState] | Act[AgentRef, AgentState], kind: str,
        change: Callable[[AgentState], None],
    ) -> AgentSummary:  # fmt: skip
        agent_id = act.object.id
        act.audit_subject = agent_id

        async def work(tx: Transaction) -> AgentSummary:
            agent = await find(tx, agent_id, self._network)
            if agent is None:
                raise InstarError("not_found", f"there is no agent {agent_id!r}")
            before = (agent.name, agent.wake, agent.wake_rooms, agent.paused)
            change(agent)
            if before != (agent.name, agent.wake, agent.wake_rooms, agent.paused):
                agent.updated_at = now()
                await put(tx, agent)
                await tx.append(agent.draft(kind, new_id("evt"), self._network, act.caller.principal.id))
            return AgentSummary(agent_id, agent.fqid, self._network.id, False)

        await act.transact(work, AgentSummary)
        return self._view(act.caller, agent_id)


def wake_of(wanted: UpdateAgent) -> Wake | None:
    """Return the policy that an update asks for: `wake`, or what `read` and `reply` meant before (Moltnet §0)."""
    if wanted.wake is not None or wanted.read is not None:
        return wanted.wake or wanted.read
    return Wake.NEVER if wanted.reply == "never" else None


def wake_rooms_of(wanted: dict[str, str]) -> dict[str, Wake | None]:
    """Return the policies per room; None takes a room's own policy away.

    Raises:
        InstarError: `unprocessable_entity` for an unknown policy.
    """
    try:
        return {room: Wake(policy) if policy else None for room, policy in wanted.items()}
    except ValueError as error:
        allowed = ", ".join(Wake)
        raise InstarError("unprocessable_entity", f"{error}; a policy is one of {allowed}, or empty") from None
