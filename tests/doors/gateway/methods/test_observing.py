from tests.doors.gateway.serving import Serving

from .talking import READ, WRITE, client, rpc


async def test_models_are_the_runtimes_that_there_are(hub: Serving) -> None:
    async with client(hub, *READ) as one:
        [model] = (await one.ok("models.list", view="all"))["models"]
        assert (model["id"], model["provider"], model["available"]) == ("builtin/echo", "builtin", True)
        assert (await one.ok("models.list", agentId="guide"))["models"] == [model]
        assert "unknown agent" in (await one.fails("models.list", agentId="nobody"))["message"]


async def test_the_one_channel(hub: Serving) -> None:
    async with client(hub, *READ) as one:
        status = await one.ok("channels.status", probe=True)
        assert status["channelOrder"] == ["instar"]
        [account] = status["channelAccounts"]["instar"]
        assert (account["accountId"], account["connected"]) == (status["channelDefaultAccountId"]["instar"], True)
        assert (await one.ok("channels.status", channel="telegram"))["channelOrder"] == []


async def test_the_skill_that_is_told_of_is_served(hub: Serving) -> None:
    async with client(hub, *READ) as one:
        [skill] = (await one.ok("skills.status"))["skills"]
    status, _, body = await hub.http(f"GET {skill['filePath']} HTTP/1.1\nAuthorization: Bearer {hub.operator}")
    assert status == 200
    assert f"name: {skill['name']}".encode() in body


async def test_usage_counts_turns(hub: Serving) -> None:
    async with client(hub, *WRITE) as one:
        assert (await one.ok("usage.cost"))["totals"]["turns"] == 0
        for run in ("r1", "r2"):
            await one.ok("chat.send", sessionKey="main", message="hello", idempotencyKey=run)
            await one.ok("agent.wait", runId=run)
        cost = await one.ok("usage.cost", days=2)
        assert cost["totals"]["turns"] == sum(day["turns"] for day in cost["daily"]) == 2
        assert cost["totals"]["totalTokens"] == 0
        assert (await one.ok("usage.status"))["runtimes"] == ["builtin/echo"]
        events = (await one.ok("audit.list"))["events"]
        assert [event["status"] for event in events] == ["succeeded", "succeeded"]
        assert all("hello" not in str(event) for event in events)
        assert len((await one.ok("audit.list", runId="r1"))["events"]) == 1
        page = await one.ok("audit.list", limit=1)
        assert (await one.ok("audit.list", limit=1, cursor=page["nextCursor"]))["events"] != page["events"]
        assert (await one.ok("audit.list", status="failed"))["events"] == []
        assert (await one.ok("audit.list", kind="tool_action"))["events"] == []


async def test_people(hub: Serving) -> None:
    await hub.ask("POST", "/v1/people", {"login": "ada", "password": "p" * 20, "scopes": ["observe"], "name": "Ada"})
    async with client(hub, token=hub.operator) as one:
        [person] = (await one.ok("users.list"))["profiles"]
        assert (person["login"], person["displayName"]) == ("ada", "Ada")
    [person] = (await rpc(hub, "users.list"))["payload"]
    assert "p" * 20 not in str(person)
    async with client(hub, *READ) as reader:
        assert (await reader.fails("users.list"))["code"] == "FORBIDDEN"
