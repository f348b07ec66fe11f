"""The one place that decides who may do what. Read `RULES` from top to bottom: what is not there is denied.

A rule answers with what is missing, for example `scope admin`; an empty answer allows. Who may not read the object
learns nothing of it: to them forbidden and missing are the same `not_found`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from instar.base.errors import InstarError
from instar.wire.identity import PrincipalKind, Scope
from instar.wire.messages import Actor
from instar.wire.names import Network
from instar.wire.operation import ObjectKind, Verb
from instar.wire.rooms import RoomKind

from .attenuation import is_within
from .facts import (
    AgentFacts,
    CallFacts,
    DeviceFacts,
    MessageFacts,
    PersonFacts,
    RoomFacts,
    RouteFacts,
    RunFacts,
    ScheduleFacts,
)
from .missing import missing
from .policy import AuthPolicy
from .principals import Caller, Grant, is_reserved
from .rights import CONVERSING, Rights
from .senders import Senders
from .speakers import Speakers
from .write_policy import admitted, switched_off


class Decision(NamedTuple):
    """The answer of `may`."""

    allowed: bool
    visible: bool
    """Whether the caller may know of the object."""
    missing: str = ""
    """The right that is lacking."""


ALLOWED = Decision(True, True)
_ROOMS = (ObjectKind.ROOM, ObjectKind.SESSION)

Rule = Callable[["Authority", Caller, Any], str]
"""(authority, caller, object) → what is missing; empty allows."""


class Authority(Rights):
    """`may` decides, `require` enforces. Deny by default."""

    def __init__(self, policy: AuthPolicy, speakers: Speakers, network: Network) -> None:
        super().__init__(policy, speakers, network)
        self._senders = Senders(self)

    def may(self, caller: Caller, verb: Verb, kind: ObjectKind, obj: object = None) -> Decision:
        """Decide whether the caller may do this to the object; None is any object of its kind."""
        rule = RULES.get((verb, kind))
        missing = rule(self, caller, obj) if rule else f"a rule for {verb} {kind}"
        return Decision(not missing, not missing or self._is_visible(caller, kind, obj), missing)

    def require(self, caller: Caller, verb: Verb, kind: ObjectKind, obj: object = None) -> None:
        """Let the act pass or refuse it.

        Raises:
            InstarError: `not_found` when the caller may not know of the object; else `unauthorized` when no
                credential was presented, or `forbidden` that names the missing right.
        """
        self.enforce(caller, self.may(caller, verb, kind, obj), kind, obj)

    def enforce(self, caller: Caller, decision: Decision, kind: ObjectKind, obj: Any) -> None:  # noqa: ANN401 - facts
        """Raise what a decision on an object calls for, as `require` says."""
        if decision.allowed:
            return
        if not decision.visible:
            raise missing(obj.kind if kind in _ROOMS else kind, obj.id)
        if not self.is_known(caller):
            raise InstarError("unauthorized", f"this needs a credential with {decision.missing}")
        raise InstarError("forbidden", f"needs {decision.missing}", detail={"missing": decision.missing})

    def may_write(self, caller: Caller, sender: Actor, room: RoomFacts) -> Decision:
        """Decide whether the room's write policy admits this sender, which `sender` has settled before."""
        missing = admitted(self, caller, room, (self.member_name(sender),), self.own_agent(caller, sender))
        return Decision(False, self.reads(caller, room), missing) if missing else ALLOWED

    def sender(self, caller: Caller, actor: Actor | None, network: Network, origin: str = "") -> Actor:
        """Settle who speaks; see `Senders.settle`."""
        return self._senders.settle(caller, actor, network, origin)

    def reads_metrics(self, caller: Caller) -> bool:
        """Whether the caller may read `/metrics`."""
        return caller.has(Scope.ADMIN, Scope.OPERATE)

    def _is_visible(self, caller: Caller, kind: ObjectKind, obj: Any) -> bool:  # noqa: ANN401 - facts of any kind
        if obj is None or kind is ObjectKind.HUB:
            return True
        if kind in _ROOMS:
            return self.reads(caller, obj)
        if kind in (ObjectKind.MESSAGE, ObjectKind.RUN):
            return self.reads(caller, obj.room)
        return not RULES[_VISIBLE_BY[kind]](self, caller, obj)


