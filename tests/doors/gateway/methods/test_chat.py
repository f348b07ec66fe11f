import base64
from typing import Any

import pytest

from tests.doors.gateway.serving import Serving

from .talking import ALL, READ, WRITE, client, rpc

SLOW = "/slow 30"


@pytest.mark.parametrize("generation", ["v3", "v4"])
async def test_what_is_said_stands_in_history(hub: Serving, generation: str) -> None:
    async with client(hub, *WRITE, generation=generation) as one:
        empty = await one.ok("chat.history", sessionKey="main")
        assert empty == {"sessionKey": "agent:guide:main", "sessionId": None, "thinkingLevel": "off", "messages": []}
        assert await one.ok("chat.send", sessionKey="main", message="hello", idempotencyKey="k-1") == {
            "runId": "k-1", "status": "started",
        }  # fmt: skip
        await one.ok("agent.wait", runId="k-1")
        history = await one.ok("chat.history", sessionKey="main", limit=10)
        assert history["sessionId"] == "agent:guide:main"
        said, answered = history["messages"]
        assert (said["role"], said["id"], said["content"]) == ("user", "k-1", [{"type": "text", "text": "hello"}])
        assert answered["role"] == "assistant"
        assert answered["stopReason"] == "stop"
        assert await one.ok("chat.send", sessionKey="main", message="hello", idempotencyKey="k-1") == {
            "runId": "k-1", "status": "ok",
        }  # fmt: skip
        if generation == "v4":
            page = await one.ok("chat.history", sessionKey="main", limit=1, offset=1, maxChars=3)
            assert (page["hasMore"], page["totalMessages"]) == (False, 2)
            assert page["messages"][0]["content"][0]["text"] == "hel"
            whole = await one.ok("chat.message.get", sessionKey="main", messageId="k-1")
            assert whole["message"]["content"][0]["text"] == "hello"
            elsewhere = await one.ok("chat.message.get", sessionKey="agent:guide:other", messageId="k-1")
            assert elsewhere == {"ok": False, "unavailableReason": "not_visible"}
            gone = await one.ok("chat.message.get", sessionKey="main", messageId="nothing")
            assert gone["unavailableReason"] == "not_found"


async def test_a_message_needs_content(hub: Serving) -> None:
    async with client(hub, *WRITE) as one:
        error = await one.fails("chat.send", sessionKey="main", message="  ", idempotencyKey="k")
        assert error["message"] == "message or attachment required"
        assert "message" in (await one.fails("chat.send", sessionKey="main", idempotencyKey="k"))["message"]


async def test_files_come_with_a_message(hub: Serving) -> None:
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 32).decode()
    async with client(hub, *WRITE) as one:
        await one.ok(
            "chat.send", sessionKey="main", message="look", idempotencyKey="k",
            attachments=[{"type": "image", "mimeType": "image/png", "fileName": "a.png", "content": picture}],
        )  # fmt: skip
    page = await hub.ask("GET", "/v1/sessions/agent:guide:main/messages")
    _, image = page["messages"][0]["parts"]
    assert (image["kind"], image["filename"]) == ("image", "a.png")
    assert image["blob"].startswith("sha256-")


async def test_abort_stops_a_turn_of_this_session_alone(hub: Serving) -> None:
    async with client(hub, *WRITE) as one:
        await one.ok("chat.send", sessionKey="agent:guide:a", message=SLOW, idempotencyKey="run-a")
        await one.ok("chat.send", sessionKey="agent:guide:b", message=SLOW, idempotencyKey="run-b")
        await _begun(one, "run-a", "run-b")
        error = await one.fails("chat.abort", sessionKey="agent:guide:b", runId="run-a")
        assert error["message"] == "runId does not match sessionKey"
        stopped = {"ok": True, "aborted": True, "runIds": ["run-a"]}
        assert await one.ok("chat.abort", sessionKey="agent:guide:a", runId="run-a") == stopped
        assert await one.ok("chat.abort", sessionKey="agent:guide:a") == {"ok": True, "aborted": False, "runIds": []}
        repeat = await one.ok("chat.send", sessionKey="agent:guide:a", message=SLOW, idempotencyKey="run-a")
        assert (repeat["status"], repeat["summary"], repeat["stopReason"]) == ("timeout", "aborted", "rpc")
        under_way = await one.ok("chat.send", sessionKey="agent:guide:b", message=SLOW, idempotencyKey="run-b")
        assert under_way == {"runId": "run-b", "status": "in_flight"}
        told = await one.ok("chat.send", sessionKey="agent:guide:b", message=" /stop ", idempotencyKey="stop-it")
        assert told == {"ok": True, "aborted": True, "runIds": ["run-b"]}
        history = await one.ok("chat.history", sessionKey="agent:guide:b")
        assert "stop-it" not in [entry["id"] for entry in history["messages"]]


async def _begun(one: Any, *runs: str) -> None:
    for run in runs:
        while "startedAt" not in await one.ok("agent.wait", runId=run, timeoutMs=10):
            pass


async def test_nobody_stops_the_turn_of_anothers_session(hub: Serving) -> None:
    mine, theirs = await hub.key("write", "observe"), await hub.key("write", "observe")
    async with client(hub, *WRITE, token=mine) as one, client(hub, *WRITE, token=theirs) as other:
        await one.ok("chat.send", sessionKey="agent:guide:mine", message=SLOW, idempotencyKey="run-m")
        await _begun(one, "run-m")
        for params in ({}, {"runId": "run-m"}):
            error = await other.fails("chat.abort", sessionKey="agent:guide:mine", **params)
            assert error["code"] == "FORBIDDEN"
        assert (await other.fails("sessions.abort", runId="run-m"))["code"] == "FORBIDDEN"
        assert (await one.ok("agent.wait", runId="run-m", timeoutMs=0))["status"] == "timeout"
        assert (await one.ok("chat.abort", sessionKey="agent:guide:mine"))["runIds"] == ["run-m"]
    blind = await hub.key("write", rooms=["general"])
    async with client(hub, *WRITE, token=blind) as other:
        hidden = await other.ok("chat.abort", sessionKey="agent:guide:mine", runId="run-m")
        assert hidden == {"ok": True, "aborted": False, "runIds": []}


async def test_inject_speaks_as_the_agent_and_wakes_nobody(hub: Serving) -> None:
    async with client(hub, *ALL) as one:
        done = await one.ok("chat.inject", sessionKey="main", message="The build is green.", label="CI")
        history = await one.ok("chat.history", sessionKey="main")
        [entry] = history["messages"]
        assert (entry["id"], entry["role"]) == (done["messageId"], "assistant")
        assert entry["content"][0]["text"] == "[CI]\n\nThe build is green."
        assert (await one.ok("sessions.abort", key="main"))["status"] == "no-active-run"
    async with client(hub, *WRITE) as writer:
        error = await writer.fails("chat.inject", sessionKey="main", message="x")
        assert error["code"] == "FORBIDDEN"


async def test_history_over_http(hub: Serving) -> None:
    frame = await rpc(hub, "chat.history", {"sessionKey": "main"})
    assert frame["payload"]["messages"] == []
    async with client(hub, *READ) as one:
        assert "invalid session key" in (await one.fails("chat.history", sessionKey="no/slash"))["message"]
