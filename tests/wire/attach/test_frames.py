import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.wire.attach import frames
from instar.wire.attach.frames import Frame
from instar.wire.machine import UNREADABLE

VECTORS = json.loads(Path(__file__).with_name("frames.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_frames_are_the_bytes_of_the_original(vector):
    frame = msgspec.convert(
        {**vector["frame"], "event": msgspec.Raw(msgspec.json.encode(vector["frame"]["event"]))}
        if "event" in vector["frame"]
        else vector["frame"],
        Frame,
    )
    assert frames.encode(frame) == vector["bytes"].encode()
    assert frames.encode(frames.decode(vector["bytes"].encode())) == vector["bytes"].encode()


def test_event_frame_is_what_encoding_would_give():
    event = b'{"id":"evt_1","type":"message.created"}'
    spliced = frames.event_frame("local", "evt_1", event)
    whole = Frame(op="EVENT", version=frames.VERSION, network_id="local", cursor="evt_1", event=msgspec.Raw(event))
    assert spliced == frames.encode(whole)


def test_members_that_are_not_known_are_ignored():
    assert frames.decode(b'{"op":"PING","tomorrow":{"a":1}}').op == "PING"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_decode_error(payload):
    try:
        frames.decode(payload)
    except UNREADABLE:
        return


text = st.text(max_size=20)


@given(op=text, network=text, cursor=text, error=text, heartbeat=st.integers(0, 2**31))
def test_what_is_encoded_decodes_to_the_same(op, network, cursor, error, heartbeat):
    frame = Frame(op=op, network_id=network, cursor=cursor, error=error, heartbeat_interval_ms=heartbeat)
    assert frames.decode(frames.encode(frame)) == frame