def _scope(*scopes: Scope) -> Rule:
    """Return the rule that one of these scopes is enough."""
    missing = "scope " + " or ".join(scopes)

    def rule(authority: Authority, caller: Caller, obj: object) -> str:  # noqa: ARG001 - the shape of Rule
        return "" if caller.has(*scopes) else missing

    return rule


def _anyone(authority: Authority, caller: Caller, obj: object) -> str:  # noqa: ARG001 - the shape of Rule
    return ""


def _reads_card(authority: Authority, caller: Caller, obj: object) -> str:
    if authority.policy.reads_public and caller.is_anonymous:
        return ""
    return _scope(*CONVERSING)(authority, caller, obj)


def _grants(authority: Authority, caller: Caller, key: Grant | None) -> str:  # noqa: ARG001 - the shape of Rule
    if not caller.has(Scope.KEYS):
        return "scope keys"
    return "" if key is None or is_within(key, caller.grant) else "a grant as wide as that key"


def _reads_room(authority: Authority, caller: Caller, room: RoomFacts | None) -> str:
    if room is None:
        return _reads_card(authority, caller, None)
    if not authority.reads(caller, room):
        return f"scope observe or membership of {room.key}"
    return switched_off(authority, room)


def _sends(authority: Authority, caller: Caller, room: RoomFacts | None) -> str:
    """Whether the caller could send at all; `may_write` decides once the sender is settled."""
    if not caller.has(Scope.WRITE, Scope.PAIR):
        return "scope write"
    if room is None or (caller.has(Scope.PAIR) and authority.admits_room(caller, room) and not room.is_removed):
        return ""
    names = authority.identities(caller)
    return admitted(authority, caller, room, names, names)


def _creates_room(authority: Authority, caller: Caller, obj: object) -> str:
    return "a grant that is not confined to rooms" if caller.grant.rooms is not None else _admin(authority, caller, obj)


def _manages_room(authority: Authority, caller: Caller, room: RoomFacts | None) -> str:
    if room is not None and (room.kind is RoomKind.SYSTEM or not authority.reads(caller, room)):
        return "a room that can be managed"
    return _admin(authority, caller, room)


def _reads_message(authority: Authority, caller: Caller, message: MessageFacts | None) -> str:
    return _reads_room(authority, caller, message.room if message else None)


def _is_sender(authority: Authority, caller: Caller, message: MessageFacts | None) -> bool:
    if message is None or not caller.has(Scope.WRITE):
        return False
    return message.sender_id == caller.principal.id or authority.speaks_as(caller, message.sender_id)


def _erases(authority: Authority, caller: Caller, message: MessageFacts | None) -> str:
    if missing := _reads_message(authority, caller, message):
        return missing
    is_eraser = caller.has(Scope.ADMIN) or _is_sender(authority, caller, message)
    return "" if is_eraser else "scope admin, or to be its sender"


def _rewrites(authority: Authority, caller: Caller, message: MessageFacts | None) -> str:
    if missing := _reads_message(authority, caller, message):
        return missing
    is_editor = caller.grant.scopes >= {Scope.ADMIN, Scope.WRITE} or _is_sender(authority, caller, message)
    return "" if is_editor else "scopes admin and write, or to be its sender"


def _registers(authority: Authority, caller: Caller, agent: AgentFacts | None) -> str:
    wanted = agent.id if agent else ""
    if is_reserved(wanted):
        return f"another id: `{wanted}` is not an agent's to bear"
    if caller.has(Scope.ADMIN) or (caller.is_anonymous and authority.policy.registration == "open"):
        return ""
    if not caller.has(Scope.ATTACH):
        return "scope attach or admin"
    if wanted and authority.speaks_as(caller, wanted):
        return ""
    if caller.grant.agents is not None:
        return f"a key that names `{wanted}`"
    is_shut = authority.policy.registration == "disabled"
    return "scope admin, or a key that names the agent: registration is disabled" if is_shut else ""


def _attaches(authority: Authority, caller: Caller, agent: AgentFacts | None) -> str:
    agent_id = agent.id if agent else ""
    if is_reserved(agent_id):
        return f"another id: `{agent_id}` is not an agent's to bear"
    if not caller.has(Scope.ATTACH) and not (caller.is_anonymous and authority.policy.registration == "open"):
        return "scope attach"
    is_claimable = caller.grant.agents is None and not authority.speakers.owner(agent_id)
    if agent is None or is_claimable or authority.speaks_as(caller, agent_id):
        return ""
    return f"the credential of agent `{agent_id}`"


