"""The hub's end after the first frame: requests, refusals, waiting, time."""

import json

import pytest

from instar.wire.gateway import refusals
from instar.wire.gateway.actions import Admit, End, Invoke, Send
from instar.wire.gateway.frames import ErrorShape, StateVersion, event_tail, numbered_event
from instar.wire.gateway.machine import State
from instar.wire.limits import (
    GATEWAY_EARLY_FRAMES_MAX,
    GATEWAY_HANDSHAKE_S,
    GATEWAY_PENDING_MAX,
    GATEWAY_V3_FRAME_MAX_BYTES,
    PAIRING_WAIT_S,
)
from instar.wire.machine import MisuseError

from .greeting import AT_MS, NONCE, admitted, invoked, machine, moltis, params, refused, request, sent

PROOF = request("node.auth.challenge-response", {"signature": "QUJD"}, "r1")


def held():
    """Return a machine that holds a Moltis node."""
    made = machine()
    made.receive(request("connect", moltis()), True, 0.0)
    made.receive(PROOF, True, 0.0)
    made.hold({"pairId": "p"}, 0.0)
    return made


def test_the_gateway_speaks_first() -> None:
    made = machine()
    [challenge] = sent(made.start(0.0))
    assert challenge == {"type": "event", "event": "connect.challenge", "payload": {"nonce": NONCE, "ts": AT_MS}}
    assert made.wake_at == GATEWAY_HANDSHAKE_S
    assert made.tick(GATEWAY_HANDSHAKE_S - 0.1) == []
    assert made.tick(GATEWAY_HANDSHAKE_S) == [End(1000, "")]
    assert made.receive(request("connect", params()), True, 20.0) == []


def test_a_client_is_admitted() -> None:
    made = machine()
    [admit] = made.receive(request("connect", params()), True, 0.0)
    assert isinstance(admit, Admit)
    [answer] = sent(made.admitted(b'{"type":"hello-ok"}'))
    assert answer == {"type": "res", "id": "c1", "ok": True, "payload": {"type": "hello-ok"}}
    assert made.is_open
    assert made.wake_at == float("inf")


def test_a_client_is_refused() -> None:
    made = machine()
    made.receive(request("connect", params()), True, 0.0)
    error, code, reason = refused(made.refuse(refusals.plain("no")))
    assert (error["message"], code, reason) == ("no", 1008, "no")
    assert made.refuse(refusals.plain("no")) == []
    assert made.admitted(b"{}") == []
    assert made.end(1000, "") == []
    assert made.hold({}, 0.0) == []
    assert made.resume(0.0) == []


def test_the_reason_of_a_close_is_short() -> None:
    assert refusals.cut("é" * 100) == "é" * 60
    assert refusals.cut("x" + "é" * 100) == "x" + "é" * 59


def test_what_comes_before_the_answer_follows_it() -> None:
    made = machine()
    made.receive(request("connect", params()), True, 0.0)
    assert made.receive(request("health", None, "h"), True, 0.0) == []
    assert invoked(made.admitted(b"{}")) == ["health"]
    made = machine()
    made.receive(request("connect", params()), True, 0.0)
    for _ in range(GATEWAY_EARLY_FRAMES_MAX):
        assert made.receive(request("health"), True, 0.0) == []
    assert made.receive(request("health"), True, 0.0) == [End(1008, "too many pending handshake frames")]
    made = machine()
    made.receive(request("connect", params()), True, 0.0)
    assert made.receive(b"x", False, 0.0) == [End(1000, "")]


def test_requests_are_invoked_and_answered() -> None:
    made = admitted()
    [invoke] = made.receive(request("send", {"a": 1}, "s1", traceparent="00-x"), True, 0.0)
    assert isinstance(invoke, Invoke)
    assert bytes(invoke.request.params) == b'{"a": 1}'
    assert made.pending == 1
    assert sent(made.accept("s1", b'{"status":"accepted"}'))[0]["payload"] == {"status": "accepted"}
    assert made.pending == 1
    assert sent(made.answer("s1", b"[]")) == [{"type": "res", "id": "s1", "ok": True, "payload": []}]
    with pytest.raises(MisuseError):
        made.answer("s1", b"[]")
    made.receive(request("send", None, "s2"), True, 0.0)
    failed = sent(
        made.fail("s2", ErrorShape("UNAVAILABLE", "x", retryable=True, retry_after_ms=5), b'{"status":"error"}')
    )
    error = {"code": "UNAVAILABLE", "message": "x", "retryable": True, "retryAfterMs": 5}
    assert failed == [{"type": "res", "id": "s2", "ok": False, "payload": {"status": "error"}, "error": error}]
    made.receive(request("send", None, "s3"), True, 0.0)
    made.close()
    assert made.is_closed
    assert made.answer("s3", b"{}") == []
    assert made.accept("s3", b"{}") == []
    assert made.fail("s3", ErrorShape("A", "b")) == []


