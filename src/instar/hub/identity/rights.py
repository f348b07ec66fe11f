"""What a caller is: the questions that every rule of `authority` and `senders` is made of."""

from instar.wire.events import (
    APPROVALS,
    AUDIT,
    CALLS,
    DEVICES,
    DIRECTORY,
    KEYRING,
    NODES,
    PRESENCE,
    SCHEDULES,
    SYSTEM_ROOMS,
    RoomKey,
)
from instar.wire.identity import PrincipalKind, Scope
from instar.wire.messages import Actor
from instar.wire.names import Network, split_key
from instar.wire.rooms import RoomKind, Visibility

from .facts import RoomFacts
from .policy import AuthPolicy
from .principals import Caller
from .speakers import Speakers

HUMAN = "human"
"""The type of an actor that is a person; every other type is an agent's."""

_ATTENDANTS = (PrincipalKind.OPERATOR, PrincipalKind.PERSON, PrincipalKind.DEVICE)
_PERSONAL_KINDS = ("local", "key", "session", "person", "device", "shared")


CONVERSING = (Scope.OBSERVE, Scope.ADMIN, Scope.PAIR, Scope.ATTACH, Scope.WRITE)
"""Scopes of who takes part in conversations, or looks after them; the others let nobody read a room."""


class Rights:
    """Answers from the grant, the policy and the registry of agents; no answer changes anything."""

    def __init__(self, policy: AuthPolicy, speakers: Speakers, network: Network) -> None:
        self.policy = policy
        self.speakers = speakers
        self.network = network

    def is_free(self, caller: Caller) -> bool:
        """Whether mode `none` lifts the rules of who speaks: only for who connects from this machine."""
        return self.policy.mode == "none" and caller.is_local

    def is_known(self, caller: Caller) -> bool:
        """Whether the caller presented a credential, or mode `none` stands in for one."""
        return not caller.is_anonymous or bool(caller.grant.scopes)

    def is_personal(self, caller: Caller) -> bool:
        """Whether the credential may be a person's: not an agent token, and not a key that is bound to agents."""
        return caller.grant.kind in _PERSONAL_KINDS and not caller.grant.agents

    def is_attendant(self, caller: Caller) -> bool:
        """Whether the credential is a person's own: of a person, or of a device that people use; never a program's."""
        return caller.principal.kind in _ATTENDANTS or caller.grant.kind == "shared"

    def speaks_as(self, caller: Caller, agent_id: str) -> bool:
        """Whether the caller's own credential is the agent's: the grant names the agent, or it registered it."""
        if caller.is_anonymous:
            return self.is_free(caller)
        if caller.grant.agents is not None and agent_id in caller.grant.agents:
            return True
        return self.speakers.owner(agent_id) == caller.grant.id

    def identities(self, caller: Caller) -> frozenset[str]:
        """Return the member names that are the caller: its principal and the agents that it speaks for."""
        if caller.is_anonymous:
            return frozenset()
        own = frozenset((caller.principal.id,)) | self.speakers.owned_by(caller.grant.id)
        return own | caller.grant.agents if caller.grant.agents else own

    def own_agent(self, caller: Caller, sender: Actor) -> tuple[str, ...]:
        """Return the id of a settled sender when it is an agent of this network and the caller's own; else nothing."""
        is_local_agent = sender.type != HUMAN and sender.network_id == self.network.id
        return (sender.id,) if is_local_agent and self.speaks_as(caller, sender.id) else ()

    def member_name(self, sender: Actor) -> str:
        """Return the canonical name under which a settled sender is a room's member: `id`, or `net:id` from afar."""
        return sender.id if sender.network_id == self.network.id else f"{sender.network_id}:{sender.id}"

    def admits_room(self, caller: Caller, room: RoomFacts) -> bool:
        """Whether the grant is not confined to other rooms; a thread counts as its room."""
        rooms = caller.grant.rooms
        if rooms is None:
            return True
        if room.kind is RoomKind.THREAD:
            return split_key(room.parent)[1] in rooms
        return room.kind is RoomKind.ROOM and room.id in rooms

    def reads_everywhere(self, caller: Caller) -> bool:
        """Whether the caller reads every room but the hidden system rooms, rooms to come included."""
        return caller.grant.rooms is None and caller.has(Scope.OBSERVE, Scope.ADMIN)

    def hidden_system_rooms(self, caller: Caller) -> frozenset[RoomKey]:
        """Return the system rooms that the caller may not read."""
        if caller.grant.rooms is not None:
            return frozenset(SYSTEM_ROOMS)
        hidden: set[RoomKey] = set()
        if not caller.has(*CONVERSING):
            hidden.add(DIRECTORY)
        if not caller.has(Scope.KEYS):
            hidden.add(KEYRING)
        if not caller.has(Scope.OPERATE):
            hidden.add(AUDIT)
        if not caller.has(Scope.DEVICES):
            hidden.add(DEVICES)
        if not caller.has(Scope.OBSERVE, Scope.ADMIN):
            hidden.update((SCHEDULES, PRESENCE))
        if not caller.has(Scope.OBSERVE, Scope.ADMIN, Scope.EXECUTE):
            hidden.add(NODES)
        if not caller.has(Scope.APPROVE):
            hidden.update((CALLS, APPROVALS))
        return frozenset(hidden)

    def reads(self, caller: Caller, room: RoomFacts) -> bool:
        """Whether the caller may read the room: all of it or nothing."""
        if room.is_removed:
            return False
        if room.kind is RoomKind.SYSTEM:
            return room.key not in self.hidden_system_rooms(caller)
        if not self.admits_room(caller, room):
            return False
        if caller.has(Scope.OBSERVE, Scope.ADMIN):
            return True
        if room.visibility is Visibility.PUBLIC and room.kind is not RoomKind.DM:
            return self.policy.reads_public or caller.has(*CONVERSING)
        return any(room.has_member(member) for member in self.identities(caller))
