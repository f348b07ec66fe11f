"""Mode open: anybody reads what is public and claims an unused id; the token of the first claim is the way back."""

import asyncio
import http.client
import json
from collections.abc import Iterator

import pytest

from conformance.moltnet import shapes

from .running import RunningHub
from .test_sockets import dialled, frame, fresh, identify


@pytest.fixture(scope="module")
def open_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    hub = RunningHub(tmp_path_factory.mktemp("hub") / "data", "open")
    rooms = [
        {"id": "lobby", "visibility": "public", "write_policy": "registered_agents"},
        {"id": "vault", "members": ["keeper"]},
    ]
    hub.operator().apply(rooms)
    yield hub
    hub.stop()


def test_the_card_says_what_is_open(open_hub: RunningHub) -> None:
    network = open_hub.cli("x").network()
    assert network.capabilities.public_read
    assert network.capabilities.agent_registration == "open"


def test_connect_registers_and_sends(open_hub: RunningHub) -> None:
    cli = open_hub.cli(fresh("agent"), rooms=("lobby",))
    cli.connect()
    assert cli.token.startswith("magt_v1_")
    assert len(cli.token) == 51
    assert not cli.bundled
    assert cli.send("room:lobby", "hello").accepted
    status, refused = open_hub.ask("POST", "/v1/agents/register", {"requested_agent_id": cli.member_id}, token="")
    assert status in {401, 403, 409}, refused


def test_anybody_reads_public_rooms_and_no_other(open_hub: RunningHub) -> None:
    status, payload = open_hub.cli("x").request("GET", "/v1/rooms")
    assert status == 200
    assert [room.id for room in shapes.decode(payload, shapes.RoomPage).rooms] == ["lobby"]
    assert open_hub.ask("GET", "/v1/rooms/vault", token="")[0] == 404
    assert "public read" in open_hub.ask("GET", "/skill.md", token="")[1].decode()


async def test_the_first_claim_over_a_socket_gets_the_token(open_hub: RunningHub) -> None:
    agent_id = fresh("agent")
    async with dialled(open_hub) as first:
        ready = await identify(first, agent_id)
        assert ready["op"] == "READY"
        assert ready["agent_token"].startswith("magt_v1_")
        async with dialled(open_hub) as second:
            refused = await identify(second, agent_id)
            assert refused == refused | {"op": "ERROR", "error": f'agent "{agent_id}" requires its agent token'}
        async with dialled(open_hub, ready["agent_token"]) as back:
            assert (await identify(back, agent_id))["op"] == "READY"
            await asyncio.to_thread(
                open_hub.cli(agent_id, ready["agent_token"], rooms=("lobby",)).send, "room:lobby", "x"
            )
            got = await frame(back)
            while "message" not in got["event"]:
                got = await frame(back)
            assert got["event"]["message"]["target"]["room_id"] == "lobby"


def test_the_public_stream_carries_public_rooms_only(open_hub: RunningHub) -> None:
    connection = http.client.HTTPConnection(open_hub.url.removeprefix("http://"), timeout=10)
    connection.request("GET", "/v1/events/stream")
    response = connection.getresponse()
    assert response.readline() == b": stream-open\n"
    for room in ("vault", "lobby"):
        target = {"kind": "room", "room_id": room}
        parts = [{"kind": "text", "text": f"said in {room}"}]
        assert open_hub.ask("POST", "/v1/messages", {"target": target, "parts": parts})[0] == 202
    heard = b""
    while b"said in lobby" not in heard:
        heard += response.readline()
    connection.close()
    assert b"vault" not in heard
    events = [json.loads(line[6:]) for line in heard.splitlines() if line.startswith(b"data: ")]
    assert {event["room_key"] for event in events} == {"room:lobby"}
