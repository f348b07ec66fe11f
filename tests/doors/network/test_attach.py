"""One attach.v1 socket, driven by hand: the hub on one side, the carrier on the other."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.doors.heartbeat import Heartbeat
from instar.doors.network.attach import AttachDoor, AttachSession
from instar.wire.attach.frames import VERSION
from instar.wire.events import ReplayGap
from instar.wire.limits import ATTACH_SILENCE_S

from .stand_in import Hub, Line, settle


class Socket:
    def __init__(self, hub: Hub, tasks: TaskScope) -> None:
        self.hub = hub
        self.line = Line()
        self.heartbeat = Heartbeat(tick_s=3_600)
        self.session = AttachSession(AttachDoor(hub, self.heartbeat, tasks), hub.caller)  # type: ignore[arg-type]
        self.session.opened(self.line)

    def say(self, op: str, **members: Any) -> None:
        self.session.received(json.dumps({"op": op, "version": VERSION, **members}).encode(), True)

    async def identify(self, agent_id: str = "beta", **members: Any) -> list[Any]:
        self.say("IDENTIFY", network_id="local", agent={"type": "agent", "id": agent_id, "name": "Beta"}, **members)
        await settle()
        return self.line.take()


@pytest.fixture
async def socket() -> AsyncIterator[Socket]:
    crashes: list[BaseException] = []
    tasks = TaskScope(lambda name, error: crashes.append(error))
    socket = Socket(Hub(), tasks)
    assert [frame["op"] for frame in socket.line.take()] == ["HELLO"]
    yield socket
    await tasks.close()
    assert crashes == []


async def test_identify_is_answered_by_ready_and_a_feed(socket: Socket) -> None:
    [ready] = await socket.identify(cursor="evt_1")
    assert ready["op"] == "READY"
    assert ready["agent_id"] == "beta"
    assert ready["network_id"] == "local"
    [feed] = socket.hub.feeds
    assert feed.options["cursor"] == "evt_1"
    assert feed.options["agent_id"] == "beta"
    socket.session.write(b"frames")
    assert socket.line.frames == [b"frames"]
    socket.session.writable()
    assert feed.drained == 1


async def test_ack_pong_and_client_error(socket: Socket) -> None:
    await socket.identify()
    socket.say("ACK", cursor="evt_9")
    socket.session.received(b'{"op":"PONG"}', True)
    socket.say("PING")
    assert socket.hub.acks == [("beta", "evt_9")]
    assert [frame["op"] for frame in socket.line.take()] == ["PONG"]
    socket.say("ERROR", error="no model")
    assert socket.hub.failures == [("beta", "no model")]
    assert socket.line.is_aborted
    socket.session.closed(1006)
    assert socket.hub.attachments[0].ends == [("client_error", "no model")]
    assert socket.hub.feeds[0].is_closed


async def test_an_unknown_ack_ends_the_socket(socket: Socket) -> None:
    await socket.identify()
    socket.say("ACK", cursor="evt_unknown")
    assert [frame["error"] for frame in socket.line.take()] == ["unexpected ACK cursor"]
    assert socket.line.is_aborted


async def test_an_early_ack_ends_the_socket(socket: Socket) -> None:
    socket.say("ACK", cursor="evt_9")
    [frame] = socket.line.take()
    assert frame["op"] == "ERROR"
    assert socket.line.is_aborted


async def test_the_ack_of_a_gap_moves_the_agent_to_the_newest(socket: Socket) -> None:
    await socket.identify(cursor="evt_old")
    socket.session.gap(ReplayGap("evt_old", "evt_1", "evt_5", 1, 5))
    [frame] = socket.line.take()
    assert frame["event"]["type"] == "stream.replay_gap"
    assert frame["cursor"] == frame["event"]["id"]
    socket.say("ACK", cursor=frame["cursor"])
    assert socket.hub.acks == [("beta", "evt_5")]


async def test_a_gap_is_sent_once_its_ack_can_be_taken(socket: Socket) -> None:
    socket.hub.gap = ReplayGap("evt_old", "evt_1", "evt_5", 1, 5)
    socket.hub.hold = asyncio.Event()
    assert [frame["op"] for frame in await socket.identify(cursor="evt_old")] == ["READY"]
    socket.hub.hold.set()
    await settle()
    [frame] = socket.line.take()
    socket.say("ACK", cursor=frame["cursor"])
    assert socket.hub.acks == [("beta", "evt_5")]


async def test_resuming_from_a_gap_is_left_to_the_stored_cursor(socket: Socket) -> None:
    await socket.identify(cursor="evt_gap_" + "0" * 64)
    assert socket.hub.feeds[0].options["cursor"] == ""


@pytest.mark.parametrize(
    ("code", "agents", "is_anonymous", "text"),
    [
        ("forbidden", {"alpha"}, False, 'attachment agent.id "beta" is not allowed for this token'),
        ("forbidden", None, True, 'agent "beta" requires its agent token'),
        ("conflict", None, False, 'agent "beta" is already registered with different credentials'),
        ("forbidden", None, False, 'agent "beta" is already registered with different credentials: no'),
        ("storage_full", None, False, "no"),
    ],
)
async def test_a_refused_identify_says_why(
    socket: Socket, code: str, agents: set[str] | None, is_anonymous: bool, text: str
) -> None:
    socket.hub.caller.grant.agents = frozenset(agents) if agents else None
    socket.hub.caller.is_anonymous = is_anonymous
    socket.hub.refusal = InstarError(code, "no")
    [frame] = await socket.identify()
    assert frame == {"op": "ERROR", "version": VERSION, "capabilities": {}, "error": text}
    assert socket.line.is_aborted
    socket.session.closed(1006)
    assert socket.hub.attachments == []


@pytest.mark.parametrize(
    ("code", "close_code", "is_aborted"),
    [("lagging", 1013, False), ("service_unavailable", 1012, False), ("unauthorized", None, True)],
)
async def test_the_end_of_a_feed(socket: Socket, code: str, close_code: int | None, is_aborted: bool) -> None:
    await socket.identify()
    socket.session.ended(code, "agent was removed from the network", "evt_7")
    [frame] = socket.line.take()
    assert frame["op"] == "ERROR"
    assert frame["error"] == "agent was removed from the network"
    if close_code is not None:
        assert frame["cursor"] == "evt_7"
    assert (socket.line.closed[0] if socket.line.closed else None) == close_code
    assert socket.line.is_aborted is is_aborted
    socket.session.closed(close_code or 1006)
    assert socket.hub.attachments[0].ends[0][0] == "event_stream_closed"


async def test_a_client_that_left_during_identify_keeps_no_place(socket: Socket) -> None:
    socket.say("IDENTIFY", network_id="local", agent={"type": "agent", "id": "beta"})
    socket.session.closed(1001)
    await settle()
    assert [attachment.ends for attachment in socket.hub.attachments] == [[("client_closed", "")]]
    assert socket.hub.feeds == []
    socket.session.write(b"late")
    socket.session.ended("lagging", "late", "")
    socket.session.gap(ReplayGap("a", "", "", 0, 0))
    assert socket.line.frames == []
    assert socket.session.buffered_bytes() == 0


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, "client_closed"), (1001, "client_going_away"), (1006, "read_error")]
)
async def test_why_a_client_left(socket: Socket, code: int, reason: str) -> None:
    await socket.identify()
    socket.session.closed(code)
    assert socket.hub.attachments[0].ends == [(reason, "")]
    assert len(socket.heartbeat) == 0


async def test_a_silent_client_is_cut_without_a_word(socket: Socket) -> None:
    await socket.identify()
    socket.session.tick(socket.session.wake_at)
    assert [frame["op"] for frame in socket.line.take()] == ["PING"]
    socket.session.tick(socket.session.wake_at + ATTACH_SILENCE_S)
    assert socket.line.take() == []
    assert socket.line.is_aborted


async def test_lag_is_what_the_carrier_says(socket: Socket) -> None:
    socket.line.waiting = 5
    assert socket.session.buffered_bytes() == 5


async def test_an_ack_before_the_feed_is_open_is_refused(socket: Socket) -> None:
    socket.hub.hold = asyncio.Event()
    await socket.identify()
    socket.say("ACK", cursor="evt_9")
    assert [frame["error"] for frame in socket.line.take()] == ["unexpected ACK cursor"]


async def test_a_client_that_left_while_its_feed_opened_keeps_nothing(socket: Socket) -> None:
    socket.hub.hold = asyncio.Event()
    await socket.identify()
    socket.session.closed(1006)
    socket.hub.hold.set()
    await settle()
    assert socket.hub.feeds[0].is_closed
    socket.say("PING")
    assert socket.line.take() == []
