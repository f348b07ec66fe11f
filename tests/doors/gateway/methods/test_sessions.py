import pytest

from tests.doors.gateway.serving import Serving

from .talking import ALL, READ, WRITE, client, rpc


async def said(one: object, key: str, text: str = "hello") -> None:
    run = f"run-{key.replace(':', '-')}"
    await one.ok("chat.send", sessionKey=key, message=text, idempotencyKey=run)  # type: ignore[attr-defined]
    await one.ok("agent.wait", runId=run)  # type: ignore[attr-defined]


@pytest.mark.parametrize("generation", ["v3", "v4"])
async def test_sessions_are_listed_newest_first(hub: Serving, generation: str) -> None:
    async with client(hub, *ALL, generation=generation) as one:
        assert (await one.ok("sessions.list"))["sessions"] == []
        await said(one, "agent:guide:one")
        await said(one, "agent:guide:two")
        listed = await one.ok("sessions.list", includeLastMessage=True, activeMinutes=5, agentId="guide")
        assert [row["key"] for row in listed["sessions"]] == ["agent:guide:two", "agent:guide:one"]
        row = listed["sessions"][0]
        assert row.keys() >= {"key", "kind", "sessionId", "updatedAt", "displayName", "channel"}
        assert "I am `guide`" in row["lastMessagePreview"]
        assert listed["count"] == 2
        assert (await one.ok("sessions.list", search="one"))["count"] == 1
        assert (await one.ok("sessions.list", agentId="nobody"))["count"] == 0
        if generation == "v4":
            page = await one.ok("sessions.list", limit=1)
            assert (page["totalCount"], page["hasMore"], page["nextOffset"]) == (2, True, 1)
            last = await one.ok("sessions.list", limit=1, offset=1)
            assert ([row["key"] for row in last["sessions"]], last["hasMore"]) == (["agent:guide:one"], False)


async def test_preview_answers_for_each(hub: Serving) -> None:
    async with client(hub, *WRITE) as one:
        await said(one, "main")
        keys = ["main", "agent:guide:nothing", "agent:nobody:x", "../x", "agent:guide:instar:channel:general"]
        previews = (await one.ok("sessions.preview", keys=keys, maxChars=20))["previews"]
        assert [row["status"] for row in previews] == ["ok", "missing", "missing", "error", "empty"]
        assert previews[0]["items"][0] == {"role": "user", "text": "hello"}
        assert len(previews[0]["items"][1]["text"]) == 20


async def test_finding_and_naming(hub: Serving) -> None:
    async with client(hub, *ALL) as one:
        await said(one, "agent:guide:a")
        await said(one, "agent:guide:b")
        changed = await one.ok("sessions.patch", key="agent:guide:a", label="Kitchen")
        assert (changed["key"], changed["entry"]["label"]) == ("agent:guide:a", "Kitchen")
        assert (await one.ok("sessions.resolve", label="Kitchen"))["key"] == "agent:guide:a"
        assert (await one.ok("sessions.resolve", sessionId="agent:guide:b"))["key"] == "agent:guide:b"
        assert "label" not in (await one.ok("sessions.patch", key="agent:guide:a", label=None))["entry"]
        assert "No session found" in (await one.fails("sessions.resolve", label="Kitchen"))["message"]
        assert await one.ok("sessions.resolve", key="agent:guide:x", allowMissing=True) == {
            "ok": False,
            "candidates": [],
        }
        assert "is required" in (await one.fails("sessions.resolve"))["message"]
        await one.ok("sessions.patch", key="agent:guide:a", label="Same")
        await one.ok("sessions.patch", key="agent:guide:b", label="Same")
        assert "Multiple sessions" in (await one.fails("sessions.resolve", label="Same"))["message"]
        error = await one.fails("sessions.patch", key="agent:guide:a", thinkingLevel="high")
        assert (error["code"], error["details"]["code"]) == ("UNAVAILABLE", "NOT_AVAILABLE")
        assert await one.ok("sessions.describe", key="agent:guide:x") == {"session": None}
        assert (await one.ok("sessions.describe", key="agent:guide:a"))["session"]["label"] == "Same"