def _acts_as(authority: Authority, caller: Caller, agent: AgentFacts | None) -> str:
    if caller.has(Scope.ADMIN):
        return ""
    is_its_own = caller.has(Scope.ATTACH) and (agent is None or authority.speaks_as(caller, agent.id))
    return "" if is_its_own else "scope attach and the agent's own credential"


def _reads_run(authority: Authority, caller: Caller, run: RunFacts | None) -> str:
    return _reads_room(authority, caller, run.room if run else None)


def _manages_run(authority: Authority, caller: Caller, run: RunFacts | None) -> str:
    if missing := _reads_run(authority, caller, run):
        return missing
    is_its_own = run is not None and authority.speaks_as(caller, run.agent_id)
    if is_its_own or caller.has(Scope.ADMIN, Scope.OPERATE):
        return ""
    if run is not None and run.room.kind is RoomKind.SESSION:
        return _manages_session(authority, caller, run.room)  # who may begin it anew may stop what runs in it
    return "scope admin or operate"


def _reads_device(authority: Authority, caller: Caller, device: DeviceFacts | None) -> str:
    is_itself = device is not None and device.principal == caller.principal.id
    return "" if is_itself else _scope(Scope.DEVICES)(authority, caller, device)


def _manages_device(authority: Authority, caller: Caller, device: DeviceFacts | None) -> str:  # noqa: ARG001 - the shape of Rule
    """A device is managed by who could have let it in; one whose rights have ended, by who could have ended them."""
    if not caller.has(Scope.DEVICES):
        return "scope devices"
    held = tuple(device.held) if device is not None else ()
    if device is not None and not held and not caller.has(Scope.ADMIN):
        return "scope admin, for the device has no rights left to measure"
    return "" if all(is_within(grant, caller.grant) for grant in held) else "a grant as wide as that device's"


def _grants_person(authority: Authority, caller: Caller, person: PersonFacts | None) -> str:
    return _grants(authority, caller, person.grant if person is not None else None)


def _manages_person(authority: Authority, caller: Caller, person: PersonFacts | None) -> str:
    """People may change their own password; others are managed by who could have added them."""
    is_itself = person is not None and person.id == caller.principal.id
    return "" if is_itself else _grants_person(authority, caller, person)


def _configures(authority: Authority, caller: Caller, obj: object) -> str:  # noqa: ARG001 - the shape of Rule
    return "" if caller.grant.scopes >= {Scope.ADMIN, Scope.OPERATE} else "scopes admin and operate"


def _opens_session(authority: Authority, caller: Caller, obj: object) -> str:  # noqa: ARG001 - the shape of Rule
    if caller.grant.rooms is not None:
        return "a grant that is not confined to rooms"
    return "" if caller.has(Scope.WRITE) else "scope write"


def _manages_session(authority: Authority, caller: Caller, room: RoomFacts | None) -> str:
    if room is None:
        return _opens_session(authority, caller, room)
    if missing := _reads_room(authority, caller, room):
        return missing
    is_member = caller.has(Scope.WRITE) and any(room.has_member(name) for name in authority.identities(caller))
    return "" if is_member or caller.has(Scope.ADMIN) else "scope admin, or membership with scope write"


def _reads_schedule(authority: Authority, caller: Caller, schedule: ScheduleFacts | None) -> str:
    return _observe(authority, caller, schedule) or _reaches_schedule(authority, caller, schedule)


def _manages_schedule(authority: Authority, caller: Caller, schedule: ScheduleFacts | None) -> str:
    return _admin(authority, caller, schedule) or _reaches_schedule(authority, caller, schedule)


def _reaches_schedule(authority: Authority, caller: Caller, schedule: ScheduleFacts | None) -> str:
    room = schedule.room if schedule is not None else None
    is_within = (
        schedule is None or caller.grant.rooms is None or (room is not None and authority.admits_room(caller, room))
    )
    return "" if is_within else "a grant that reaches the schedule's room"