def test_too_many_requests_at_once() -> None:
    made = admitted()
    for number in range(GATEWAY_PENDING_MAX):
        assert invoked(made.receive(request("health", None, str(number)), True, 0.0)) == ["health"]
    [refusal] = sent(made.receive(request("health", None, "more"), True, 0.0))
    assert refusal["error"]["code"] == "UNAVAILABLE"
    assert refusal["error"]["retryable"] is True
    made.answer("0", b"{}")
    assert invoked(made.receive(request("health", None, "again"), True, 0.0)) == ["health"]


def test_faults_after_the_handshake_leave_the_socket_open() -> None:
    made = admitted()
    assert made.receive(b"no json", True, 0.0) == []
    assert made.receive(b'{"type":"x"} trailing', True, 0.0) == []
    assert made.receive(request("health"), False, 0.0) == []
    for payload, name in (
        (b"[]", "invalid"),
        (b'{"id":"7"}', "7"),
        (b'{"id":7}', "invalid"),
        (b'{"id":""}', "invalid"),
    ):
        [answer] = sent(made.receive(payload, True, 0.0))
        assert (answer["id"], answer["ok"], answer["error"]["code"]) == (name, False, "INVALID_REQUEST")
        assert answer["error"]["message"].startswith("invalid request frame: ")
    [answer] = sent(made.receive(request("connect", params(), "again"), True, 0.0))
    assert answer["error"] == {"code": "INVALID_REQUEST", "message": "connect is only valid as the first request"}
    assert made.is_open


def test_faults_of_moltis_clients() -> None:
    made = admitted(moltis(auth={"token": "t"}, role="operator"))
    [event] = sent(made.receive(b"no json", True, 0.0))
    assert (event["event"], event["payload"]) == ("error", {"message": "invalid frame"})
    [event] = sent(made.receive(b" " * (GATEWAY_V3_FRAME_MAX_BYTES + 1), True, 0.0))
    assert event["payload"] == {"code": "PAYLOAD_TOO_LARGE", "maxBytes": GATEWAY_V3_FRAME_MAX_BYTES}
    assert invoked(made.receive(request("health", channel="c", more=1), True, 0.0)) == ["health"]


def test_a_moltis_node_is_held_and_read_all_the_while() -> None:
    made = machine()
    made.receive(request("connect", moltis()), True, 0.0)
    made.receive(PROOF, True, 0.0)
    [pending] = sent(made.hold({"pairId": "p", "fingerprint": "f"}, 1.0))
    assert (pending["event"], pending["payload"]) == ("node.pair.pending", {"pairId": "p", "fingerprint": "f"})
    assert made.receive(b"whatever", True, 2.0) == []
    assert made.wake_at == 1.0 + PAIRING_WAIT_S
    [admit] = made.resume(200.0)
    assert isinstance(admit, Admit)
    assert made.wake_at == 200.0 + GATEWAY_HANDSHAKE_S
    assert sent(made.admitted(b"{}"))[0]["id"] == "c1"


def test_a_held_node_waits_no_longer_than_it_may() -> None:
    made = held()
    error, code, _ = refused(made.tick(PAIRING_WAIT_S))
    assert (error, code) == ({"code": "TIMEOUT", "message": "pairing request expired"}, 1008)
    assert held().receive(b"x", False, 1.0) == [End(1000, "")]


def test_misuse_is_our_fault() -> None:
    for misuse in (lambda: machine().admitted(b"{}"), lambda: machine().hold({}, 0.0), lambda: machine().resume(0.0)):
        with pytest.raises(MisuseError):
            misuse()
    with pytest.raises(MisuseError):
        held().admitted(b"{}")
    assert held().state is State.HELD


def test_events_carry_a_number_before_shared_bytes() -> None:
    tail = event_tail("presence", b'{"presence":[]}', StateVersion(3, 4))
    frame = json.loads(numbered_event(7, tail))
    assert frame == {
        "type": "event", "seq": 7, "event": "presence", "payload": {"presence": []},
        "stateVersion": {"presence": 3, "health": 4},
    }  # fmt: skip
    assert json.loads(numbered_event(8, event_tail("tick", b"{}"), 99))["instarCursor"] == "99"


def test_an_end_in_order() -> None:
    made = admitted()
    assert made.end(1012, "service restart") == [End(1012, "service restart")]
    assert not made.is_open
    assert [action for action in made.end(1008, "x") if isinstance(action, Send)] == []
