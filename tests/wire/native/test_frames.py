import json
from pathlib import Path

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.wire.native import frames

VECTORS = json.loads(Path(__file__).with_name("frames.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_frames_are_these_bytes(vector):
    decode = frames.decode_client_frame if vector["from"] == "client" else frames.decode_hub_frame
    assert msgspec.json.encode(decode(vector["bytes"].encode())) == vector["bytes"].encode()


def test_spliced_frames_are_what_encoding_would_give():
    events = [b'{"seq":1}', b'{"seq":2}']
    raw = [msgspec.Raw(event) for event in events]
    assert frames.events_frame(events, 2) == msgspec.json.encode(frames.Events(raw, "2"))
    assert frames.signal_frame(events[0]) == msgspec.json.encode(frames.SignalFrame(raw[0]))
    assert frames.result_frame(3, events[0]) == msgspec.json.encode(frames.Result(3, raw[0]))


def test_an_error_frame_carries_the_whole_error():
    error = InstarError("rate_limited", "too fast", hint="Wait.", retry_after_s=1.5, detail={"limit": 3})
    frame = frames.decode_hub_frame(frames.error_frame(4, error, "req_1"))
    assert frame == frames.Error(
        4, frames.ErrorBody("rate_limited", "too fast", "Wait.", True, 1.5, "req_1", {"limit": 3})
    )
