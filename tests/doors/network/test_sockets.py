"""attach.v1 and server-sent events over real sockets: refusals, privacy, resume over restarts, slow readers."""

import asyncio
import http.client
import json
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .running import RunningHub

VERSION = "moltnet.attach.v1"
WAIT_S = 15.0


def fresh(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


@asynccontextmanager
async def dialled(hub: RunningHub, token: str = "", **more: Any) -> AsyncIterator[ClientConnection]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = hub.url.replace("http", "ws", 1) + "/v1/attach"
    async with connect(url, additional_headers=headers, compression=None, **more) as connection:
        yield connection


async def frame(connection: ClientConnection, *skipped: str) -> dict[str, Any]:
    async with asyncio.timeout(WAIT_S):
        while True:
            got = json.loads(await connection.recv())
            if got["op"] not in {"PING", *skipped}:
                return got


async def identify(connection: ClientConnection, agent_id: str, **members: Any) -> dict[str, Any]:
    assert (await frame(connection))["op"] == "HELLO"
    said = {"op": "IDENTIFY", "version": VERSION, "network_id": "local", "agent": {"id": agent_id}} | members
    await connection.send(json.dumps({name: value for name, value in said.items() if value is not None}))
    return await frame(connection)


async def ended(connection: ClientConnection) -> int:
    async with asyncio.timeout(WAIT_S):
        try:
            while True:
                await connection.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


# Refusals


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"op": "ACK"}, "expected IDENTIFY frame"),
        ({"op": "RESUME"}, "expected IDENTIFY frame"),
        ({"version": None}, "version is required"),
        ({"version": "moltnet.attach.v2"}, "does not match"),
        ({"network_id": "elsewhere"}, 'network_id "elsewhere" does not match "local"'),
        ({"network_id": None}, "network_id"),
        ({"agent": None}, "agent.id is required"),
        ({"agent": {"id": "  "}}, "agent.id is required"),
        ({"agent": {"id": "not an id"}}, "agent.id"),
        ({"agent": {"id": "net:beta", "name": 5}}, "valid JSON"),
        ({"agent": {"id": "gamma"}}, "is not allowed for this token"),
    ],
    ids=range(11),
)
async def test_an_identify_that_is_refused(hub: RunningHub, members: dict[str, Any], text: str) -> None:
    token = hub.key(fresh("k"), "attach", agents=["refused-1"])
    async with dialled(hub, token) as connection:
        refused = await identify(connection, "refused-1", **members)
        assert refused["op"] == "ERROR"
        assert text in refused["error"]
        assert await ended(connection) == 1006


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ('{"op":"ACK","version":"moltnet.attach.v1","cursor":"evt_never"}', "unexpected ACK cursor"),
        ('{"op":"ACK","version":"moltnet.attach.v1"}', "unexpected ACK cursor"),
        ('{"op":"DANCE","version":"moltnet.attach.v1"}', "unexpected frame op"),
        ('{"op":"PING"}', "version is required"),
        ("garbage", "valid JSON"),
        ('["op"]', "valid JSON"),
        ('{"op":"PONG","x":' + "[" * 200_000, "valid JSON"),
        (b"\x00\x01", "only accepts text JSON frames"),
    ],
    ids=range(8),
)
async def test_a_frame_that_is_refused(hub: RunningHub, said: str | bytes, text: str) -> None:
    agent_id = fresh("agent")
    async with dialled(hub, hub.agent_token(agent_id)) as connection:
        assert (await identify(connection, agent_id))["op"] == "READY"
        await connection.send(said)
        refused = await frame(connection, "EVENT")
        assert refused["op"] == "ERROR"
        assert text in refused["error"]
        assert await ended(connection) == 1006


