"""The first frame, row by row of the dialect's own order."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from instar.wire.gateway.actions import Admit, End
from instar.wire.gateway.method import Generation
from instar.wire.limits import GATEWAY_UNAUTHENTICATED_FRAME_MAX_BYTES
from instar.wire.signatures import to_base64url, verify

from .greeting import (
    AT_MS,
    DEVICE_ID,
    NODE_NONCE,
    NONCE,
    PRIVATE,
    PUBLIC,
    machine,
    moltis,
    params,
    refused,
    request,
    sent,
    signed,
)

BOTH = pytest.mark.parametrize("generation", ["v3", "v4"])


def first(payload: bytes, is_text: bool = True, **how: bool) -> Any:
    return machine(**how).receive(payload, is_text, 0.0)


@pytest.mark.parametrize("payload", [b"", b"hello", b'{"type":"req"', b"\xff\xfe", b'{"type":"x"} trailing'])
def test_1_what_is_no_json_ends_without_a_word(payload: bytes) -> None:
    assert first(payload) == [End(1000, "")]


def test_1_a_binary_frame_ends_without_a_word() -> None:
    assert first(request("connect", params()), is_text=False) == [End(1000, "")]


@pytest.mark.parametrize(
    "frame",
    [[], 1, {}, {"type": "res"}, {"type": "req", "id": "", "method": "connect"}, {"type": "req", "id": "1"},
     {"type": "req", "id": 1, "method": "connect"}, {"type": "req", "id": "1", "method": "connect", "more": 1}],
)  # fmt: skip
def test_2_what_is_no_request_is_closed_without_an_answer(frame: Any) -> None:
    assert first(json.dumps(frame).encode()) == [End(1008, "invalid request frame")]


def test_3_the_first_request_is_connect() -> None:
    error, code, reason = refused(first(request("health")))
    message = "invalid handshake: first request must be connect"
    assert error == {"code": "INVALID_REQUEST", "message": message}
    assert (code, reason) == (1008, message)


@pytest.mark.parametrize(
    ("changes", "place"),
    [({"client": {"id": "ios-node"}}, "client.id"), ({"client": {"mode": "other"}}, "client.mode"),
     ({"client": {"more": 1}}, "client"), ({"minProtocol": 0}, "minProtocol"), ({"more": 1}, "more"),
     ({"auth": {"token": 1}}, "auth.token"), ({"auth": {"more": "x"}}, "auth"), ({"caps": [""]}, "caps"),
     ({"device": {"id": "x"}}, "device"), ({"minProtocol": None}, "minProtocol")],
)  # fmt: skip
@BOTH
def test_4_parameters_fit_their_generation(generation: str, changes: dict[str, Any], place: str) -> None:
    error, code, reason = refused(first(request("connect", params(generation, **changes))))
    assert error["code"] == "INVALID_REQUEST"
    assert error["message"].startswith("invalid connect params: ")
    assert place in error["message"]
    assert code == 1008
    assert reason == error["message"].encode()[:120].decode()


def test_4_absent_and_null_parameters() -> None:
    for payload in (
        request("connect"),
        request("connect", []),
        b'{"type":"req","id":"c1","method":"connect","params":null}',
    ):
        error, code, _ = refused(first(payload))
        assert error["message"].startswith("invalid connect params: ")
        assert code == 1008


@pytest.mark.parametrize(
    "changes",
    [{"auth": {"deviceToken": "x"}}, {"client": {"timeZone": "UTC"}}, {"client": {"id": "openclaw-tui"}},
     {"computerUse": {}}, {"client": {"mode": "worker"}}],
)  # fmt: skip
def test_4_what_came_with_generation_4_is_unknown_to_3(changes: dict[str, Any]) -> None:
    assert refused(first(request("connect", params("v3", **changes))))[1] == 1008
    [admit] = first(request("connect", params("v4", **changes)))
    assert isinstance(admit, Admit)


@pytest.mark.parametrize(("lowest", "highest"), [(1, 2), (5, 9), (4, 3)])
def test_5_the_protocol_is_one_of_ours(lowest: int, highest: int) -> None:
    error, code, reason = refused(first(request("connect", params(minProtocol=lowest, maxProtocol=highest))))
    assert error["code"] == "INVALID_REQUEST"
    assert error["message"] == "protocol mismatch"
    assert error["details"] == {
        "code": "PROTOCOL_MISMATCH", "clientMinProtocol": lowest, "clientMaxProtocol": highest,
        "expectedProtocol": 4, "minimumProbeProtocol": 3,
    }  # fmt: skip
    assert (code, reason) == (1002, "protocol mismatch")


@pytest.mark.parametrize(
    ("lowest", "highest", "generation"),
    [(3, 3, Generation.V3), (1, 3, Generation.V3), (3, 4, Generation.V4), (4, 9, Generation.V4)],
)
def test_5_a_range_that_holds_4_is_the_fourth(lowest: int, highest: int, generation: Generation) -> None:
    [admit] = first(request("connect", params(minProtocol=lowest, maxProtocol=highest)))
    assert isinstance(admit, Admit)
    assert admit.who.generation is generation


@BOTH
def test_6_the_role_is_known(generation: str) -> None:
    error, code, reason = refused(first(request("connect", params(generation, role="worker"))))
    assert error == {"code": "INVALID_REQUEST", "message": "invalid role"}
    assert (code, reason) == (1008, "invalid role")


def test_7_a_page_says_where_it_comes_from() -> None:
    page = params(client={"id": "openclaw-control-ui", "mode": "ui"})
    error, code, reason = refused(first(request("connect", page)))
    assert error["code"] == "INVALID_REQUEST"
    assert error["details"] == {"code": "CONTROL_UI_ORIGIN_NOT_ALLOWED", "reason": "origin missing or invalid"}
    assert code == 1008
    assert reason.startswith("origin not allowed")
    [admit] = first(request("connect", page), has_origin=True)
    assert isinstance(admit, Admit)


FAULTS = {
    "DEVICE_AUTH_DEVICE_ID_MISMATCH": ({"id": "0" * 64}, "device identity mismatch", "device-id-mismatch"),
    "DEVICE_AUTH_SIGNATURE_EXPIRED": (
        {"signedAt": AT_MS - 700_000},
        "device signature expired",
        "device-signature-stale",
    ),
    "DEVICE_AUTH_NONCE_MISMATCH": ({"nonce": "other"}, "device nonce mismatch", "device-nonce-mismatch"),
    "DEVICE_AUTH_SIGNATURE_INVALID": ({"signature": "$"}, "device signature invalid", "device-signature"),
}


@pytest.mark.parametrize("fault", FAULTS)
@BOTH
def test_9_to_12_a_device_proves_itself_to_this_connection(generation: str, fault: str) -> None:
    changes, message, reason = FAULTS[fault]
    made = signed("v2", params(generation), **changes)
    error, code, closing = refused(first(request("connect", made)))
    details = {"details": {"code": fault, "reason": reason}} if generation == "v4" else {}
    assert error == {"code": "INVALID_REQUEST", "message": message, **details}
    assert (code, closing) == (1008, message)


def test_10_the_fourth_generation_keeps_better_time() -> None:
    for age_ms, is_third, is_fourth in ((119_000, True, True), (121_000, True, False), (599_000, True, False)):
        for sign in (-1, 1):
            for generation, passes in (("v3", is_third), ("v4", is_fourth)):
                made = signed("v2", params(generation), signedAt=AT_MS + sign * age_ms)
                assert isinstance(first(request("connect", made))[0], Admit) is passes


def test_10_the_time_is_that_of_the_frame_not_of_the_socket() -> None:
    late = machine()
    made = signed("v2", params(), signedAt=AT_MS)
    assert refused(late.receive(request("connect", made), True, 121.0))[0]["message"] == "device signature expired"


def test_11_only_the_third_generation_on_this_machine_may_leave_the_nonce_out() -> None:
    made = request("connect", signed("v1", params("v3")))
    [admit] = first(made)
    assert isinstance(admit, Admit)
    assert refused(first(made, is_local=False))[0]["message"] == "device nonce required"
    error, _, _ = refused(first(request("connect", signed("v1", params("v4")))))
    assert error["message"].startswith("invalid connect params")
    empty = signed("v2", params("v4"), nonce=" ")
    assert refused(first(request("connect", empty)))[0]["details"]["code"] == "DEVICE_AUTH_NONCE_REQUIRED"


@pytest.mark.parametrize(
    ("generation", "version", "fits"),
    [("v3", "v2", True), ("v4", "v2", True), ("v4", "v3", True), ("v3", "v3", False), ("v3", "v1", True)],
)
def test_the_messages_that_a_signature_may_be_of(generation: str, version: str, fits: bool) -> None:
    asked = ["operator.read", "operator.pairing"]
    made = signed(version, params(generation, scopes=asked, auth={"token": "t"}, client={"deviceFamily": "Linux"}))
    [admit] = first(request("connect", made))
    assert isinstance(admit, Admit)
    assert admit.proof is not None
    assert admit.proof.public_key == PUBLIC
    assert any(verify(PUBLIC, admit.proof.signature, message) for message in admit.proof.messages) is fits


def test_a_downgraded_signature_fits_nothing() -> None:
    """A signature of v1 is no answer where a nonce was given, nor one of v2 where v1 is asked for."""
    made = signed("v2", params("v3"))
    without = signed("v1", params("v3"))
    made["device"]["signature"] = without["device"]["signature"]
    [admit] = first(request("connect", made))
    assert admit.proof is not None
    assert not any(verify(PUBLIC, admit.proof.signature, message) for message in admit.proof.messages)


def test_golden_payloads() -> None:
    made = signed("v3", params(scopes=["operator.read"], auth={"token": "tok"}, client={"deviceFamily": "Linux"}))
    [admit] = first(request("connect", made))
    head = f"{DEVICE_ID}|cli|cli|operator|operator.read|{AT_MS}|tok|{NONCE}"
    assert admit.proof is not None
    assert admit.proof.messages == (f"v3|{head}|linux|linux".encode(), f"v2|{head}".encode())
    [admit] = first(request("connect", signed("v1", params("v3"))))
    assert admit.proof is not None
    assert admit.proof.messages == (f"v1|{DEVICE_ID}|cli|cli|operator||{AT_MS}|".encode(),)


def test_a_key_in_pem_is_the_same_key() -> None:
    pem = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    [admit] = first(request("connect", signed("v2", params(), publicKey=pem)))
    assert admit.proof is not None
    assert admit.proof.public_key == PUBLIC
    for wrong in ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", to_base64url(PUBLIC[:31]), "!"):
        error, _, _ = refused(first(request("connect", signed("v2", params(), publicKey=wrong))))
        assert error["details"]["code"] == "DEVICE_AUTH_DEVICE_ID_MISMATCH"


def test_what_is_said_is_read() -> None:
    said = params(
        client={"displayName": "d", "deviceFamily": "f", "modelIdentifier": "m", "instanceId": "i", "timeZone": "UTC"},
        scopes=["operator.read"], caps=["tool-events"], commands=["c"], permissions={"p": True}, pathEnv="/bin",
        auth={"token": "t", "password": "p", "deviceToken": "d", "bootstrapToken": "b"},
    )  # fmt: skip
    [admit] = first(request("connect", said))
    who = admit.who
    assert (who.display_name, who.family, who.model, who.instance_id, who.time_zone) == ("d", "f", "m", "i", "UTC")
    assert (who.asked, who.scopes, who.caps, who.commands) == (("operator.read",),) * 2 + (("tool-events",), ("c",))
    assert (who.permissions, who.path_env) == ({"p": True}, "/bin")
    assert (who.token, who.password, who.device_token, who.bootstrap_token) == ("t", "p", "d", "b")


def test_the_third_generation_asks_for_everything_by_asking_for_nothing() -> None:
    [third] = first(request("connect", params("v3")))
    assert (third.who.asked, third.who.scopes) == ((), ("operator.admin",))
    [fourth] = first(request("connect", params("v4")))
    assert (fourth.who.asked, fourth.who.scopes) == ((), ())
    [node] = first(request("connect", params("v3", role="node")))
    assert node.who.scopes == ()


@pytest.mark.parametrize("identity", ["clawdbot-macos", "moltbot-ios", "clawdbot-control-ui"])
def test_the_names_that_the_project_bore_are_known_to_the_third(identity: str) -> None:
    [admit] = first(request("connect", params("v3", client={"id": identity})), has_origin=True)
    assert isinstance(admit, Admit)


def test_a_frame_too_large_before_anybody_is_known() -> None:
    padded = request("connect", params(userAgent="x" * GATEWAY_UNAUTHENTICATED_FRAME_MAX_BYTES))
    assert first(padded) == [End(1009, "preauth payload too large")]


def test_moltis_signs_the_raw_nonce() -> None:
    made = machine()
    [challenge] = sent(made.receive(request("connect", moltis()), True, 0.0))
    assert challenge == {
        "type": "event", "event": "node.auth.challenge",
        "payload": {"nonce": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
    }  # fmt: skip
    # The vector of an independent library: seed 00…1f, nonce 00…1f.
    signature = "szXcXq5wtIdk8RIHu6pidXy7lOggzro3autipYFd+r54Qhd1iDbKKFBKNqIWCrvcnnh0/h1lJKWGZe8sQm2jDg=="
    assert made.receive(b"junk", True, 1.0) == []
    assert made.receive(request("health"), True, 1.0) == []
    [admit] = made.receive(request("node.auth.challenge-response", {"signature": signature}, "r1"), True, 1.0)
    assert isinstance(admit, Admit)
    assert admit.proof is not None
    assert admit.proof.messages == (NODE_NONCE,)
    assert verify(admit.proof.public_key, admit.proof.signature, NODE_NONCE)
    assert (admit.who.id, admit.who.role, admit.who.caps) == ("node-a", "node", ("system.run",))


def test_moltis_refusals() -> None:
    wrong_key = moltis(auth={"publicKey": "AAAA"})
    error, code, _ = refused(first(request("connect", wrong_key)))
    assert (error, code) == ({"code": "INVALID_REQUEST", "message": "invalid Ed25519 public key"}, 1008)
    error, code, _ = refused(first(request("connect", moltis(protocol={"min": 1, "max": 3}))))
    assert (error, code) == ({"code": "PROTOCOL_ERROR", "message": "protocol mismatch: server=4, client=1-3"}, 1002)
    made = machine()
    made.receive(request("connect", moltis()), True, 0.0)
    error, code, _ = refused(made.receive(request("node.auth.challenge-response", {"signature": "$"}, "r1"), True, 0.0))
    assert (error["code"], code) == ("FORBIDDEN", 1008)
    made = machine()
    made.receive(request("connect", moltis()), True, 0.0)
    assert made.receive(b"x", False, 0.0) == [End(1000, "")]


def test_moltis_in_its_flat_form() -> None:
    flat = {"minProtocol": 3, "maxProtocol": 4, "client": moltis()["client"], "caps": ["a"], "auth": {"api_key": "mk"}}
    [admit] = first(request("connect", flat))
    who = admit.who
    assert (who.generation, who.is_flat, who.token, who.caps, who.role) == (
        Generation.MOLTIS,
        True,
        "mk",
        ("a",),
        "operator",
    )
    assert who.scopes is None


def test_another_key_is_another_device() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32).public_key().public_bytes_raw()
    error, _, _ = refused(first(request("connect", signed("v2", params(), publicKey=to_base64url(other)))))
    assert error["details"]["code"] == "DEVICE_AUTH_DEVICE_ID_MISMATCH"
