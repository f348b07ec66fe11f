"""How events look on each stream."""

import hashlib
from itertools import pairwise

import msgspec
import pytest

from conformance.moltnet import shapes
from instar.base.clock import Micros
from instar.doors.network.gaps import gap_event, gap_event_id, resume_cursor
from instar.doors.network.renderers import AttachRenderer, LinkRenderer, StreamRenderer
from instar.wire.events import Event, EventView, ReplayGap, RoomKey
from instar.wire.native import frames
from instar.wire.runs import PresenceSignal

AGENT = b'{"agent_id":"beta"}'
ROOM = (
    b'{"id":"r","network_id":"local","fqid":"molt://local/rooms/r","name":"r","visibility":"private",'
    b'"write_policy":"members","created_at":"2026-01-01T00:00:00Z"}'
)


def event(seq: int, kind: str = "agent.connected", payload: bytes = AGENT) -> Event:
    room = RoomKey("system:directory")
    return Event(seq, seq - 1, "home", room, f"evt_{seq}", kind, "beta", Micros(1_000_000), payload, b"", b"")


SESSION_MESSAGE = (
    b'{"id":"m","network_id":"local","origin":{"network_id":"local","message_id":"m"},'
    b'"target":{"kind":"session","participant_ids":["alpha","ada"],"session_id":"agent:alpha:main"},'
    b'"from":{"type":"human","id":"ada"},"parts":[{"kind":"text","text":"hi \\u2028"}],'
    b'"created_at":"2026-01-01T00:00:00Z"}'
)


def of_session(kind: str, payload: bytes) -> Event:
    return msgspec.structs.replace(event(1, kind, payload), room=RoomKey("session:agent:alpha:main"))


def test_attach_shows_a_session_as_a_direct_conversation() -> None:
    """Its clients know no other private conversation: what wakes them, and what they answer with, is its key."""
    (payload,) = unframed(AttachRenderer("local").render(of_session("message.created", SESSION_MESSAGE)))
    told = msgspec.json.decode(payload)["event"]["message"]
    direct = {"kind": "dm", "dm_id": "session:agent:alpha:main", "participant_ids": ["alpha", "ada"]}
    assert told == msgspec.json.decode(SESSION_MESSAGE) | {"target": direct}
    assert shapes.decode(msgspec.json.encode(told), shapes.Message).target.dm_id == "session:agent:alpha:main"
    opened = b'{"key":"session:agent:alpha:main","members":["alpha"]}'
    (payload,) = unframed(AttachRenderer("local").render(of_session("session.opened", opened)))
    assert msgspec.json.decode(payload)["event"]["session"]["members"] == ["alpha"]


def test_our_own_streams_show_a_session_as_it_is() -> None:
    made = of_session("message.created", SESSION_MESSAGE)
    for rendered in (StreamRenderer("local").render(made), LinkRenderer("local").render(made)):
        assert b'"kind":"session"' in rendered


def unframed(data: bytes) -> list[bytes]:
    payloads: list[bytes] = []
    while data:
        assert data[0] == 0x81
        size, at = data[1], 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        payloads.append(data[at : at + size])
        data = data[at + size :]
    return payloads


def test_attach_writes_one_frame_for_each_event() -> None:
    renderer = AttachRenderer("local")
    joined = renderer.join([renderer.render(event(1)), renderer.render(event(2, "room.created", ROOM))])
    decoded = [shapes.decode(payload, shapes.Frame) for payload in unframed(joined)]
    assert [frame.cursor for frame in decoded] == ["evt_1", "evt_2"]
    assert all(frame.op == "EVENT" and frame.version == shapes.ATTACH_V1 for frame in decoded)
    assert all(frame.event is not None for frame in decoded)
    room = decoded[1].event.room if decoded[1].event else None
    assert room is not None
    assert room.id == "r"
    assert renderer.signal(PresenceSignal("a", "busy")) == b""


def test_the_stream_writes_one_block_for_each_event() -> None:
    renderer = StreamRenderer("local")
    joined = renderer.join([renderer.render(event(1)), renderer.render(event(2))])
    blocks = joined.decode().split("\n\n")
    assert blocks[-1] == ""
    head = blocks[0].split("\n")
    assert head[:2] == ["id: evt_1", "event: agent.connected"]
    assert msgspec.json.decode(head[2].removeprefix("data: "), type=EventView).seq == 1
    assert renderer.signal(PresenceSignal("a", "busy")) == b""


def test_the_link_writes_one_frame_for_a_batch() -> None:
    renderer = LinkRenderer("local")
    [payload] = unframed(renderer.join([renderer.render(event(seq)) for seq in (1, 2, 13)]))
    frame = frames.decode_hub_frame(payload)
    assert isinstance(frame, frames.Events)
    assert frame.cursor == "13"
    seqs = [msgspec.json.decode(one, type=EventView).seq for one in frame.events]
    assert all(earlier < later for earlier, later in pairwise(seqs))
    [signal] = unframed(renderer.signal(PresenceSignal("a", "busy")))
    assert isinstance(frames.decode_hub_frame(signal), frames.SignalFrame)


def test_the_gap_event_has_the_id_of_its_cursor() -> None:
    gap = ReplayGap("evt_old", "evt_1", "evt_9", 1, 9)
    event_id, json = gap_event("local", gap)
    assert event_id == gap_event_id("evt_old") == "evt_gap_" + hashlib.sha256(b"evt_old").hexdigest()
    assert len(event_id) == 72
    decoded = shapes.decode(json, shapes.Event)
    assert decoded.replay_gap == shapes.ReplayGap("evt_old", "evt_1", "evt_9")


@pytest.mark.parametrize(("newest", "cursor"), [("evt_9", "evt_9"), ("", "0")])
def test_a_client_goes_on_behind_the_gap(newest: str, cursor: str) -> None:
    assert resume_cursor(ReplayGap("evt_old", "", newest, 0, 0)) == cursor