def _speaks_by_schedule(authority: Authority, caller: Caller, schedule: ScheduleFacts | None) -> str:
    """Whether a schedule may speak by the caller's right: the caller itself could send into its room."""
    if schedule is None or schedule.room is None:
        return "a room"
    if not caller.has(Scope.WRITE):
        return "scope write"
    if not authority.policy.human_ingress and authority.is_personal(caller):
        return "messages of people, which `auth.human_ingress` switches off"
    room, names = schedule.room, authority.identities(caller)
    if room.kind is RoomKind.DM and not any(room.has_member(name) for name in names):
        return f"a part in {room.key}"
    return admitted(authority, caller, room, names, names)


def _asks_call(authority: Authority, caller: Caller, call: CallFacts | None) -> str:
    """Whether a call may be asked for at all; permits, rules and approvals decide what becomes of it."""
    if not caller.has(Scope.EXECUTE):
        return "scope execute"
    if call is None:
        return ""
    if call.agent_id and not caller.has(Scope.ADMIN) and not authority.speaks_as(caller, call.agent_id):
        return f"the credential of agent `{call.agent_id}`"
    if call.room is not None:
        return _reads_room(authority, caller, call.room)
    return "" if caller.grant.rooms is None else "a room that the grant reaches"


def _reads_call(authority: Authority, caller: Caller, call: CallFacts | None) -> str:
    if call is None:
        return _scope(Scope.EXECUTE, Scope.APPROVE, *CONVERSING)(authority, caller, call)
    if call.requester == caller.principal.id:
        return ""
    is_reached = caller.grant.rooms is None or (call.room is not None and authority.admits_room(caller, call.room))
    if is_reached and not _approves(authority, caller, call):
        return ""
    if call.room is not None:
        return _reads_room(authority, caller, call.room)
    return "scope approve, or to have asked for it"


def _manages_call(authority: Authority, caller: Caller, call: CallFacts | None) -> str:
    if missing := _reads_call(authority, caller, call):
        return missing
    is_its_own = (
        call is None
        or call.requester == caller.principal.id
        or (bool(call.agent_id) and authority.speaks_as(caller, call.agent_id))
    )
    if is_its_own and caller.has(Scope.EXECUTE):
        return ""
    return "" if caller.has(Scope.OPERATE) else "scope operate, or to have asked for it with scope execute"


def _sets_route(authority: Authority, caller: Caller, route: RouteFacts | None) -> str:
    if not caller.has(Scope.EXECUTE):
        return "scope execute"
    if route is not None and route.room is not None:
        if missing := _reads_room(authority, caller, route.room):
            return missing
        is_member = any(route.room.has_member(name) for name in authority.identities(caller))
        return "" if is_member or caller.has(Scope.ADMIN) else "scope admin, or membership of the room"
    return _admin(authority, caller, route)


def _approves(authority: Authority, caller: Caller, obj: object) -> str:  # noqa: ARG001 - the shape of Rule
    registered = authority.speakers.owned_by(caller.grant.id) if not authority.is_attendant(caller) else ()
    if caller.principal.kind is PrincipalKind.AGENT or caller.grant.agents or registered:
        return "a person: no agent decides what agents may run"
    return "" if caller.has(Scope.APPROVE) else "scope approve"


def _permits_node(authority: Authority, caller: Caller, obj: object) -> str:  # noqa: ARG001 - the shape of Rule
    return "" if caller.grant.scopes >= {Scope.DEVICES, Scope.EXECUTE} else "scopes devices and execute"


def _manages_ssh(authority: Authority, caller: Caller, obj: object) -> str:  # noqa: ARG001 - the shape of Rule
    return "" if caller.grant.scopes >= {Scope.ADMIN, Scope.EXECUTE} else "scopes admin and execute"


_admin = _scope(Scope.ADMIN)
_observe = _scope(Scope.OBSERVE, Scope.ADMIN)
_sees_targets = _scope(Scope.OBSERVE, Scope.ADMIN, Scope.EXECUTE)
_sees_nodes = _scope(Scope.OBSERVE, Scope.ADMIN, Scope.EXECUTE, Scope.DEVICES)

