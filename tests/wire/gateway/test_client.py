"""The client's end, against the hub's end and against what a hub would never send."""

import base64
import json
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from instar.base.errors import InstarError
from instar.wire.gateway import refusals
from instar.wire.gateway.actions import (
    Admit,
    Answered,
    Challenged,
    ClientAction,
    End,
    Happened,
    Invoke,
    Missed,
    Opened,
    Prove,
    Refused,
    Send,
)  # fmt: skip
from instar.wire.gateway.client import ClientMachine, State
from instar.wire.gateway.frames import answer_frame, event_frame, event_tail, numbered_event
from instar.wire.gateway.machine import ServerMachine
from instar.wire.gateway.method import Generation
from instar.wire.limits import GATEWAY_HANDSHAKE_S, GATEWAY_PENDING_MAX, GATEWAY_TICK_S, PAIRING_WAIT_S
from instar.wire.machine import MisuseError

from .greeting import NONCE, machine, moltis, params


def payloads(actions: Any) -> list[bytes]:
    return [action.payload for action in actions if isinstance(action, Send)]


def opened(generation: Generation = Generation.V4) -> tuple[ClientMachine, ServerMachine]:
    """Return both ends of a connection that stands."""
    hub, client = machine(), ClientMachine(generation)
    client.start(0.0)
    [challenged] = client.receive(payloads(hub.start(0.0))[0], True, 0.0)
    assert challenged == Challenged(NONCE, 1_790_000_000_000)
    [greeting] = payloads(client.connect(json.dumps(params(str(generation))).encode()))
    [admit] = hub.receive(greeting, True, 0.0)
    assert isinstance(admit, Admit)
    [hello] = payloads(hub.admitted(b'{"type":"hello-ok"}'))
    [open_] = client.receive(hello, True, 0.0)
    assert isinstance(open_, Opened)
    assert bytes(open_.hello) == b'{"type":"hello-ok"}'
    return client, hub


@pytest.mark.parametrize("generation", [Generation.V3, Generation.V4])
def test_both_ends_meet(generation: Generation) -> None:
    client, hub = opened(generation)
    request_id, actions = client.call("agent", b'{"message":"hi"}', wants_final=True)
    [invoke] = hub.receive(payloads(actions)[0], True, 0.0)
    assert isinstance(invoke, Invoke)
    early = client.receive(payloads(hub.accept(invoke.request.id, b'{"status":"accepted"}'))[0], True, 0.0)
    assert early == [Answered(request_id, early[0].payload, is_final=False)]  # type: ignore[union-attr]
    [final] = client.receive(payloads(hub.answer(invoke.request.id, b'{"status":"ok"}'))[0], True, 0.0)
    assert isinstance(final, Answered)
    assert final.is_final
    assert client.receive(answer_frame(request_id, b"{}"), True, 0.0) == []


def test_a_moltis_node_and_its_gateway() -> None:
    hub, client = machine(), ClientMachine(Generation.MOLTIS)
    assert client.start(0.0) == [Challenged("", 0)]
    [greeting] = payloads(client.connect(json.dumps(moltis()).encode()))
    # The challenge of the other dialect, which a hub sends before it knows who speaks, means nothing here.
    assert client.receive(payloads(hub.start(0.0))[0], True, 0.0) == []
    [prove] = client.receive(payloads(hub.receive(greeting, True, 0.0))[0], True, 0.0)
    assert isinstance(prove, Prove)
    signature = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).sign(prove.nonce)
    [proof] = payloads(client.prove(base64.b64encode(signature).decode()))
    assert isinstance(hub.receive(proof, True, 0.0)[0], Admit)
    [happened] = client.receive(payloads(hub.hold({"pairId": "p"}, 0.0))[0], True, 0.0)
    assert isinstance(happened, Happened)
    assert client.wake_at > PAIRING_WAIT_S
    hub.resume(1.0)
    assert isinstance(client.receive(payloads(hub.admitted(b"{}"))[0], True, 1.0)[0], Opened)


