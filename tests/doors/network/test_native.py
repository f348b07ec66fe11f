"""One native link, driven by hand."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.doors.heartbeat import Heartbeat
from instar.doors.network.native import LinkDoor, LinkSession
from instar.wire.events import ReplayGap
from instar.wire.rooms import Room, Visibility, WritePolicy

from .stand_in import MADE, Hub, Line, settle

ROOM = Room("r", "local", "molt://local/rooms/r", "r", Visibility.PRIVATE, WritePolicy.MEMBERS, MADE)


class Link:
    def __init__(self, hub: Hub, tasks: TaskScope) -> None:
        self.hub = hub
        self.line = Line()
        self.heartbeat = Heartbeat(tick_s=3_600)
        self.session = LinkSession(LinkDoor(hub, self.heartbeat, tasks), hub.caller, "req_1")  # type: ignore[arg-type]
        self.session.opened(self.line)

    async def say(self, **frame: Any) -> list[Any]:
        self.session.received(msgspec.json.encode(frame), True)
        await settle()
        return self.line.take()


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    crashes: list[BaseException] = []
    tasks = TaskScope(lambda name, error: crashes.append(error))
    yield Link(Hub(rooms__get=ROOM), tasks)
    await tasks.close()
    assert crashes == []


async def test_hello_opens_a_feed(link: Link) -> None:
    [welcome] = await link.say(t="hello", cursor="5", signals=True)
    assert welcome["t"] == "welcome"
    assert welcome["cursor"] == "7"
    assert welcome["principal"] == "beta"
    [feed] = link.hub.feeds
    assert feed.options["cursor"] == "5"
    assert feed.options["signals"] is True
    link.session.writable()
    assert feed.drained == 1
    link.session.closed(1000)
    assert feed.is_closed
    assert len(link.heartbeat) == 0


async def test_a_link_without_a_feed(link: Link) -> None:
    [welcome] = await link.say(t="hello", feed=False)
    assert welcome["cursor"] == ""
    assert link.hub.feeds == []
    link.session.writable()


async def test_events_wait_for_the_welcome(link: Link) -> None:
    link.hub.hold = asyncio.Event()
    assert await link.say(t="hello") == []
    link.session.write(b"early")
    assert link.line.frames == []
    link.hub.hold.set()
    await settle()
    assert [frame["t"] for frame in link.line.take()] == ["welcome"]
    assert link.line.frames == [b"early"]
    link.session.gap(ReplayGap("a", "", "", 0, 0))
    assert b'"replay_gap"' in link.line.frames[1]


async def test_operations_are_answered_by_id(link: Link) -> None:
    await link.say(t="hello", feed=False)
    [result] = await link.say(t="op", id=1, op="rooms.get", params={"room_id": "r"}, key="k1")
    assert result["t"] == "result"
    assert result["id"] == 1
    assert result["result"]["id"] == "r"
    name, params, more = link.hub.asked[-1]
    assert (name, params.room_id, more["idempotency_key"]) == ("rooms.get", "r", "k1")


@pytest.mark.parametrize(
    ("op", "params", "code"),
    [
        ("rooms.fly", {}, "not_found"),
        ("rooms.get", {}, "unprocessable_entity"),
        ("rooms.get", {"room_id": 5}, "bad_request"),
        ("blobs.upload", {}, "bad_request"),
        ("rooms.list", {}, "not_found"),
    ],
)
async def test_failures_are_answered_by_id(link: Link, op: str, params: dict[str, Any], code: str) -> None:
    await link.say(t="hello", feed=False)
    [error] = await link.say(t="op", id=4, op=op, params=params)
    assert error["t"] == "error"
    assert error["id"] == 4
    assert error["error"]["code"] == code


async def test_a_refused_feed_ends_the_link(link: Link) -> None:
    link.hub.refusal = InstarError("forbidden", "no feed for you")
    [error] = await link.say(t="hello")
    assert error["id"] == 0
    assert link.line.closed == (1008, "no feed for you")


async def test_a_fault_of_the_client_ends_the_link(link: Link) -> None:
    [error] = await link.say(t="op", id=1, op="rooms.get")
    assert error["id"] == 0
    assert link.line.closed is not None


@pytest.mark.parametrize(
    ("code", "close_code"), [("lagging", 1013), ("service_unavailable", 1012), ("unauthorized", 1008)]
)
async def test_goodbye_carries_the_cursor(link: Link, code: str, close_code: int) -> None:
    await link.say(t="hello")
    link.session.ended(code, "over", "41")
    [bye] = link.line.take()
    assert bye["t"] == "bye"
    assert bye["cursor"] == "41"
    assert link.line.closed == (close_code, "over")


async def test_a_client_that_left_while_opening(link: Link) -> None:
    link.hub.hold = asyncio.Event()
    await link.say(t="hello")
    link.session.closed(1006)
    link.hub.hold.set()
    await settle()
    assert link.hub.feeds[0].is_closed
    assert link.session.buffered_bytes() == 0


async def test_liveness_is_the_carriers(link: Link) -> None:
    await link.say(t="hello", feed=False)
    link.session.tick(link.session.wake_at)
    assert link.line.closed is None
    assert link.line.take() == []
