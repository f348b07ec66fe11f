"""Nothing that a peer sends raises, at either end."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from instar.wire.gateway.actions import Admit, End, Invoke
from instar.wire.gateway.client import ClientMachine
from instar.wire.gateway.method import Generation

from .greeting import admitted, machine, moltis, params, request, signed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["connect", "health", "node.auth.challenge-response", ""]) | st.text(max_size=12)
FRAMES = st.fixed_dictionaries(
    {"type": st.sampled_from(["req", "res", "event"]), "id": st.text(max_size=8), "method": NAMES, "params": JSON}
)
GREETINGS = st.sampled_from([params("v3"), params("v4"), moltis(), signed("v2", params("v3")), signed("v3", params())])


@st.composite
def greetings(draw: Any) -> bytes:
    """A `connect` with one member of it changed at some place."""
    made = json.loads(json.dumps(draw(GREETINGS)))
    place = made
    while isinstance(place, dict) and place:
        name = draw(st.sampled_from(sorted(place)))
        if draw(st.booleans()) or not isinstance(place[name], dict):
            place[name] = draw(JSON)
            break
        place = place[name]
    return request("connect", made)


PAYLOADS = st.binary(max_size=64) | FRAMES.map(lambda frame: json.dumps(frame).encode()) | greetings()


@settings(deadline=None)
@given(st.lists(st.tuples(PAYLOADS, st.booleans()), max_size=6), st.booleans(), st.booleans())
def test_a_handshake_never_raises(said: list[tuple[bytes, bool]], is_local: bool, has_origin: bool) -> None:
    made = machine(is_local=is_local, has_origin=has_origin)
    for payload, is_binary in said:
        actions = made.receive(payload, not is_binary, 0.0)
        assert all(isinstance(action, End) is (action is actions[-1]) for action in actions if isinstance(action, End))
        if any(isinstance(action, Admit) for action in actions):
            assert len(actions) == 1
        if actions and isinstance(actions[-1], End):
            assert made.receive(payload, True, 0.0) == []


@settings(deadline=None)
@given(st.lists(PAYLOADS, max_size=8), st.booleans())
def test_an_open_connection_survives_everything(said: list[bytes], is_moltis: bool) -> None:
    made = admitted(moltis(role="operator", auth={"token": "t"}) if is_moltis else params())
    for payload in said:
        for action in made.receive(payload, True, 0.0):
            assert not isinstance(action, End)
            if isinstance(action, Invoke):
                made.answer(action.request.id, b"{}")
    assert made.is_open
    assert made.pending == 0


@settings(deadline=None)
@given(st.lists(st.tuples(PAYLOADS, st.booleans()), max_size=8), st.sampled_from(list(Generation)))
def test_a_client_never_raises(said: list[tuple[bytes, bool]], generation: Generation) -> None:
    client = ClientMachine(generation)
    client.start(0.0)
    for payload, is_text in said:
        client.receive(payload, is_text, 0.0)
    client.tick(1_000.0)


@settings(deadline=None)
@given(greetings())
def test_the_same_bytes_are_judged_the_same(payload: bytes) -> None:
    assert machine().receive(payload, True, 0.0) == machine().receive(payload, True, 0.0)
