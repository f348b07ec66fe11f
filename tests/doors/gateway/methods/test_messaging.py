import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.doors.gateway.serving import SECRET, Serving, serving

from .talking import READ, WRITE, Client, client, rpc


def key() -> str:
    return str(uuid.uuid4())


async def both(one: Client, **params: Any) -> tuple[Any, Any]:
    """Call `agent`; return both of its answers."""
    request_id = key()
    await one.peer.say(type="req", id=request_id, method="agent", params=params)
    return await one.peer.answer(request_id), await one.peer.answer(request_id)


@pytest.mark.parametrize("generation", ["v3", "v4"])
async def test_agent_is_accepted_and_then_answers_on_the_same_id(hub: Serving, generation: str) -> None:
    run = key()
    async with client(hub, *WRITE, generation=generation) as one:
        accepted, final = await both(one, message="hello", idempotencyKey=run, deliver=False, timeout=60)
        assert accepted["ok"]
        assert (accepted["payload"]["runId"], accepted["payload"]["status"]) == (run, "accepted")
        assert accepted["payload"]["acceptedAt"] > 1_700_000_000_000
        where = {"sessionKey": "agent:guide:main", "agentId": "guide"}
        assert (where.items() <= accepted["payload"].items()) is (generation == "v4")
        result = final["payload"]
        assert (result["runId"], result["status"], result["summary"]) == (run, "ok", "completed")
        assert "I am `guide`" in result["result"]["payloads"][0]["text"]
        assert result["result"]["meta"]["durationMs"] >= 0
        assert result["result"]["meta"]["agentMeta"]["model"] == "echo"
        assert await one.ok("agent.wait", runId=run) | {"startedAt": 0, "endedAt": 0} == {
            "runId": run, "status": "ok", "startedAt": 0, "endedAt": 0,
        }  # fmt: skip


@pytest.mark.parametrize("generation", ["v3", "v4"])
async def test_a_repeat_says_nothing_again(hub: Serving, generation: str) -> None:
    run = key()
    params = {"message": "/slow 2", "idempotencyKey": run, "sessionKey": "agent:guide:slow"}
    async with client(hub, *WRITE, generation=generation) as one, client(hub, *WRITE, generation=generation) as two:
        request_id = key()
        await one.peer.say(type="req", id=request_id, method="agent", params=params)
        await one.peer.answer(request_id)
        meanwhile = await two.ok("agent", **params)
        assert meanwhile["status"] == ("accepted" if generation == "v3" else "in_flight")
        first = (await one.peer.answer(request_id))["payload"]
        assert await two.ok("agent", **params) == first
        other = await two.fails("agent", **params | {"message": "something else"})
        assert other["code"] == "INVALID_REQUEST"
        history = await one.ok("chat.history", sessionKey="agent:guide:slow")
        assert [entry["role"] for entry in history["messages"]] == ["user", "assistant"]


async def test_repeats_across_a_restart_of_the_hub(tmp_path: Path) -> None:
    run, chat, sent = key(), key(), key()
    spoken = {"sessionKey": "agent:guide:chat", "message": "hello", "idempotencyKey": chat}
    note = {"to": "room:general", "message": "once", "idempotencyKey": sent}
    async with serving(tmp_path / "data", auth__token=SECRET) as hub, client(hub, *WRITE) as one:
        _, final = await both(one, message="hello", idempotencyKey=run)
        await one.ok("chat.send", **spoken)
        await one.ok("agent.wait", runId=chat)
        first = await one.ok("send", **note)
    async with serving(tmp_path / "data", auth__token=SECRET) as hub, client(hub, *WRITE) as one:
        assert await one.ok("agent", message="hello", idempotencyKey=run) == final["payload"]
        assert await one.ok("chat.send", **spoken) == {"runId": chat, "status": "ok"}
        assert await one.ok("send", **note) == first
        assert (await one.ok("agent.wait", runId=run))["status"] == "ok"
        for session in ("main", "agent:guide:chat"):
            history = await one.ok("chat.history", sessionKey=session)
            assert [entry["role"] for entry in history["messages"]] == ["user", "assistant"]
        page = await hub.ask("GET", "/v1/rooms/general/messages")
        assert [message["id"] for message in page["messages"]].count(sent) == 1


async def test_a_turn_that_fails_or_takes_too_long(hub: Serving) -> None:
    async with client(hub, *WRITE) as one:
        run = key()
        accepted, final = await both(one, message="/fail", idempotencyKey=run, sessionKey="agent:guide:failing")
        assert accepted["ok"]
        assert not final["ok"]
        assert final["error"]["code"] == "UNAVAILABLE"
        assert final["payload"] == {"runId": run, "status": "error", "summary": final["error"]["message"]}
        _, slow = await both(one, message="/slow 20", idempotencyKey=key(), sessionKey="agent:guide:slow", timeout=1)
        assert slow["payload"]["status"] == "timeout"
        assert (await one.ok("agent.wait", runId=slow["payload"]["runId"], timeoutMs=0))["status"] == "timeout"
        assert await one.ok("agent.wait", runId="nobody-knows-it", timeoutMs=0) == {
            "runId": "nobody-knows-it", "status": "timeout",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"agentId": "nobody"}, 'unknown agent id "nobody"'),
        ({"sessionKey": "agent:nobody:main"}, 'unknown agent id "nobody"'),
        ({"agentId": "guide", "sessionKey": "agent:beta:main"}, "does not match session key agent"),
        ({"sessionKey": "../../etc/passwd"}, "invalid session key"),
        ({"channel": "whatsapp", "deliver": True}, "unknown channel: whatsapp"),
        ({"lane": "night"}, "Instar has no lane"),
        ({"surprise": 1}, "unknown field"),
        ({"idempotencyKey": "with spaces"}, "idempotencyKey"),
        ({"message": ""}, "length"),
        ({"attachments": [{"content": "%%%"}]}, "not base64"),
    ],
)
async def test_agent_refuses(hub: Serving, params: dict[str, Any], says: str) -> None:
    async with client(hub, *WRITE) as one:
        error = await one.fails("agent", **{"message": "hello", "idempotencyKey": key()} | params)
        assert says in error["message"]