async def test_another_credential_is_refused_while_the_same_may_attach_twice(hub: RunningHub) -> None:
    agent_id = fresh("agent")
    token = hub.key(fresh("k"), "attach")
    async with dialled(hub, token) as first, dialled(hub, token) as second:
        assert (await identify(first, agent_id))["op"] == "READY"
        assert (await identify(second, agent_id))["op"] == "READY"
        async with dialled(hub, hub.key(fresh("k"), "attach")) as other:
            refused = await identify(other, agent_id)
            assert refused["op"] == "ERROR"
            assert "already registered with different credentials" in refused["error"]
        await first.close()
        assert hub.ask("GET", f"/v1/agents/{agent_id}")[1]["connected"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Origin": "http://evil.example"}, 403),
        ({"Authorization": "SCOPE"}, 403),
    ],
    ids=range(4),
)
async def test_a_handshake_that_is_refused(hub: RunningHub, headers: dict[str, str], status: int) -> None:
    if headers.get("Authorization") == "SCOPE":
        headers = {"Authorization": f"Bearer {hub.key(fresh('k'), 'write')}"}
    with pytest.raises(InvalidStatus) as refused:
        async with connect(hub.url.replace("http", "ws", 1) + "/v1/attach", additional_headers=headers):
            pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"{}")["code"]


async def test_a_revoked_key_ends_its_sockets(hub: RunningHub) -> None:
    agent_id = fresh("agent")
    made = hub.ask("POST", "/v1/keys", {"name": agent_id, "scopes": ["attach"], "agents": [agent_id]})[1]
    async with dialled(hub, made["token"]) as connection:
        assert (await identify(connection, agent_id))["op"] == "READY"
        assert hub.ask("DELETE", f"/v1/keys/{made['key']['id']}")[0] == 200
        assert (await frame(connection, "EVENT"))["op"] == "ERROR"
        assert await ended(connection) == 1006


# Privacy


async def test_a_third_party_receives_no_foreign_message(hub: RunningHub) -> None:
    alpha, beta, spy = fresh("alpha"), fresh("beta"), fresh("spy")
    room, open_room, dm = fresh("room"), fresh("open"), fresh("dm")
    operator = hub.operator()
    operator.apply([{"id": room, "members": [alpha, beta]}, {"id": open_room, "members": [alpha, spy]}])
    sender = hub.cli(alpha, hub.agent_token(alpha), rooms=(room, open_room), dms=True)
    async with dialled(hub, hub.key(fresh("k"), "attach", agents=[spy])) as connection:
        assert (await identify(connection, spy))["op"] == "READY"
        target = {"kind": "dm", "dm_id": dm, "participant_ids": [alpha, beta]}
        await asyncio.to_thread(sender.post_message, target, "a secret")
        await asyncio.to_thread(sender.send, f"room:{room}", "a secret too")
        await asyncio.to_thread(sender.send, f"room:{open_room}", "for all here")
        heard: list[str] = []
        while "for all here" not in "".join(heard):
            heard.append(json.dumps(await frame(connection)))
        assert "secret" not in "".join(heard)
        assert dm not in "".join(heard)


async def test_an_agent_reads_its_own_private_room_over_http(hub: RunningHub) -> None:
    alpha, room = fresh("alpha"), fresh("room")
    hub.operator().apply([{"id": room, "members": [alpha]}])
    token = hub.agent_token(alpha)
    status, rooms = hub.ask("GET", "/v1/rooms", token=token)
    assert status == 200
    [mine] = [one for one in rooms["rooms"] if one["id"] == room]
    assert mine["access"]["can_write"] is True
    assert hub.ask("GET", f"/v1/rooms/{room}/messages", token=hub.agent_token(fresh("x")))[0] == 404


# Resume


def send_all(hub: RunningHub, room: str, texts: list[str]) -> None:
    for text in texts:
        target = {"kind": "room", "room_id": room}
        status, sent = hub.ask("POST", "/v1/messages", {"target": target, "parts": [{"kind": "text", "text": text}]})
        assert status == 202, sent