def test_a_refused_client_ends() -> None:
    hub, client = machine(), ClientMachine(Generation.V4)
    client.start(0.0)
    client.receive(payloads(hub.start(0.0))[0], True, 0.0)
    [greeting] = payloads(client.connect(json.dumps(params()).encode()))
    hub.receive(greeting, True, 0.0)
    refused, end = client.receive(payloads(hub.refuse(refusals.plain("no")))[0], True, 0.0)
    assert isinstance(refused, Refused)
    assert refused.error.message == "no"
    assert end == End(1000)
    assert client.state is State.CLOSED
    assert client.receive(b"{}", True, 0.0) == []
    assert client.connect(b"{}") == []
    assert client.prove("x") == []
    with pytest.raises(InstarError, match="no connection"):
        client.call("health")


def test_requests_fail_one_by_one() -> None:
    client, _ = opened()
    request_id, _ = client.call("health")
    frame = {"type": "res", "id": request_id, "ok": False, "error": {"code": "X", "message": "m", "details": {"a": 1}}}
    [refused] = client.receive(json.dumps(frame).encode(), True, 0.0)
    assert isinstance(refused, Refused)
    assert (refused.error.code, refused.error.details) == ("X", {"a": 1})
    request_id, _ = client.call("health")
    [refused] = client.receive(json.dumps({"type": "res", "id": request_id, "ok": False}).encode(), True, 0.0)
    assert isinstance(refused, Refused)
    request_id, _ = client.call("health")
    [answered] = client.receive(json.dumps({"type": "res", "id": request_id, "ok": True}).encode(), True, 0.0)
    assert isinstance(answered, Answered)
    assert bytes(answered.payload) == b"null"
    request_id, _ = client.call("x", wants_final=True)
    [answered] = client.receive(answer_frame(request_id, b"[1]"), True, 0.0)
    assert isinstance(answered, Answered)
    assert answered.is_final


def test_too_many_requests() -> None:
    client, _ = opened()
    for _ in range(GATEWAY_PENDING_MAX):
        client.call("health")
    with pytest.raises(InstarError, match="under way"):
        client.call("health")


def test_a_gap_is_seen() -> None:
    client, _ = opened()
    tail = event_tail("tick", b"{}")
    assert client.receive(numbered_event(1, tail), True, 0.0) == [_tick()]
    assert client.receive(numbered_event(2, tail), True, 0.0) == [_tick()]
    assert client.receive(numbered_event(5, tail, 9), True, 0.0) == [Missed(2, 5), _tick("9")]
    assert client.receive(event_frame("tick", b"{}"), True, 0.0) == [_tick()]


def _tick(cursor: str = "") -> ClientAction:
    return Happened("tick", msgspec.Raw(b"{}"), cursor)


def test_a_silent_gateway_is_given_up() -> None:
    client, _ = opened()
    client.receive(event_frame("tick", b"{}"), True, 10.0)
    assert client.wake_at == 10.0 + 2 * GATEWAY_TICK_S
    assert client.tick(11.0) == []
    [end] = client.tick(10.0 + 2 * GATEWAY_TICK_S)
    assert isinstance(end, End)
    assert end.code == 4000
    fresh = ClientMachine(Generation.V4)
    fresh.start(0.0)
    assert fresh.wake_at == GATEWAY_HANDSHAKE_S


@pytest.mark.parametrize(
    "payload", [b"x", b"[]", b'{"type":"event"}', b'{"type":"res","id":1}', b'{"type":"event","event":1}']
)
def test_what_is_no_frame_ends_the_connection(payload: bytes) -> None:
    client, _ = opened()
    [end] = client.receive(payload, True, 0.0)
    assert isinstance(end, End)
    assert end.code == 1002


def test_other_faults_of_a_gateway() -> None:
    client, _ = opened()
    assert isinstance(client.receive(b"{}", False, 0.0)[0], End)
    client, _ = opened()
    assert client.receive(b'{"type":"req","id":"1","method":"m"}', True, 0.0) == []
    client, _ = opened()
    assert isinstance(client.receive(event_frame("node.auth.challenge", b'{"nonce":"$"}'), True, 0.0)[0], End)
    client, _ = opened()
    with pytest.raises(MisuseError):
        client.connect(b"{}")
