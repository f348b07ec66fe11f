"""Who may speak where without being a member: people that attend every room, never programs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from instar.hub.identity.principals import Caller
from instar.wire.identity import Principal, PrincipalKind
from instar.wire.messages import Actor
from instar.wire.rooms import RoomKind, WritePolicy


def of_kind(caller: Caller, kind: PrincipalKind) -> Caller:
    principal = Principal(caller.principal.id, kind, "x")
    return replace(caller, grant=replace(caller.grant, principal=principal))


@pytest.mark.parametrize(
    ("kind", "scopes", "room", "speaks"),
    [
        (PrincipalKind.PERSON, {"observe", "write"}, {}, True),
        (PrincipalKind.DEVICE, {"observe", "write"}, {}, True),
        (PrincipalKind.DEVICE, {"observe", "write"}, {"kind": RoomKind.SESSION}, True),
        (PrincipalKind.PERSON, {"write"}, {}, False),
        (PrincipalKind.PERSON, {"observe"}, {}, False),
        (PrincipalKind.SERVICE, {"observe", "write"}, {}, False),
        (PrincipalKind.PERSON, {"observe", "write"}, {"kind": RoomKind.DM}, False),
        (PrincipalKind.PERSON, {"observe", "write"}, {"write_policy": WritePolicy.REGISTERED_AGENTS}, False),
        (PrincipalKind.PERSON, {"observe", "write"}, {"is_removed": True}, False),
    ],
)
def test_people_speak_where_they_attend(
    world: Callable[..., Any], kind: PrincipalKind, scopes: set[str], room: dict[str, Any], speaks: bool
) -> None:
    w = world()
    caller = of_kind(w.key(*scopes), kind)
    sender = Actor("human", caller.principal.id, "x", "local")
    assert w.authority.may_write(caller, sender, w.room(**room)).allowed is speaks


def test_a_grant_that_is_confined_to_rooms_speaks_in_those(world: Callable[..., Any]) -> None:
    w = world()
    caller = of_kind(w.key("observe", "write", rooms={"general"}), PrincipalKind.PERSON)
    sender = Actor("human", caller.principal.id, "x", "local")
    assert w.authority.may_write(caller, sender, w.room()).allowed
    assert not w.authority.may_write(caller, sender, w.room(id="other")).allowed


def test_an_agent_that_the_person_speaks_for_is_no_person(world: Callable[..., Any]) -> None:
    w = world()
    caller = of_kind(w.key("observe", "write", agents={"beta"}), PrincipalKind.PERSON)
    assert not w.authority.may_write(caller, Actor("agent", "beta", "", "local"), w.room()).allowed