async def test_beginning_anew_and_removing(hub: Serving) -> None:
    async with client(hub, *ALL) as one:
        await said(one, "main")
        first = (await one.ok("chat.history", sessionKey="main"))["sessionId"]
        await one.ok("sessions.reset", key="main")
        anew = await one.ok("chat.history", sessionKey="main")
        assert anew["messages"] == []
        assert anew["sessionId"] != first
        assert "main session" in (await one.fails("sessions.delete", key="main"))["message"]
        await said(one, "agent:guide:gone")
        assert (await one.ok("sessions.delete", key="agent:guide:gone"))["deleted"] is True
        assert (await one.ok("sessions.delete", key="agent:guide:gone"))["deleted"] is False
        assert "session not found" in (await one.fails("sessions.reset", key="agent:guide:gone"))["message"]
        compact = await one.fails("sessions.compact", key="main")
        assert "nothing is compacted" in compact["message"]


async def test_a_session_is_managed_by_who_takes_part(hub: Serving) -> None:
    async with client(hub, *WRITE) as one:
        await said(one, "agent:guide:ours")
        assert (await one.ok("sessions.patch", key="agent:guide:ours", label="x"))["ok"] is True
    other = await hub.key("write", "observe")
    async with client(hub, *WRITE, token=other) as stranger:
        for method in ("sessions.reset", "sessions.delete", "sessions.patch"):
            params = {"label": "y"} if method == "sessions.patch" else {}
            error = await stranger.fails(method, key="agent:guide:ours", **params)
            assert error["code"] == "FORBIDDEN", method


async def test_creating_is_safe_to_repeat(hub: Serving) -> None:
    async with client(hub, *WRITE) as one:
        params = {"agentId": "guide", "label": "Notes", "message": "hello", "idempotencyKey": "create-1"}
        made = await one.ok("sessions.create", **params)
        assert made["key"] == "agent:guide:dashboard:create-1"
        assert (made["runStarted"], made["runId"]) == (True, "create-1")
        await one.ok("agent.wait", runId="create-1")
        again = await one.ok("sessions.create", **params)
        assert again["key"] == made["key"]
        assert len((await one.ok("sessions.get", key=made["key"]))["messages"]) == 2
        await one.ok("sessions.send", key=made["key"], message="again", idempotencyKey="more-1")
        await one.ok("agent.wait", runId="more-1")
        found = {"results": []}
        while not found["results"]:  # the index follows the log
            found = await one.ok("sessions.search", query="hello", sessionKeys=[made["key"]])
        assert found["results"][0].keys() >= {"sessionKey", "messageId", "role", "timestamp", "snippet", "score"}
        empty = await one.ok("sessions.create", key="agent:guide:empty")
        assert (empty["key"], empty["runStarted"]) == ("agent:guide:empty", False)


async def test_another_hears_only_what_it_may_read(hub: Serving) -> None:
    async with client(hub, *WRITE) as one:
        await said(one, "agent:guide:private", "the password of the shed is rosebud")
    stranger = await hub.key("write", rooms=["general"])
    async with client(hub, *WRITE, token=stranger) as other:
        assert (await other.ok("sessions.list"))["sessions"] == []
        assert (await other.ok("chat.history", sessionKey="agent:guide:private"))["messages"] == []
        assert (await other.ok("sessions.describe", key="agent:guide:private"))["session"] is None
        assert (await other.ok("sessions.search", query="rosebud"))["results"] == []
        preview = await other.ok("sessions.preview", keys=["agent:guide:private"])
        assert preview["previews"][0]["items"] == []
        error = await other.fails("sessions.send", key="agent:guide:private", message="x", idempotencyKey="y")
        assert "rosebud" not in str(error)


async def test_subscribing(hub: Serving) -> None:
    async with client(hub, *READ) as one:
        assert (await one.ok("sessions.subscribe"))["subscribed"] is True
        key = "agent:guide:main"
        assert await one.ok("sessions.messages.subscribe", key="main") == {"subscribed": True, "key": key}
        assert await one.ok("sessions.messages.unsubscribe", key="main") == {"subscribed": False, "key": key}
    error = (await rpc(hub, "subscribe", {"events": ["*"]}))["error"]
    assert "needs a socket" in error["message"]
