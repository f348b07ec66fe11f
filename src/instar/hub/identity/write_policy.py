"""Which senders a room's write policy admits (Moltnet http.v1 §5.4, with its holes closed)."""

from collections.abc import Iterable

from instar.wire.identity import Scope
from instar.wire.rooms import RoomKind, WritePolicy

from .facts import RoomFacts
from .principals import Caller
from .rights import Rights


def switched_off(rights: Rights, room: RoomFacts) -> str:
    """Return what is missing when the room is a direct conversation and those are off; else nothing."""
    is_off = room.kind is RoomKind.DM and not rights.policy.direct_messages
    return "direct messages, which `auth.direct_messages` switches off" if is_off else ""


def admitted(rights: Rights, caller: Caller, room: RoomFacts, names: Iterable[str], agents: Iterable[str]) -> str:
    """Return what a sender lacks to write into the room; empty admits it.

    Args:
        rights: What callers are.
        caller: Who sends.
        room: Where to.
        names: The member names that the sender goes by.
        agents: The agent ids, among them, that are the caller's own.
    """
    if room.is_removed or room.kind is RoomKind.SYSTEM or not rights.admits_room(caller, room):
        return f"a grant that reaches {room.key}"
    if missing := switched_off(rights, room):
        return missing
    if rights.is_free(caller) or caller.grant.scopes >= {Scope.ADMIN, Scope.WRITE}:
        return ""
    policy = WritePolicy.MEMBERS if room.kind is RoomKind.DM else room.write_policy
    is_member = policy is not WritePolicy.OPERATORS and any(room.has_member(name) for name in names)
    if is_member or _is_admitted_by(policy, rights, caller, agents):
        return ""
    if policy is WritePolicy.MEMBERS and room.kind is not RoomKind.DM and _attends(rights, caller, names):
        return ""
    return _LACKING[policy].format(room.key)


def _is_admitted_by(policy: WritePolicy, rights: Rights, caller: Caller, agents: Iterable[str]) -> bool:
    """Whether the policy admits a sender that is no member."""
    if policy is WritePolicy.OPERATORS:
        return rights.is_personal(caller) and caller.has(Scope.WRITE)
    is_open = policy is WritePolicy.REGISTERED_AGENTS
    return is_open and any(rights.speakers.owner(agent) is not None for agent in agents)


def _attends(rights: Rights, caller: Caller, names: Iterable[str]) -> bool:
    """Whether a person who may read every room speaks as themselves: they need not be made a member of each."""
    is_itself = caller.principal.id in names
    return is_itself and rights.is_attendant(caller) and caller.grant.scopes >= {Scope.OBSERVE, Scope.WRITE}


_LACKING = {
    WritePolicy.MEMBERS: "membership of {}",
    WritePolicy.REGISTERED_AGENTS: "membership of {}, or to be a registered agent",
    WritePolicy.OPERATORS: "an operator's grant, for {} is written by operators",
}