RULES: Mapping[tuple[Verb, ObjectKind], Rule] = {
    (Verb.ENTER, ObjectKind.HUB): _anyone,
    (Verb.READ, ObjectKind.HUB): _reads_card,
    (Verb.SEND, ObjectKind.HUB): _scope(Scope.WRITE),
    (Verb.GRANT, ObjectKind.HUB): _scope(Scope.KEYS),
    (Verb.OPERATE, ObjectKind.HUB): _scope(Scope.OPERATE),
    (Verb.GRANT, ObjectKind.KEY): _grants,
    (Verb.READ, ObjectKind.ROOM): _reads_room,
    (Verb.SEND, ObjectKind.ROOM): _sends,
    (Verb.CREATE, ObjectKind.ROOM): _creates_room,
    (Verb.MANAGE, ObjectKind.ROOM): _manages_room,
    (Verb.READ, ObjectKind.MESSAGE): _reads_message,
    (Verb.SEND, ObjectKind.MESSAGE): _rewrites,
    (Verb.MANAGE, ObjectKind.MESSAGE): _erases,
    (Verb.READ, ObjectKind.AGENT): _reads_card,
    (Verb.REGISTER, ObjectKind.AGENT): _registers,
    (Verb.ATTACH, ObjectKind.AGENT): _attaches,
    (Verb.CONSUME, ObjectKind.AGENT): _acts_as,
    (Verb.MANAGE, ObjectKind.AGENT): _admin,
    (Verb.READ, ObjectKind.RUN): _reads_run,
    (Verb.MANAGE, ObjectKind.RUN): _manages_run,
    (Verb.OBSERVE, ObjectKind.HUB): _observe,
    (Verb.CONFIGURE, ObjectKind.HUB): _configures,
    (Verb.CREATE, ObjectKind.SESSION): _opens_session,
    (Verb.MANAGE, ObjectKind.SESSION): _manages_session,
    (Verb.READ, ObjectKind.DEVICE): _reads_device,
    (Verb.GRANT, ObjectKind.DEVICE): _scope(Scope.DEVICES),
    (Verb.MANAGE, ObjectKind.DEVICE): _manages_device,
    (Verb.GRANT, ObjectKind.PERSON): _grants_person,
    (Verb.MANAGE, ObjectKind.PERSON): _manages_person,
    (Verb.READ, ObjectKind.SCHEDULE): _reads_schedule,
    (Verb.CREATE, ObjectKind.SCHEDULE): _admin,
    (Verb.MANAGE, ObjectKind.SCHEDULE): _manages_schedule,
    (Verb.SEND, ObjectKind.SCHEDULE): _speaks_by_schedule,
    (Verb.READ, ObjectKind.NODE): _sees_nodes,
    (Verb.MANAGE, ObjectKind.NODE): _admin,
    (Verb.GRANT, ObjectKind.NODE): _permits_node,
    (Verb.READ, ObjectKind.SSH): _sees_targets,
    (Verb.MANAGE, ObjectKind.SSH): _manages_ssh,
    (Verb.CREATE, ObjectKind.CALL): _asks_call,
    (Verb.READ, ObjectKind.CALL): _reads_call,
    (Verb.MANAGE, ObjectKind.CALL): _manages_call,
    (Verb.MANAGE, ObjectKind.ROUTE): _sets_route,
    (Verb.READ, ObjectKind.APPROVAL): _approves,
    (Verb.MANAGE, ObjectKind.APPROVAL): _approves,
    (Verb.GRANT, ObjectKind.APPROVAL): _approves,
}
"""Every right there is."""

_VISIBLE_BY = {
    ObjectKind.AGENT: (Verb.READ, ObjectKind.AGENT),
    ObjectKind.KEY: (Verb.GRANT, ObjectKind.KEY),
    ObjectKind.DEVICE: (Verb.READ, ObjectKind.DEVICE),
    ObjectKind.PERSON: (Verb.MANAGE, ObjectKind.PERSON),
    ObjectKind.SCHEDULE: (Verb.READ, ObjectKind.SCHEDULE),
    ObjectKind.NODE: (Verb.READ, ObjectKind.NODE),
    ObjectKind.SSH: (Verb.READ, ObjectKind.SSH),
    ObjectKind.CALL: (Verb.READ, ObjectKind.CALL),
    ObjectKind.ROUTE: (Verb.MANAGE, ObjectKind.ROUTE),
    ObjectKind.APPROVAL: (Verb.READ, ObjectKind.APPROVAL),
}
