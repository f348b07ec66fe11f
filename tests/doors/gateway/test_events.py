"""What clients hear over real sockets: turns, presence, pairing, schedules, the tick, the end, and what they missed."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import websockets

from instar.base.errors import InstarError
from instar.hub.operations.hub import Hub

from .serving import SECRET, Key, Peer, Serving, hello, serving

TOKEN = {"token": SECRET}
ADMIN = ["operator.admin", "operator.read", "operator.write", "operator.pairing"]


def admin(generation: str = "v4", **changes: Any) -> dict[str, Any]:
    return hello(generation, auth=TOKEN, scopes=ADMIN, **changes)


async def turn(peer: Peer, key: str) -> list[dict[str, Any]]:
    """Say something to the built-in agent; return what was heard until its last word."""
    answer = await peer.call("chat.send", {"sessionKey": "main", "message": "hello", "idempotencyKey": key})
    assert answer["ok"], answer
    heard = peer.events[:]
    peer.events.clear()
    while not any(is_last(event, key) for event in heard):
        heard.append(await peer.frame())
    peer.events += [event for event in heard if event["payload"].get("runId") != key]
    return [event for event in heard if event["payload"].get("runId") == key]


def is_last(event: dict[str, Any], key: str) -> bool:
    payload = event["payload"]
    return event["event"] == "agent" and payload["runId"] == key and payload["data"].get("phase") in ("end", "error")


@pytest.mark.parametrize("generation", ["v3", "v4"])
async def test_a_turn_is_heard_from_start_to_end(hub: Serving, generation: str) -> None:
    async with hub.socket() as peer, hub.socket() as other:
        await peer.hello(admin(generation))
        await other.hello(admin(generation))
        heard = await turn(peer, "turn-1")
        lifecycle = [
            event["payload"]["data"]["phase"] for event in heard if event["payload"].get("stream") == "lifecycle"
        ]
        assert lifecycle == ["start", "end"]
        [final] = [event for event in heard if event["event"] == "chat" and event["payload"]["state"] == "final"]
        payload = final["payload"]
        assert (payload["runId"], payload["sessionKey"]) == ("turn-1", "agent:guide:main")
        assert payload["message"]["role"] == "assistant"
        assert payload["message"]["content"][0]["text"]
        while (await other.event("chat"))["payload"]["state"] != "final":
            pass
        numbers = [event["payload"]["seq"] for event in heard if event["event"] == "agent"]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_changed_sessions_are_told_to_who_asked(hub: Serving) -> None:
    async with hub.socket() as peer, hub.socket() as other:
        await peer.hello(admin())
        await other.hello(admin())
        assert (await peer.call("sessions.subscribe"))["ok"]
        key = "agent:guide:plans"
        for method, params in (
            ("sessions.create", {"key": key, "label": "Plans"}),
            ("sessions.patch", {"key": key, "label": "Other plans"}),
            ("sessions.reset", {"key": key}),
            ("sessions.delete", {"key": key}),
        ):
            assert (await other.call(method, params))["ok"], method
        told = [(await peer.event("sessions.changed"))["payload"] for _ in range(4)]
        assert [one["reason"] for one in told] == ["opened", "updated", "reset", "removed"]
        assert {(one["sessionKey"], one["agentId"]) for one in told} == {(key, "guide")}
        assert "sessions.changed" not in {event["event"] for event in other.events}


async def test_numbers_have_no_gaps(hub: Serving) -> None:
    async with hub.socket() as reader, hub.socket() as peer:
        await reader.hello(hello(auth=TOKEN))
        await peer.hello(admin())
        await turn(peer, "turn-1")
        # Pairing events are not for a reader: they leave no hole in what it hears.
        async with hub.socket() as device:
            await device.connect(hello(auth=TOKEN), Key())
        requested = await peer.event("device.pair.requested")
        assert "seq" in requested
        await turn(peer, "turn-2")
        heard: list[dict[str, Any]] = []
        while sum(event["event"] == "agent" and event["payload"]["data"].get("phase") == "end" for event in heard) < 2:
            heard.append(await reader.frame())
        assert [event["seq"] for event in heard] == list(range(1, len(heard) + 1))
        assert {event["event"] for event in heard} <= {"agent", "chat", "presence", "health"}


async def test_pairing_is_told_to_who_may_pair(hub: Serving) -> None:
    async with hub.socket() as peer:
        await peer.hello(admin())
        key = Key()
        async with hub.socket() as device:
            answer = await device.connect(hello(auth=TOKEN), key)
        request_id = answer["error"]["details"]["requestId"]
        requested = (await peer.event("device.pair.requested"))["payload"]
        assert (requested["requestId"], requested["deviceId"]) == (request_id, key.id)
        await hub.approve(request_id)
        resolved = (await peer.event("device.pair.resolved"))["payload"]
        assert (resolved["requestId"], resolved["decision"]) == (request_id, "approved")
        assert (await peer.event("device.pair.changed"))["payload"]["deviceId"] == key.id


@pytest.mark.parametrize("generation", ["v3", "v4"])
async def test_a_node_that_asks_is_told_under_both_names(hub: Serving, generation: str) -> None:
    async with hub.socket() as peer:
        await peer.hello(admin(generation))
        key, client = Key(), {"id": "node-host", "mode": "node", "displayName": "Cellar"}
        async with hub.socket() as device:
            await device.connect(hello(auth=TOKEN, role="node", scopes=[], client=client), key)
        requested = (await peer.event("device.pair.requested"))["payload"]
        asks = (await peer.event("node.pair.requested"))["payload"]
        assert asks["requestId"] == requested["requestId"]
        assert (asks["nodeId"], asks["displayName"]) == (key.id, "Cellar")
        await hub.ask("POST", f"/v1/devices/requests/{asks['requestId']}/reject", {})
        resolved = (await peer.event("node.pair.resolved"))["payload"]
        assert (resolved["nodeId"], resolved["decision"]) == (key.id, "rejected")


async def test_schedules_are_told(hub: Serving) -> None:
    async with hub.socket() as peer:
        await peer.hello(admin())
        schedule = {"name": "s", "id": "sch_heartbeat-guide", "room": "room:general", "text": "hi"}
        timing = {"timing": {"kind": "every", "seconds": 3600}}
        await hub.ask("POST", "/v1/schedules", schedule | timing)
        added = (await peer.event("cron"))["payload"]
        assert (added["jobId"], added["action"]) == ("sch_heartbeat-guide", "added")
        await hub.ask("POST", "/v1/schedules/sch_heartbeat-guide/run", {})
        fired = (await peer.event("cron"))["payload"]
        assert (fired["action"], fired["status"]) == ("finished", "ok")
        assert (await peer.event("heartbeat"))["payload"]["status"] == "sent"


async def test_presence_is_told(hub: Serving) -> None:
    async with hub.socket() as peer:
        await peer.hello(admin())
        async with hub.socket() as other:
            await other.hello(hello(auth=TOKEN, client={"mode": "ui", "displayName": "Screen"}))
            event = await peer.event("presence")
            while "Screen" not in [row.get("host") for row in event["payload"]["presence"]]:
                event = await peer.event("presence")
            assert event["stateVersion"]["presence"] > 0


async def test_what_a_client_of_generation_4_subscribes_to(hub: Serving) -> None:
    async with hub.socket() as peer, hub.socket() as scoped:
        await peer.hello(admin())
        await scoped.hello(admin(caps=["session-scoped-events"]))
        assert (await peer.call("sessions.messages.subscribe", {"key": "main"}))["ok"]
        await turn(peer, "turn-1")
        mine = (await peer.event("session.message"))["payload"]
        assert (mine["messageId"], mine["message"]["role"]) == ("turn-1", "user")
        await scoped.call("health")
        assert [event["event"] for event in scoped.events if event["event"] in ("chat", "agent")] == []


async def test_a_moltis_client_hears_what_it_asked_for(hub: Serving) -> None:
    client = {"id": "web", "version": "1", "platform": "linux", "mode": "ui"}
    greeting = {"protocol": {"min": 4, "max": 4}, "role": "operator", "auth": TOKEN, "client": client}
    flat = {"minProtocol": 3, "maxProtocol": 4, "role": "operator", "auth": {"api_key": SECRET}, "client": client}
    async with hub.socket("/ws") as quiet, hub.socket("/ws") as peer, hub.socket("/ws") as old:
        await quiet.hello(greeting)
        await peer.hello(greeting)
        await old.hello(flat)
        await peer.call("subscribe", {"events": ["chat"]})
        async with hub.socket() as speaker:
            await speaker.hello(admin())
            await turn(speaker, "turn-1")
        assert (await peer.event("chat"))["payload"]["runId"] == "turn-1"
        assert (await old.event("agent"))["payload"]["runId"] == "turn-1"
        await quiet.call("health")
        assert quiet.events == []


async def test_a_client_resumes_after_a_gap(hub: Serving) -> None:
    async with hub.socket() as peer:
        ok = await peer.hello(admin())
        [cursor] = [word for word in ok["features"]["capabilities"] if word.startswith("instar.cursor:")]
        resumed = (await peer.call("instar.resume"))["payload"]
        assert resumed == {"cursor": cursor.partition(":")[2]}
        await turn(peer, "turn-1")
    async with hub.socket() as away:
        await away.hello(admin())
        await turn(away, "turn-2")
        assert not any("instarCursor" in event for event in away.events)
    async with hub.socket() as peer:
        await peer.hello(admin())
        answer = await peer.call("instar.resume", {"cursor": resumed["cursor"]})
        assert answer["payload"] == resumed
        runs: list[str] = []
        cursors: list[int] = []
        while runs.count("turn-2") < 3:
            event = await peer.frame()
            if event["event"] in ("agent", "chat"):
                runs.append(event["payload"]["runId"])
                cursors += [int(event["instarCursor"])] if "instarCursor" in event else []
        assert runs[0] == "turn-1"
        assert cursors == sorted(cursors)
    async with hub.socket() as peer:
        await peer.hello(admin())
        gap = (await peer.call("instar.resume", {"cursor": "evt_never"}))["payload"]["gap"]
        assert gap["requested_event_id"] == "evt_never"
        assert (await peer.call("instar.resume", {"curser": "1"}))["error"]["code"] == "INVALID_REQUEST"
        assert await turn(peer, "turn-3")


async def test_a_revoked_device_is_cut_off_at_once(hub: Serving) -> None:
    key, params = Key(), hello(auth=TOKEN)
    async with hub.socket() as peer:
        await hub.approve((await peer.connect(params, key))["error"]["details"]["requestId"])
    for act in ("rotate", "revoke", "remove"):
        async with hub.socket() as peer:
            await peer.hello(params, key)
            began = time.monotonic()
            if act == "remove":
                await hub.ask("DELETE", f"/v1/devices/{key.id}")
            else:
                await hub.ask("POST", f"/v1/devices/{key.id}/{act}", {})
            assert await peer.closed() == (4001, "device removed")
            assert time.monotonic() - began < 1
        if act == "revoke":
            async with hub.socket() as peer:
                error = (await peer.connect(params, key))["error"]
                assert error["details"]["code"] == "DEVICE_REVOKED"
            break


async def test_a_revoked_key_is_cut_off_at_once(hub: Serving) -> None:
    made = await hub.ask("POST", "/v1/keys", {"name": "k", "scopes": ["observe"]})
    async with hub.socket() as peer:
        await peer.hello(hello(auth={"token": made["token"]}))
        await hub.ask("DELETE", f"/v1/keys/{made['key']['id']}")
        code, reason = await peer.closed()
        assert code == 1008
        assert reason


async def test_a_slow_client_is_closed_and_others_are_not(hub: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.hub.delivery.course.LAG_MAX_S", 0.3)
    async with hub.socket() as slow, hub.socket() as peer:
        await slow.hello(admin("v3"))
        await peer.hello(admin())
        slow.socket.transport.pause_reading()
        text, metrics = "x" * 200_000, f"GET /metrics HTTP/1.1\nAuthorization: Bearer {hub.operator}"
        for _ in range(40):
            assert (await peer.call("chat.inject", {"sessionKey": "main", "message": text}))["ok"]
            peer.events.clear()
        assert (await peer.call("health"))["ok"]
        while b"\ninstar_lag_closes_total 1" not in (await hub.http(metrics))[2]:
            peer.events.clear()
        slow.socket.transport.resume_reading()
        assert await slow.closed() == (1008, "slow consumer")
        assert (await peer.call("health"))["ok"]


async def test_a_client_whose_events_cannot_be_resumed_is_told_to_come_back(
    hub: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise InstarError("service_unavailable", "the store does not answer")

    async with hub.socket() as peer:
        await peer.hello(hello(auth=TOKEN))
        monkeypatch.setattr(Hub, "open_feed", refuse)
        await peer.say(type="req", id="1", method="instar.resume", params={"cursor": "1"})
        assert await peer.closed() == (1012, "the events could not be resumed")


async def test_the_gateway_ticks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.server.app.GATEWAY_TICK_S", 0.05)
    monkeypatch.setattr("instar.server.app.GATEWAY_HEALTH_S", 0.1)
    async with serving(tmp_path / "data", auth__token=SECRET) as hub, hub.socket() as peer, hub.socket() as blind:
        await peer.hello(hello(auth=TOKEN))
        await blind.hello(hello(auth=TOKEN, scopes=[]))
        tick = await peer.event("tick")
        assert abs(tick["payload"]["ts"] - time.time() * 1_000) < 60_000
        assert (await peer.event("health"))["payload"]["ok"] is True
        for _ in range(3):
            await blind.event("tick")
        assert {event["event"] for event in blind.events} <= {"presence"}


async def test_the_end_is_announced(hub: Serving) -> None:
    async with hub.socket() as peer, hub.socket() as waiting:
        await peer.hello(hello(auth=TOKEN))
        await waiting.challenge()

        os.kill(os.getpid(), signal.SIGTERM)
        assert await peer.closed() == (1012, "service restart")
        assert peer.events[-1]["event"] == "shutdown"
        assert peer.events[-1]["payload"]["reason"] == "service restart"
        assert (await waiting.closed())[0] == 1012


async def test_rpc_over_http(hub: Serving) -> None:
    head = f"POST /api/rpc HTTP/1.1\nAuthorization: Bearer {hub.operator}"
    status, _, body = await hub.http(head, b'{"id":"7","method":"health"}')
    answer = json.loads(body)
    assert (status, answer["id"], answer["ok"], answer["payload"]["ok"]) == (200, "7", True, True)
    with pytest.raises(websockets.InvalidStatus):
        async with hub.socket("/api/rpc"):
            pass
