"""Who may call what, in the dialect's words; what is refused before a handler sees it."""

import json
from typing import Any

import pytest

from instar.wire.limits import AUTH_FAILURES_MAX

from .serving import SECRET, Key, Serving, hello

TOKEN = {"token": SECRET}


async def paired_node(hub: Serving) -> tuple[Key, dict[str, Any]]:
    """Return a node that was let in, and how it connects."""
    key = Key()
    params = hello(auth=TOKEN, role="node", scopes=[], client={"id": "node-host", "mode": "node"}, caps=["canvas"])
    async with hub.socket() as peer:
        asked = await peer.connect(params, key)
        await hub.approve(asked["error"]["details"]["requestId"])
    return key, params


async def test_a_node_calls_its_own_methods_alone(hub: Serving) -> None:
    key, params = await paired_node(hub)
    async with hub.socket() as peer:
        ok = await peer.hello(params, key)
        assert (ok["auth"]["role"], ok["auth"]["scopes"]) == ("node", [])
        assert ok["snapshot"]["presence"] == []
        assert (await peer.call("health"))["payload"].keys() == {"ok", "ts"}
        for method in ("status", "config.get", "instar.hub.status", "nope", "device.pair.list"):
            error = (await peer.call(method))["error"]
            assert (error["code"], error["message"]) == ("INVALID_REQUEST", "unauthorized role: node")
        assert (await peer.call("instar.resume"))["error"]["details"]["code"] == "NOT_AVAILABLE"
        assert (await peer.call("node.event", {"event": "x"}))["payload"]["handled"] is False
        assert (await peer.call("node.skills.update", {}))["error"]["details"]["code"] == "NOT_AVAILABLE"


@pytest.mark.parametrize("generation", ["v3", "v4"])
async def test_an_operator_is_no_node(hub: Serving, generation: str) -> None:
    async with hub.socket() as peer:
        await peer.hello(hello(generation, auth=TOKEN, scopes=["operator.admin"]))
        error = (await peer.call("node.event", {"event": "exec.finished"}))["error"]
        assert (error["code"], error["message"]) == ("INVALID_REQUEST", "unauthorized role: operator")


async def test_unknown_methods_are_told_to_admins_alone(hub: Serving) -> None:
    expected = {
        "v3": ("INVALID_REQUEST", "missing scope: operator.admin"),
        "v4": ("FORBIDDEN", "missing scope: operator.admin"),
    }
    for generation, refusal in expected.items():
        async with hub.socket() as peer:
            await peer.hello(hello(generation, auth=TOKEN))
            error = (await peer.call("nope"))["error"]
            assert (error["code"], error["message"]) == refusal
        async with hub.socket() as peer:
            await peer.hello(hello(generation, auth=TOKEN, scopes=["operator.admin"]))
            error = (await peer.call("nope"))["error"]
            assert (error["code"], error["message"]) == ("INVALID_REQUEST", "unknown method: nope")


async def test_parameters_are_closed(hub: Serving) -> None:
    async with hub.socket() as peer:
        await peer.hello(hello(auth=TOKEN, scopes=["operator.admin"]))
        for params in ({"more": 1}, [], 1, {"includeChannelSummary": "x"}):
            error = (await peer.call("status", params))["error"]
            assert error["code"] == "INVALID_REQUEST"
            assert error["message"].startswith("invalid status params: ")
        assert (await peer.call("health", {"more": 1}))["ok"]


async def test_the_operations_under_their_own_names(hub: Serving) -> None:
    async with hub.socket() as peer:
        await peer.hello(hello(auth=TOKEN, scopes=["operator.admin"]))
        assert (await peer.call("instar.auth.whoami"))["payload"]["principal"]["id"] == "gateway"
        room = {"id": "built", "members": [], "idempotencyKey": "once"}
        assert (await peer.call("instar.rooms.create", room))["payload"]["id"] == "built"
        error = (await peer.call("instar.rooms.get", {"room_id": "nowhere"}))["error"]
        assert (error["code"], error["details"]["code"]) == ("INVALID_REQUEST", "NOT_FOUND")
        error = (await peer.call("instar.rooms.get", {"idempotencyKey": 1}))["error"]
        assert error["message"].startswith("invalid instar.rooms.get params: ")
        error = (await peer.call("instar.keys.list"))["error"]
        assert error["details"]["missingScope"] == "operator.admin"


async def test_writing_settings_has_a_pace(hub: Serving) -> None:
    async with hub.socket() as peer:
        await peer.hello(hello(auth=TOKEN, scopes=["operator.admin"]))
        answers = [await peer.call("config.patch", {"raw": "{}", "baseHash": "stale"}) for _ in range(31)]
        assert all("rate limit" not in answer["error"]["message"] for answer in answers[:30])
        error = answers[30]["error"]
        assert (error["code"], error["retryable"]) == ("UNAVAILABLE", True)
        assert error["message"].startswith("rate limit exceeded for config.patch; retry after ")
        assert error["retryAfterMs"] > 0


async def test_many_requests_in_one_read(hub: Serving) -> None:
    async with hub.socket() as peer:
        await peer.hello(hello(auth=TOKEN))
        for number in range(200):
            await peer.say(type="req", id=str(number), method="health" if number % 2 else "instar.auth.whoami")
        answers: dict[str, bool] = {}
        while len(answers) < 200:
            frame = await peer.frame()
            if frame["type"] == "res":
                answers[frame["id"]] = frame["ok"]
        assert set(answers.values()) == {True}


async def test_passwords_that_are_guessed_over_a_socket_count_against_its_address(hub: Serving) -> None:
    guess = {"login": "nobody", "password": "wrong horse battery"}
    async with hub.socket() as peer:
        await peer.hello(hello(auth=TOKEN))
        for _ in range(AUTH_FAILURES_MAX):
            error = (await peer.call("instar.auth.password", guess))["error"]
            assert error["details"]["code"] == "UNAUTHORIZED", error
    status, _, body = await hub.http("POST /v1/auth/password HTTP/1.1", json.dumps(guess).encode())
    assert (status, json.loads(body)["code"]) == (429, "rate_limited")