async def test_agent_in_a_room_is_called_by_its_name(hub: Serving) -> None:
    async with client(hub, *WRITE) as one:
        room = "agent:guide:instar:channel:general"
        _, final = await both(one, message="hello", idempotencyKey=key(), sessionKey=room)
        assert "I am `guide`" in final["payload"]["result"]["payloads"][0]["text"]
    page = await hub.ask("GET", "/v1/rooms/general/messages")
    assert page["messages"][-1]["from"]["id"] == "guide"


async def test_send_reaches_everybody_in_the_room(hub: Serving) -> None:
    async with client(hub, *WRITE) as one:
        sent = await one.ok("send", to="general", message="hello all", mediaUrl="https://example.org/a.png",
                            idempotencyKey="note-1")  # fmt: skip
        assert sent == {
            "runId": "note-1", "messageId": "note-1", "channel": "instar", "conversationId": "room:general",
            "chatId": "general", "sessionKey": "agent:guide:instar:channel:general",
        }  # fmt: skip
        [message] = [
            one for one in (await hub.ask("GET", "/v1/rooms/general/messages"))["messages"] if one["id"] == "note-1"
        ]
        assert [part["kind"] for part in message["parts"]] == ["text", "url"]
        for refused, says in (
            ({"to": "general"}, "message or media"),
            ({"to": "general", "message": "x", "channel": "webchat"}, "internal-only"),
            ({"to": "general", "message": "x", "channel": "telegram"}, "unknown channel"),
            ({"to": "../up", "message": "x"}, "invalid target"),
            ({"to": "no-such-room", "message": "x"}, "no-such-room"),
            ({"to": "general", "mediaUrl": "file:///etc/passwd"}, "no http(s) address"),
            ({"to": "general", "mediaUrl": "/etc/passwd"}, "no http(s) address"),
            ({"to": "general", "message": "x", "sessionKey": "main"}, "copied into another session"),
        ):
            error = await one.fails("send", **refused, idempotencyKey=key())
            assert says in error["message"], refused
        error = await one.fails("send", to="general", message="without a key")
        assert error["code"] == "INVALID_REQUEST"


async def test_reading_alone_says_nothing(hub: Serving) -> None:
    async with client(hub, *READ) as one:
        for method in ("agent", "chat.send", "send"):
            where = {"to": "general"} if method == "send" else {"sessionKey": "main"}
            error = await one.fails(method, message="hello", idempotencyKey=key(), **where)
            assert (error["code"], error["message"]) == ("FORBIDDEN", "missing scope: operator.write")


async def test_identity(hub: Serving) -> None:
    async with client(hub, *READ) as one:
        assert (await one.ok("agent.identity.get"))["agentId"] == "guide"
        assert (await one.ok("agent.identity.get", sessionKey="agent:guide:x"))["name"] == "Guide"
        error = await one.fails("agent.identity.get", agentId="nobody")
        assert error["details"]["code"] == "UNKNOWN_AGENT_ID"


async def test_over_http_agent_answers_once_with_the_end(hub: Serving) -> None:
    frame = await rpc(hub, "agent", {"message": "hello", "idempotencyKey": key()})
    assert frame["ok"]
    assert frame["payload"]["status"] == "ok"


async def test_one_message_for_calls_that_come_at_the_same_time(hub: Serving) -> None:
    run = key()
    params = {"sessionKey": "agent:guide:race", "message": "hello", "idempotencyKey": run}
    async with client(hub, *WRITE) as one, client(hub, *WRITE) as two:
        await asyncio.gather(one.ok("chat.send", **params), two.ok("chat.send", **params))
        await one.ok("agent.wait", runId=run)
        history = await one.ok("chat.history", sessionKey="agent:guide:race")
        assert len(history["messages"]) == 2


async def test_a_call_that_only_waits_ends_with_its_socket(hub: Serving) -> None:
    async with client(hub, *READ) as one:
        wait = {"runId": "nobody-knows-it", "timeoutMs": 86_400_000}
        await one.peer.say(type="req", id=key(), method="agent.wait", params=wait)
        await one.ok("health", probe=True)
        [call] = [task for task in asyncio.all_tasks() if task.get_name() == "gateway call"]
    await asyncio.wait({call})
    assert call.cancelled()
