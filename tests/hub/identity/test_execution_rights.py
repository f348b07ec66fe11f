"""Who may ask for calls, see them, stop them, decide about them, and choose where they go."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from instar.wire.operation import ObjectKind, Verb
from instar.wire.rooms import Visibility

from .conftest import Room

K, V = ObjectKind, Verb


@dataclass(frozen=True)
class Asked:
    """A call, or a route, as authority sees it."""

    id: str = "call_1"
    requester: str = ""
    room: Any = None
    agent_id: str = ""


HIDDEN = Room(visibility=Visibility.PRIVATE, members=frozenset({"beta"}))


@pytest.mark.parametrize(
    ("scopes", "call", "missing"),
    [
        (("write", "attach"), Asked(), "scope execute"),
        (("admin", "operate"), Asked(), "scope execute"),
        (("execute",), Asked(), ""),
        (("execute",), Asked(agent_id="beta"), "the credential of agent `beta`"),
        (("execute", "admin"), Asked(agent_id="beta"), ""),
        (("execute",), Asked(room=HIDDEN), "scope observe or membership of room:general"),
        (("execute", "observe"), Asked(room=HIDDEN), ""),
    ],
)
def test_asking_for_a_call(world: Callable[..., Any], scopes: tuple[str, ...], call: Asked, missing: str) -> None:
    w = world()
    assert w.authority.may(w.key(*scopes), V.CREATE, K.CALL, call).missing == missing


def test_an_agent_asks_on_its_own_behalf_alone(world: Callable[..., Any]) -> None:
    w = world()
    beta = w.key("execute", "attach", "write", id="key_b", agents={"beta"}, kind="agent")
    assert w.authority.may(beta, V.CREATE, K.CALL, Asked(agent_id="beta", room=HIDDEN)).allowed
    assert not w.authority.may(beta, V.CREATE, K.CALL, Asked(agent_id="gamma")).allowed


def test_a_grant_that_is_confined_to_rooms_calls_in_them_alone(world: Callable[..., Any]) -> None:
    w = world()
    confined = w.key("execute", "observe", rooms={"general"})
    assert w.authority.may(confined, V.CREATE, K.CALL, Asked(room=Room())).allowed
    assert w.authority.may(confined, V.CREATE, K.CALL, Asked()).missing == "a room that the grant reaches"


@pytest.mark.parametrize(
    ("scopes", "sees", "stops"),
    [
        (("execute",), False, False),
        (("observe", "execute"), False, False),
        (("approve",), True, False),
        (("approve", "operate"), True, True),
        (("operate",), False, False),
    ],
)
def test_a_call_without_a_room_is_its_requesters(
    world: Callable[..., Any], scopes: tuple[str, ...], sees: bool, stops: bool
) -> None:
    w = world()
    other = Asked(requester="somebody")
    seen = w.authority.may(w.key(*scopes), V.READ, K.CALL, other)
    assert (seen.allowed, seen.visible) == (sees, sees)
    assert w.authority.may(w.key(*scopes), V.MANAGE, K.CALL, other).allowed is stops
    own = Asked(requester=w.key(*scopes).principal.id)
    assert w.authority.may(w.key(*scopes), V.READ, K.CALL, own).allowed


def test_an_approver_who_is_confined_to_rooms_sees_their_calls_alone(world: Callable[..., Any]) -> None:
    w = world()
    confined = w.key("approve", rooms={"general"})
    assert w.authority.may(confined, V.READ, K.CALL, Asked(requester="somebody", room=Room())).allowed
    for hidden in (Asked(requester="somebody"), Asked(requester="somebody", room=Room(id="other"))):
        seen = w.authority.may(confined, V.READ, K.CALL, hidden)
        assert (seen.allowed, seen.visible) == (False, False)


@pytest.mark.parametrize("verb", [V.READ, V.MANAGE, V.GRANT])
def test_no_agent_decides_what_agents_may_run(world: Callable[..., Any], verb: Verb) -> None:
    w = world()
    assert w.authority.may(w.key("approve"), verb, K.APPROVAL).allowed
    registered = w.key("approve", "admin", id="key_g")
    for agent in (
        w.key("approve", "admin", agents={"beta"}), w.key("approve", agents={"beta"}, kind="agent"), registered,
    ):  # fmt: skip
        assert w.authority.may(agent, verb, K.APPROVAL).missing.startswith("a person")
    assert w.authority.may(w.key("admin", "execute"), verb, K.APPROVAL).missing == "scope approve"


def test_what_a_node_may_be_asked_is_said_by_who_could_ask_it(world: Callable[..., Any]) -> None:
    w = world()
    assert w.authority.may(w.key("devices", "execute"), V.GRANT, K.NODE).allowed
    for scopes in (("devices",), ("execute",), ("admin", "operate")):
        assert not w.authority.may(w.key(*scopes), V.GRANT, K.NODE).allowed


@pytest.mark.parametrize(
    ("scopes", "route", "missing"),
    [
        (("admin",), Asked(), "scope execute"),
        (("execute",), Asked(), "scope admin"),
        (("execute", "admin"), Asked(), ""),
        (("execute", "observe"), Asked(room=HIDDEN), "scope admin, or membership of the room"),
        (("execute", "admin"), Asked(room=HIDDEN), ""),
    ],
)
def test_choosing_where_calls_go(
    world: Callable[..., Any], scopes: tuple[str, ...], route: Asked, missing: str
) -> None:
    w = world()
    assert w.authority.may(w.key(*scopes), V.MANAGE, K.ROUTE, route).missing == missing


def test_a_member_chooses_for_its_room(world: Callable[..., Any]) -> None:
    w = world()
    beta = w.key("execute", "write", "attach", id="key_b", agents={"beta"}, kind="agent")
    assert w.authority.may(beta, V.MANAGE, K.ROUTE, Asked(room=HIDDEN)).allowed
