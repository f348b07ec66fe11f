import json
from pathlib import Path

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.wire.limits import LINK_CHUNK_MAX_BYTES
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


CHUNKS = {
    (1, 1, 0, b""): "00000001010000000000000000",
    (7, 0, 4096, b"in\n"): "00000007000000000000001000696e0a",
    (2**32 - 1, 2, 2**40, b"\xff"): "ffffffff020000010000000000ff",
}


@pytest.mark.parametrize("chunk", CHUNKS, ids=["empty", "input", "far"])
def test_chunks_are_these_bytes(chunk):
    message = frames.chunk_frame(*chunk)
    assert message.hex() == CHUNKS[chunk]
    assert frames.decode_chunk(message) == chunk


@pytest.mark.parametrize(
    "message",
    [b"", bytes(12), bytes(4) + b"\x03" + bytes(8), bytes(frames.CHUNK_HEAD.size + LINK_CHUNK_MAX_BYTES + 1)],
    ids=["nothing", "too short", "no such channel", "too long"],
)
def test_what_is_no_chunk(message):
    with pytest.raises(ValueError, match=r"chunk|channel"):
        frames.decode_chunk(message)


def test_a_nodes_refusal_is_an_error_of_ours():
    refused = frames.error_of(frames.ErrorBody("plan_changed", "m" * 5_000, "h", detail={"path": "/x"}))
    assert (refused.code, len(refused.message), refused.hint, refused.detail) == (
        "plan_changed", 1_024, "h", {"path": "/x"},
    )  # fmt: skip
    assert frames.error_of(frames.ErrorBody("made up", "m")).code == "bad_gateway"