async def texts_until(connection: ClientConnection, last: str, *, ack: bool = True) -> list[str]:
    heard: list[str] = []
    while not heard or heard[-1] != last:
        got = await frame(connection)
        assert got["op"] == "EVENT", got
        if "message" in got["event"]:
            heard.append(got["event"]["message"]["parts"][0]["text"])
        if ack:
            await connection.send(json.dumps({"op": "ACK", "version": VERSION, "cursor": got["cursor"]}))
    return heard


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("by", ["event id", "seq", "stored"])
async def test_an_attachment_resumes_over_a_restart(own_hub: RunningHub, how: signal.Signals, by: str) -> None:
    hub = own_hub
    agent_id = "beta"
    hub.operator().apply([{"id": "r1", "members": [agent_id]}])
    token = hub.agent_token(agent_id)
    async with dialled(hub, token) as connection:
        assert (await identify(connection, agent_id))["op"] == "READY"
        await asyncio.to_thread(send_all, hub, "r1", ["one"])
        got = await frame(connection)
        while "message" not in got["event"]:
            got = await frame(connection)
        await connection.send(json.dumps({"op": "ACK", "version": VERSION, "cursor": got["cursor"]}))
        await asyncio.to_thread(send_all, hub, "r1", ["two"])
        await asyncio.sleep(0.3)
        await asyncio.to_thread(hub.stop, how)
        if how is signal.SIGTERM:
            assert await ended(connection) == 1012
    await asyncio.to_thread(hub.start)
    await asyncio.to_thread(send_all, hub, "r1", ["three"])
    cursor = {"event id": got["cursor"], "seq": str(got["event"]["seq"]), "stored": None}[by]
    async with dialled(hub, token) as connection:
        assert (await identify(connection, agent_id, cursor=cursor))["op"] == "READY"
        assert await texts_until(connection, "three") == ["two", "three"]


@contextmanager
def streaming(hub: RunningHub, **headers: str) -> Iterator[Any]:
    connection = http.client.HTTPConnection(hub.url.removeprefix("http://"), timeout=WAIT_S)
    sent = {"Authorization": f"Bearer {hub.operator_token}"} | headers
    connection.request("GET", "/v1/events/stream", headers=sent)
    response = connection.getresponse()
    assert response.status == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-cache"
    assert response.readline() == b": stream-open\n"
    try:
        yield response
    finally:
        connection.close()


def next_message(response: Any) -> tuple[str, dict[str, Any]]:
    event_id = ""
    while True:
        line = response.readline().decode().rstrip("\n")
        if line.startswith("id: "):
            event_id = line[4:]
        if line.startswith("data: "):
            event = json.loads(line[6:])
            if "message" in event or "replay_gap" in event:
                return event_id, event


def test_the_stream_resumes_over_a_restart(own_hub: RunningHub) -> None:
    own_hub.operator().apply([{"id": "r1"}])
    with streaming(own_hub) as response:
        send_all(own_hub, "r1", ["one"])
        event_id, event = next_message(response)
        assert event["message"]["parts"][0]["text"] == "one"
        assert event_id == event["id"]
    send_all(own_hub, "r1", ["two"])
    own_hub.stop(signal.SIGKILL)
    own_hub.start()
    with streaming(own_hub, **{"Last-Event-ID": event_id}) as response:
        assert next_message(response)[1]["message"]["parts"][0]["text"] == "two"
    with streaming(own_hub, **{"Last-Event-ID": "evt_never"}) as response:
        resume, event = next_message(response)
        assert event["type"] == "stream.replay_gap"
        assert event["replay_gap"]["requested_event_id"] == "evt_never"
    send_all(own_hub, "r1", ["three"])
    with streaming(own_hub, **{"Last-Event-ID": resume}) as response:
        assert next_message(response)[1]["message"]["parts"][0]["text"] == "three"


# Slow readers


async def test_a_slow_reader_misses_nothing_and_holds_nobody_up(own_hub: RunningHub) -> None:
    hub = own_hub
    hub.operator().apply([{"id": "r1", "members": ["slow", "quick"]}])
    count, padding = 300, "x" * 20_000
    texts = [f"{number} {padding}" for number in range(count)]
    async with (
        dialled(hub, hub.agent_token("slow"), max_queue=1) as slow,
        dialled(hub, hub.agent_token("quick"), max_size=None) as quick,
    ):
        assert (await identify(slow, "slow"))["op"] == "READY"
        assert (await identify(quick, "quick"))["op"] == "READY"
        sending = asyncio.create_task(asyncio.to_thread(send_all, hub, "r1", texts))
        assert await texts_until(quick, texts[-1]) == texts
        await sending
        assert await texts_until(slow, texts[-1]) == texts
