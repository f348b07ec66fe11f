"""The whole of who may do what, as a table."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.hub.identity.authority import RULES
from instar.wire.events import SYSTEM_ROOMS
from instar.wire.messages import Actor
from instar.wire.names import Network
from instar.wire.operation import ObjectKind, Verb
from instar.wire.rooms import RoomKind, Visibility, WritePolicy
from instar.wire.table import TABLE

NETWORK = Network("local", "Local")
V, K = Verb, ObjectKind


def test_every_operation_has_a_rule() -> None:
    missing = [name for name, op in TABLE.items() if (op.verb, op.object) not in RULES]
    assert missing == []


def test_what_has_no_rule_is_denied(world: Callable[..., Any]) -> None:
    w = world()
    decision = w.authority.may(w.local(), V.CREATE, K.KEY)
    assert not decision.allowed
    assert decision.missing == "a rule for create key"


@pytest.mark.parametrize(
    ("scopes", "verb", "kind", "missing"),
    [
        ({"keys"}, V.READ, K.HUB, "scope observe or admin or pair or attach or write"),
        ({"operate"}, V.READ, K.HUB, "scope observe or admin or pair or attach or write"),
        *[({scope}, V.READ, K.HUB, "") for scope in ("observe", "admin", "pair", "attach", "write")],
        *[({scope}, V.READ, K.AGENT, "") for scope in ("observe", "admin", "pair", "attach", "write")],
        ({"keys"}, V.ENTER, K.HUB, ""),
        ({"write"}, V.SEND, K.HUB, ""),
        ({"admin", "attach", "observe", "pair"}, V.SEND, K.HUB, "scope write"),
        ({"keys"}, V.GRANT, K.HUB, ""),
        ({"admin", "operate", "write"}, V.GRANT, K.HUB, "scope keys"),
        ({"keys"}, V.GRANT, K.KEY, ""),
        ({"admin", "operate", "write"}, V.GRANT, K.KEY, "scope keys"),
        ({"operate"}, V.OPERATE, K.HUB, ""),
        ({"admin", "keys", "write"}, V.OPERATE, K.HUB, "scope operate"),
        ({"admin"}, V.CREATE, K.ROOM, ""),
        ({"operate", "keys", "write"}, V.CREATE, K.ROOM, "scope admin"),
        ({"admin"}, V.MANAGE, K.ROOM, ""),
        ({"observe", "write"}, V.MANAGE, K.ROOM, "scope admin"),
        ({"admin"}, V.MANAGE, K.AGENT, ""),
        ({"attach"}, V.MANAGE, K.AGENT, "scope admin"),
        ({"admin"}, V.REGISTER, K.AGENT, ""),
        ({"write"}, V.REGISTER, K.AGENT, "scope attach or admin"),
        ({"attach"}, V.REGISTER, K.AGENT, "scope admin, or a key that names the agent: registration is disabled"),
        ({"attach"}, V.ATTACH, K.AGENT, ""),
        ({"admin"}, V.ATTACH, K.AGENT, "scope attach"),
        ({"attach"}, V.CONSUME, K.AGENT, ""),
        ({"admin"}, V.CONSUME, K.AGENT, ""),
        ({"observe", "write"}, V.CONSUME, K.AGENT, "scope attach and the agent's own credential"),
        ({"attach"}, V.SEND, K.ROOM, "scope write"),
        ({"pair"}, V.SEND, K.ROOM, ""),
        ({"write"}, V.SEND, K.ROOM, ""),
        ({"admin"}, V.MANAGE, K.MESSAGE, ""),
        ({"admin"}, V.SEND, K.MESSAGE, "scopes admin and write, or to be its sender"),
        ({"admin", "write"}, V.SEND, K.MESSAGE, ""),
        ({"operate", "write"}, V.MANAGE, K.RUN, ""),
        ({"observe"}, V.MANAGE, K.RUN, "scope admin or operate"),
    ],
)
def test_scopes(world: Callable[..., Any], scopes: set[str], verb: Verb, kind: ObjectKind, missing: str) -> None:
    w = world()
    decision = w.authority.may(w.key(*scopes), verb, kind)
    assert decision == (not missing, True, missing)


def room_of(w: Any, **facts: Any) -> Any:
    return w.room(**facts)


@pytest.mark.parametrize(
    ("caller", "facts", "reads"),
    [
        ({"scopes": ("observe",)}, {}, True),
        ({"scopes": ("admin",)}, {}, True),
        ({"scopes": ("write", "attach", "pair", "keys", "operate")}, {}, False),
        ({"scopes": ("write",), "agents": {"beta"}}, {"members": frozenset({"beta"})}, True),
        ({"scopes": ("write",), "id": "key_b"}, {"members": frozenset({"beta"})}, True),
        ({"scopes": ("write",), "id": "key_b"}, {"members": frozenset({"gamma"})}, False),
        ({"scopes": ("write",)}, {"members": frozenset({"key_x"})}, True),
        ({"scopes": ("write",)}, {"visibility": Visibility.PUBLIC}, True),
        ({"scopes": ("observe",)}, {"is_removed": True}, False),
        ({"scopes": ("observe",), "rooms": {"general"}}, {}, True),
        ({"scopes": ("observe",), "rooms": {"other"}}, {}, False),
        ({"scopes": ("write",), "rooms": {"other"}}, {"visibility": Visibility.PUBLIC}, False),
        ({"scopes": ("observe",), "rooms": {"general"}}, {"kind": RoomKind.DM}, False),
        ({"scopes": ("observe",), "rooms": {"r"}}, {"kind": RoomKind.THREAD, "parent": "room:r"}, True),
        ({"scopes": ("observe",), "rooms": {"general"}}, {"kind": RoomKind.THREAD, "parent": "room:r"}, False),
        ({"scopes": ("observe",)}, {"kind": RoomKind.DM}, True),
        ({"scopes": ("write",), "agents": {"beta"}}, {"kind": RoomKind.DM, "members": frozenset({"beta"})}, True),
        ({"scopes": ("write",), "agents": {"beta"}}, {"kind": RoomKind.DM, "visibility": Visibility.PUBLIC}, False),
        ({"scopes": ("write",)}, {"kind": RoomKind.SYSTEM, "id": "directory"}, True),
        ({"scopes": ("admin", "operate")}, {"kind": RoomKind.SYSTEM, "id": "keys"}, False),
        ({"scopes": ("keys",)}, {"kind": RoomKind.SYSTEM, "id": "keys"}, True),
        ({"scopes": ("admin", "keys")}, {"kind": RoomKind.SYSTEM, "id": "audit"}, False),
        ({"scopes": ("operate",)}, {"kind": RoomKind.SYSTEM, "id": "audit"}, True),
        ({"scopes": ("operate", "keys"), "rooms": {"audit"}}, {"kind": RoomKind.SYSTEM, "id": "audit"}, False),
    ],
)
def test_reading_a_room(world: Callable[..., Any], caller: dict[str, Any], facts: dict[str, Any], reads: bool) -> None:
    w = world()
    who = w.key(*caller.pop("scopes"), **caller)
    room = w.room(**facts)
    assert w.authority.may(who, V.READ, K.ROOM, room)[:2] == (reads, reads)
    assert w.authority.may(who, V.READ, K.MESSAGE, w.said(room, "somebody")).allowed is reads
    assert w.authority.may(who, V.READ, K.RUN, w.woken(room, "somebody")).allowed is reads
    if not reads:
        with pytest.raises(InstarError, match="there is no") as caught:
            w.authority.require(who, V.READ, K.ROOM, room)
        assert caught.value.code == "not_found"


@pytest.mark.parametrize(
    ("policy", "visibility", "reads"),
    [
        ({}, Visibility.PUBLIC, False),
        ({"public_read": True}, Visibility.PUBLIC, True),
        ({"public_read": True}, Visibility.PRIVATE, False),
        ({"mode": "open"}, Visibility.PUBLIC, True),
        ({"mode": "open"}, Visibility.PRIVATE, False),
        ({"agent_registration": "open"}, Visibility.PUBLIC, False),
    ],
)
def test_anonymous_reads_what_is_public(
    world: Callable[..., Any], policy: dict[str, Any], visibility: Visibility, reads: bool
) -> None:
    w = world(**policy)
    assert w.authority.may(w.anonymous(), V.READ, K.ROOM, w.room(visibility=visibility)).allowed is reads
    is_public = policy != {"agent_registration": "open"} and policy != {}
    assert w.authority.may(w.anonymous(), V.READ, K.HUB).allowed is is_public
    assert w.authority.may(w.anonymous(), V.READ, K.AGENT).allowed is is_public
    directory = w.room(kind=RoomKind.SYSTEM, id="directory")
    assert not w.authority.may(w.anonymous(), V.READ, K.ROOM, directory).allowed


def test_refusals_name_what_is_missing_or_ask_for_a_credential(world: Callable[..., Any]) -> None:
    w = world(public_read=True)
    with pytest.raises(InstarError, match="needs scope admin") as caught:
        w.authority.require(w.key("observe"), V.MANAGE, K.ROOM, w.room())
    assert caught.value.code == "forbidden"
    with pytest.raises(InstarError, match="scope admin") as caught:
        w.authority.require(w.anonymous(), V.MANAGE, K.ROOM, w.room(visibility=Visibility.PUBLIC))
    assert caught.value.code == "unauthorized"
    with pytest.raises(InstarError) as caught:
        w.authority.require(w.anonymous(), V.MANAGE, K.ROOM, w.room())
    assert caught.value.code == "not_found"


def test_mode_none_gives_this_machine_neither_keys_nor_operation_nor_execution(world: Callable[..., Any]) -> None:
    w = world(mode="none")
    denied = {(verb, kind) for verb, kind in RULES if not w.authority.may(w.here(), verb, kind, w.some(kind)).allowed}
    assert denied == {
        (V.GRANT, K.HUB), (V.GRANT, K.KEY), (V.OPERATE, K.HUB), (V.CONFIGURE, K.HUB),
        (V.GRANT, K.PERSON), (V.MANAGE, K.PERSON), (V.READ, K.DEVICE), (V.GRANT, K.DEVICE), (V.MANAGE, K.DEVICE),
        (V.GRANT, K.NODE), (V.MANAGE, K.SSH), (V.CREATE, K.CALL), (V.MANAGE, K.CALL), (V.MANAGE, K.ROUTE),
        (V.READ, K.APPROVAL), (V.MANAGE, K.APPROVAL), (V.GRANT, K.APPROVAL),
    }  # fmt: skip
    with pytest.raises(InstarError) as caught:
        w.authority.require(w.here(), V.GRANT, K.KEY)
    assert caught.value.code == "forbidden"


def test_the_local_operator_may_do_everything(world: Callable[..., Any]) -> None:
    w = world()
    assert all(w.authority.may(w.local(), verb, kind, w.some(kind)).allowed for verb, kind in RULES)


MEMBERS, REGISTERED, OPERATORS = WritePolicy.MEMBERS, WritePolicy.REGISTERED_AGENTS, WritePolicy.OPERATORS
BETA = Actor("agent", "beta", "", "local", "molt://local/agents/beta")
LOOSE = Actor("agent", "loose", "", "local", "molt://local/agents/loose")
FAR = Actor("agent", "beta", "", "net_a", "molt://net_a/agents/beta")
HUMAN = Actor("human", "key_x", "", "local", "molt://local/agents/key_x")


@pytest.mark.parametrize(
    ("caller", "sender", "facts", "writes"),
    [
        ("token", BETA, {"members": frozenset({"beta"})}, True),
        ("token", BETA, {}, False),
        ("token", BETA, {"write_policy": REGISTERED}, True),
        ("token", BETA, {"write_policy": OPERATORS, "members": frozenset({"beta"})}, False),
        ("naming", BETA, {"write_policy": REGISTERED}, True),
        ("naming", BETA, {"write_policy": OPERATORS}, False),
        ("owning", BETA, {"write_policy": REGISTERED}, True),
        ("plain", BETA, {"write_policy": REGISTERED}, False),
        ("plain", HUMAN, {"write_policy": REGISTERED}, False),
        ("plain", HUMAN, {"write_policy": OPERATORS}, True),
        ("plain", HUMAN, {}, False),
        ("plain", HUMAN, {"members": frozenset({"key_x"})}, True),
        ("admin", HUMAN, {}, True),
        ("admin", HUMAN, {"is_removed": True}, False),
        ("admin", HUMAN, {"kind": RoomKind.SYSTEM, "id": "directory"}, False),
        ("admin", HUMAN, {"kind": RoomKind.DM}, True),
        ("token", BETA, {"kind": RoomKind.DM}, False),
        ("token", BETA, {"kind": RoomKind.DM, "members": frozenset({"beta", "gamma"})}, True),
        ("token", BETA, {"kind": RoomKind.DM, "write_policy": REGISTERED}, False),
        ("plain", HUMAN, {"kind": RoomKind.DM, "write_policy": OPERATORS}, False),
        ("pair", FAR, {"members": frozenset({"net_a:beta"})}, True),
        ("pair", FAR, {"members": frozenset({"beta"})}, False),
        ("pair", FAR, {"write_policy": REGISTERED}, False),
        ("confined", HUMAN, {"members": frozenset({"key_x"})}, False),
    ],
)
def test_write_policy(
    world: Callable[..., Any], caller: str, sender: Actor, facts: dict[str, Any], writes: bool
) -> None:
    w = world()
    callers = {
        "token": w.token(),
        "naming": w.key("write", agents={"beta"}),
        "owning": w.key("write", id="key_b"),
        "plain": w.key("write"),
        "admin": w.key("write", "admin"),
        "pair": w.key("pair", "write"),
        "confined": w.key("write", rooms={"elsewhere"}),
    }
    room = w.room(**facts)
    assert w.authority.may_write(callers[caller], sender, room).allowed is writes
    if writes:
        assert w.authority.may(callers[caller], V.SEND, K.ROOM, room).allowed


def test_an_agent_that_has_no_credential_yet_is_nobodys(world: Callable[..., Any]) -> None:
    w = world()
    assert not w.authority.may_write(w.key("write"), LOOSE, w.room(write_policy=REGISTERED)).allowed


def test_direct_messages_can_be_switched_off(world: Callable[..., Any]) -> None:
    w = world(direct_messages=False)
    room = w.room(kind=RoomKind.DM, members=frozenset({"beta"}))
    for decision in (
        w.authority.may_write(w.token(), BETA, room),
        w.authority.may(w.token(), V.READ, K.ROOM, room),
    ):
        assert decision == (False, True, "direct messages, which `auth.direct_messages` switches off")


def test_sending_is_refused_before_the_sender_is_known_where_no_sender_could(world: Callable[..., Any]) -> None:
    w = world()
    private = w.room(members=frozenset({"gamma"}))
    assert w.authority.may(w.token(), V.SEND, K.ROOM, private)[:2] == (False, False)
    assert w.authority.may(w.key("pair"), V.SEND, K.ROOM, private).allowed
    assert not w.authority.may(w.key("pair", rooms={"x"}), V.SEND, K.ROOM, private).allowed
    public = w.room(visibility=Visibility.PUBLIC)
    assert w.authority.may(w.token(), V.SEND, K.ROOM, public)[:2] == (False, True)


@pytest.mark.parametrize(
    ("caller", "sender", "erases", "rewrites"),
    [
        ("token", "beta", True, True),
        ("token", "gamma", False, False),
        ("own", "key_x", True, True),
        ("silent", "key_x", False, False),
        ("admin", "gamma", True, False),
        ("editor", "gamma", True, True),
        ("observer", "gamma", False, False),
    ],
)
def test_changing_a_message(world: Callable[..., Any], caller: str, sender: str, erases: bool, rewrites: bool) -> None:
    w = world()
    callers = {
        "token": w.token(),
        "own": w.key("write"),
        "silent": w.key("observe"),
        "admin": w.key("admin"),
        "editor": w.key("admin", "write"),
        "observer": w.key("observe", "write"),
    }
    message = w.said(w.room(members=frozenset({"beta", "key_x"})), sender)
    assert w.authority.may(callers[caller], V.MANAGE, K.MESSAGE, message).allowed is erases
    assert w.authority.may(callers[caller], V.SEND, K.MESSAGE, message).allowed is rewrites


def test_who_left_a_room_changes_nothing_in_it(world: Callable[..., Any]) -> None:
    w = world()
    message = w.said(w.room(members=frozenset({"gamma"})), "beta")
    assert w.authority.may(w.token(), V.MANAGE, K.MESSAGE, message)[:2] == (False, False)
    assert w.authority.may(w.token(), V.SEND, K.MESSAGE, message)[:2] == (False, False)


@pytest.mark.parametrize(
    ("policy", "caller", "agent", "registers", "attaches"),
    [
        ({}, "plain", "new", False, True),
        ({}, "naming", "new", True, True),
        ({}, "naming", "other", False, False),
        ({"agent_registration": "token"}, "plain", "new", True, True),
        ({"agent_registration": "token"}, "naming", "other", False, False),
        ({"agent_registration": "token"}, "anonymous", "new", False, False),
        ({"agent_registration": "open"}, "anonymous", "new", True, True),
        ({"mode": "open"}, "anonymous", "new", True, True),
        ({"mode": "open"}, "anonymous", "beta", True, False),
        ({}, "plain", "beta", False, False),
        ({}, "owner", "beta", True, True),
        ({}, "token", "beta", True, True),
        ({}, "token", "gamma", False, False),
        ({}, "plain", "loose", False, True),
        ({"mode": "none"}, "here", "beta", True, True),
        ({"mode": "none"}, "here", "operator", False, False),
        ({}, "local", "key_1", False, False),
        ({}, "local", "net_a:beta", False, False),
    ],
)
def test_registering_and_attaching(
    world: Callable[..., Any], policy: dict[str, Any], caller: str, agent: str, registers: bool, attaches: bool
) -> None:
    w = world(**policy)
    callers = {
        "plain": w.key("attach"),
        "naming": w.key("attach", agents={"new"}),
        "owner": w.key("attach", id="key_b"),
        "anonymous": w.anonymous(),
        "token": w.token(),
        "here": w.here(),
        "local": w.local(),
    }
    assert w.authority.may(callers[caller], V.REGISTER, K.AGENT, w.named(agent)).allowed is registers
    assert w.authority.may(callers[caller], V.ATTACH, K.AGENT, w.named(agent)).allowed is attaches


def test_acting_as_an_agent(world: Callable[..., Any]) -> None:
    w = world()
    may = w.authority.may
    assert may(w.token(), V.CONSUME, K.AGENT, w.named("beta")).allowed
    assert not may(w.token(), V.CONSUME, K.AGENT, w.named("gamma")).allowed
    assert may(w.key("admin"), V.CONSUME, K.AGENT, w.named("gamma")).allowed
    assert may(w.token(), V.CONSUME, K.AGENT, w.named("gamma")).visible
    assert not may(w.key("keys"), V.CONSUME, K.AGENT, w.named("gamma")).visible
    assert not w.authority.speaks_as(w.anonymous(), "beta")


def test_cancelling_a_run(world: Callable[..., Any]) -> None:
    w = world()
    run = w.woken(w.room(members=frozenset({"beta", "gamma"})), "beta")
    assert w.authority.may(w.token("beta"), V.MANAGE, K.RUN, run).allowed
    assert not w.authority.may(w.token("gamma"), V.MANAGE, K.RUN, run).allowed
    assert not w.authority.may(w.key("operate"), V.MANAGE, K.RUN, run).visible


def test_keys_wider_than_ones_own_are_not_seen(world: Callable[..., Any]) -> None:
    w = world()
    holder = w.key("keys", "write")
    assert w.authority.may(holder, V.GRANT, K.KEY, w.key("write").grant).allowed
    assert w.authority.may(holder, V.GRANT, K.KEY, w.local().grant)[:2] == (False, False)
    assert w.authority.may(holder, V.GRANT, K.KEY, w.token().grant)[:2] == (False, False)


def test_confined_grants_create_no_rooms(world: Callable[..., Any]) -> None:
    w = world()
    who = w.key("admin", rooms={"general"})
    assert not w.authority.may(who, V.CREATE, K.ROOM).allowed
    assert w.authority.may(who, V.MANAGE, K.ROOM, w.room()).allowed
    assert not w.authority.may(who, V.MANAGE, K.ROOM, w.room(id="other")).visible
    assert not w.authority.reads_everywhere(who)
    assert w.authority.hidden_system_rooms(who) == set(SYSTEM_ROOMS)


def test_system_rooms_are_not_managed(world: Callable[..., Any]) -> None:
    w = world()
    assert not w.authority.may(w.local(), V.MANAGE, K.ROOM, w.room(kind=RoomKind.SYSTEM, id="audit")).allowed


def test_metrics(world: Callable[..., Any]) -> None:
    w = world()
    assert w.authority.reads_metrics(w.key("admin"))
    assert w.authority.reads_metrics(w.key("operate"))
    assert not w.authority.reads_metrics(w.key("observe", "write"))


@pytest.mark.parametrize(
    ("scope", "reads"), [("write", True), ("attach", True), ("pair", True), ("node", False), ("keys", False)]
)
def test_public_rooms_are_read_by_who_takes_part(world: Callable[..., Any], scope: str, reads: bool) -> None:
    w = world()
    who = w.key(scope)
    assert w.authority.may(who, V.READ, K.ROOM, w.room(visibility=Visibility.PUBLIC)).allowed is reads
    directory = w.room(kind=RoomKind.SYSTEM, id="directory")
    assert w.authority.may(who, V.READ, K.ROOM, directory).allowed is reads


@pytest.mark.parametrize(
    ("scopes", "held", "manages"),
    [
        ({"devices", "write"}, {"write"}, True),
        ({"devices", "write"}, {"admin"}, False),
        ({"devices", "write"}, None, False),
        ({"devices", "admin"}, None, True),
        ({"admin", "write"}, {"write"}, False),
    ],
)
def test_devices_are_managed_by_who_could_have_let_them_in(
    world: Callable[..., Any], scopes: set[str], held: set[str] | None, manages: bool
) -> None:
    w = world()
    device = SimpleNamespace(id="d", principal="dev_d", held=[w.key(*held).grant] if held is not None else [])
    assert w.authority.may(w.key(*scopes), V.MANAGE, K.DEVICE, device).allowed is manages
