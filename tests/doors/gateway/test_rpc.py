import json
from typing import Any

import pytest

from tests.doors.gateway.serving import SECRET, Serving


async def post(hub: Serving, body: object, token: str = "", **headers: str) -> tuple[int, Any]:
    lines = ["POST /api/rpc HTTP/1.1", "Content-Type: application/json"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"{name}: {value}" for name, value in headers.items()]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, _, payload = await hub.http("\n".join(lines), content)
    return status, json.loads(payload)


async def test_a_call_is_answered_with_a_frame(hub: Serving) -> None:
    status, frame = await post(hub, {"id": "7", "method": "agents.list"}, hub.operator)
    assert (status, frame["type"], frame["id"], frame["ok"]) == (200, "res", "7", True)
    assert frame["payload"]["defaultId"] == "guide"
    _, unnamed = await post(hub, {"method": "node.pairing.status", "params": {}}, hub.operator)
    assert unnamed["id"]
    assert unnamed["payload"] == {"enabled": False}
    _, numbered = await post(hub, {"id": 9, "method": "instar.auth.whoami", "params": {}}, hub.operator)
    assert (numbered["id"], numbered["payload"]["principal"]["id"]) == ("9", "operator")


async def test_a_failed_method_is_an_answer_too(hub: Serving) -> None:
    for method, params, code in (
        ("no.such", {}, "UNKNOWN_METHOD"),
        ("node.invoke", {}, "INVALID_REQUEST"),
        ("terminal.open", {}, "UNAVAILABLE"),
        ("chat.history", {}, "INVALID_REQUEST"),
        ("cron.get", {"id": "sch_nothing"}, "NOT_FOUND"),
        ("chat.history", [], "INVALID_REQUEST"),
    ):
        status, frame = await post(hub, {"method": method, "params": params}, hub.operator)
        assert (status, frame["ok"], frame["error"]["code"]) == (200, False, code), method


async def test_scopes_are_those_of_the_credential(hub: Serving) -> None:
    reader = await hub.key("observe")
    _, frame = await post(hub, {"method": "chat.send", "params": {"sessionKey": "main", "message": "x",
                                "idempotencyKey": "k"}}, reader)  # fmt: skip
    assert frame["error"] == {"code": "UNAUTHORIZED", "message": "missing scope: operator.write"}
    status, frame = await post(hub, {"method": "health"}, SECRET)
    assert (status, frame["ok"]) == (200, True)


@pytest.mark.parametrize("token", ["", "wrong", "ik_" + "x" * 43])
async def test_without_a_credential_that_holds(hub: Serving, token: str) -> None:
    status, problem = await post(hub, {"method": "health"}, token)
    assert (status, problem["code"]) == (401, "unauthorized")


async def test_what_is_no_request(hub: Serving) -> None:
    for body in (b"", b"{", b"[]", b'{"method": ""}', b'{"id": {}, "method": "health"}', b"\xff"):
        status, problem = await post(hub, body, hub.operator)
        assert (status, problem["code"]) == (400, "bad_request"), body
    status, _, payload = await hub.http(f"GET /api/rpc HTTP/1.1\nAuthorization: Bearer {hub.operator}")
    assert (status, json.loads(payload)["code"]) == (405, "method_not_allowed")


async def test_a_page_of_another_site_calls_nothing(hub: Serving) -> None:
    status, problem = await post(hub, {"method": "health"}, hub.operator, Origin="https://evil.example")
    assert (status, problem["code"]) == (403, "origin_refused")
