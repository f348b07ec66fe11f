"""Who a message is from."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.hub.identity.principals import Caller
from instar.wire.identity import Principal, PrincipalKind
from instar.wire.messages import Actor
from instar.wire.names import Network

NETWORK = Network("local", "Local")


def settle(w: Any, caller: Any, actor: Actor | None, origin: str = "") -> Actor:
    return w.authority.sender(caller, actor, NETWORK, origin)


def agent(agent_id: str, **more: str) -> Actor:
    return Actor("agent", agent_id, **more)


def human(person: str) -> Actor:
    return Actor("human", person)


CALLERS: dict[str, Callable[[Any], Any]] = {
    "token": lambda w: w.token(),
    "plain": lambda w: w.key("write"),
    "owner": lambda w: w.key("write", id="key_b"),
    "naming": lambda w: w.key("write", agents={"delta"}),
    "naming both": lambda w: w.key("write", agents={"delta", "beta"}),
    "person": lambda w: w.key("write", agents={"alice"}),
    "admin": lambda w: w.key("write", "admin"),
    "reader": lambda w: w.key("observe", "admin"),
    "pair": lambda w: w.key("pair"),
    "session": lambda w: w.key("write", "admin", kind="session"),
    "local": lambda w: w.local(),
    "anonymous": lambda w: w.anonymous(),
    "here": lambda w: w.here(),
}


@pytest.mark.parametrize(
    ("policy", "caller", "actor", "code"),
    [
        ({}, "token", agent("beta"), ""),
        ({}, "token", agent("gamma"), "conflict"),
        ({}, "token", agent("nobody"), "conflict"),
        ({}, "token", human("beta"), "forbidden"),
        ({}, "token", human("someone"), "forbidden"),
        ({}, "owner", agent("beta"), ""),
        ({}, "owner", agent("gamma"), "conflict"),
        ({}, "plain", agent("beta"), "conflict"),
        ({}, "plain", agent("nobody"), "forbidden"),
        ({}, "plain", agent("loose"), "forbidden"),
        ({}, "plain", human("key_x"), ""),
        ({}, "plain", human("alice"), "forbidden"),
        ({}, "plain", human("operator"), "forbidden"),
        ({}, "plain", human("beta"), "conflict"),
        ({}, "plain", Actor("robot", "nobody"), "forbidden"),
        ({}, "person", human("alice"), ""),
        ({}, "naming", agent("delta"), ""),
        ({}, "naming", agent("beta"), "conflict"),
        ({}, "naming both", agent("beta"), ""),
        ({}, "admin", agent("beta"), ""),
        ({}, "admin", agent("nobody"), ""),
        ({}, "admin", agent("operator"), "forbidden"),
        ({}, "admin", human("alice"), ""),
        ({}, "admin", human("beta"), "conflict"),
        ({}, "reader", agent("beta"), "forbidden"),
        ({}, "reader", human("key_x"), "forbidden"),
        ({}, "session", human("operator"), ""),
        ({}, "pair", agent("beta"), "forbidden"),
        ({}, "pair", agent("beta", network_id="net_a"), ""),
        ({}, "pair", Actor("human", "ann", network_id="net_a"), ""),
        ({}, "admin", agent("beta", network_id="net_a"), "forbidden"),
        ({}, "pair", agent("net_a:beta", network_id="net_b"), "conflict"),
        ({}, "pair", agent("beta", fqid="molt://net_a/agents/gamma"), "conflict"),
        ({}, "pair", agent("beta", fqid="molt://net_a/rooms/beta"), "conflict"),
        ({}, "token", agent("beta", network_id="local", fqid="molt://local/agents/beta"), ""),
        ({}, "token", agent("not an id"), "unprocessable_entity"),
        ({"mode": "open"}, "plain", agent("nobody"), "unauthorized"),
        ({"mode": "open"}, "anonymous", agent("nobody"), "unauthorized"),
        ({"mode": "open"}, "anonymous", human("anonymous"), "unauthorized"),
        ({"human_ingress": False}, "local", human("operator"), "forbidden"),
        ({"human_ingress": False}, "token", agent("beta"), ""),
        ({"mode": "none"}, "here", agent("nobody"), ""),
        ({"mode": "none"}, "here", agent("beta"), ""),
        ({"mode": "none"}, "here", human("anybody"), ""),
        ({"mode": "none"}, "plain", agent("nobody"), "forbidden"),
        ({"mode": "none", "human_ingress": False}, "here", human("anybody"), "forbidden"),
    ],
)
def test_who_may_speak(world: Callable[..., Any], policy: dict[str, Any], caller: str, actor: Actor, code: str) -> None:
    w = world(**policy)
    if not code:
        assert settle(w, CALLERS[caller](w), actor).id == actor.id
        return
    with pytest.raises(InstarError) as caught:
        settle(w, CALLERS[caller](w), actor)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("caller", "actor", "expected"),
    [
        ("local", None, Actor("human", "operator", "Operator", "local", "molt://local/agents/operator")),
        ("session", None, Actor("human", "operator", "Operator", "local", "molt://local/agents/operator")),
        ("plain", None, Actor("human", "key_x", "x", "local", "molt://local/agents/key_x")),
        ("token", None, Actor("agent", "beta", "", "local", "molt://local/agents/beta")),
        ("naming", None, Actor("agent", "delta", "", "local", "molt://local/agents/delta")),
        (
            "local",
            Actor("human", "", "Ann"),
            Actor("human", "operator", "Ann", "local", "molt://local/agents/operator"),
        ),
        ("token", Actor("", "beta"), Actor("agent", "beta", "", "local", "molt://local/agents/beta")),
        ("token", agent("local:beta"), Actor("agent", "beta", "", "local", "molt://local/agents/beta")),
        ("token", agent("molt://local/agents/beta"), Actor("agent", "beta", "", "local", "molt://local/agents/beta")),
        ("pair", agent("net_a:beta"), Actor("agent", "beta", "", "net_a", "molt://net_a/agents/beta")),
    ],
)
def test_senders_are_completed(world: Callable[..., Any], caller: str, actor: Actor | None, expected: Actor) -> None:
    w = world()
    assert settle(w, CALLERS[caller](w), actor) == expected


@pytest.mark.parametrize(("caller", "actor"), [("naming both", None), ("token", Actor("human")), ("plain", agent(""))])
def test_who_speaks_for_several_must_say_so(world: Callable[..., Any], caller: str, actor: Actor | None) -> None:
    w = world()
    with pytest.raises(InstarError) as caught:
        settle(w, CALLERS[caller](w), actor)
    assert caught.value.code == "unprocessable_entity"


def test_the_origin_of_a_relayed_message_is_its_senders(world: Callable[..., Any]) -> None:
    w = world()
    pair = CALLERS["pair"](w)
    assert settle(w, pair, agent("beta", network_id="net_a"), "net_a").network_id == "net_a"
    for actor in (agent("beta"), agent("beta", network_id="net_b")):
        with pytest.raises(InstarError) as caught:
            settle(w, pair, actor, "net_a")
        assert caught.value.code == "conflict"


def test_a_person_speaks_as_themselves_under_their_own_name(world: Callable[..., Any]) -> None:
    w = world()
    person = Principal("usr_1", PrincipalKind.PERSON, "Ada")
    ada = Caller(replace(w.key("write", kind="session").grant, principal=person))
    for said in (None, Actor(), Actor("human"), Actor("human", "usr_1"), Actor("human", "usr_1", "Operator")):
        sender = settle(w, ada, said)
        assert (sender.type, sender.id, sender.name, sender.network_id) == ("human", "usr_1", "Ada", "local")
    for other in (human("usr_2"), human("operator"), agent("beta"), agent("usr_1"), Actor("human", "usr_1", "", "net")):
        with pytest.raises(InstarError):
            settle(w, ada, other)
    with pytest.raises(InstarError):
        settle(w, w.key("write"), Actor("human", "usr_1"))
