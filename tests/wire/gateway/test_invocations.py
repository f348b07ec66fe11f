"""What a node was asked: the first answer on its own connection counts, and nothing else that it says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instar.base.errors import InstarError
from instar.wire.gateway.invocations import Answer, Invocations, Taken, answer_of, moltis_answer
from instar.wire.limits import GATEWAY_PROGRESS_AHEAD_MAX


def test_one_answer_each() -> None:
    asked = Invocations("node-a")
    asked.begin("inv_1")
    assert asked.pending() == ["inv_1"]
    assert asked.answered("inv_2") is Taken.IGNORED
    assert asked.answered("inv_1", "node-a") is Taken.TAKEN
    assert asked.answered("inv_1", "node-a") is Taken.IGNORED
    assert len(asked) == 0


def test_an_answer_in_anothers_name() -> None:
    asked = Invocations("node-a")
    asked.begin("inv_1")
    with pytest.raises(InstarError, match="nodeId mismatch"):
        asked.answered("inv_1", "node-b")
    with pytest.raises(InstarError, match="nodeId mismatch"):
        asked.progressed("inv_1", 0, "x", "node-b")
    assert asked.answered("inv_1") is Taken.TAKEN


def test_what_comes_late_is_ignored() -> None:
    asked = Invocations("node-a")
    asked.begin("inv_1")
    asked.end("inv_1")
    asked.end("inv_1")
    assert asked.answered("inv_1") is Taken.IGNORED
    assert asked.progressed("inv_1", 0, "x") == []


@settings(deadline=None, max_examples=60)
@given(st.permutations(range(12)), st.lists(st.integers(0, 11), max_size=8))
def test_chunks_come_out_in_order_and_once(order: list[int], again: list[int]) -> None:
    asked = Invocations("n")
    asked.begin("i")
    told: list[str] = []
    for seq in [*order, *again]:
        told += asked.progressed("i", seq, str(seq))
    assert told == [str(seq) for seq in range(12)]


def test_a_chunk_too_far_ahead() -> None:
    asked = Invocations("n")
    asked.begin("i")
    assert asked.progressed("i", GATEWAY_PROGRESS_AHEAD_MAX, "x") == []
    with pytest.raises(InstarError, match="came before"):
        asked.progressed("i", GATEWAY_PROGRESS_AHEAD_MAX + 1, "x")


def test_answers_of_openclaw() -> None:
    told = answer_of(is_ok=True, payload={"a": 1}, payload_json='{"a": 2}', error=None)
    assert told == Answer(True, {"a": 2})
    assert answer_of(is_ok=True, payload=[1], payload_json=None, error=None).payload == [1]
    failed = answer_of(is_ok=False, payload=None, payload_json="no json", error={"code": "CAMERA_DISABLED"})
    assert (failed.is_ok, failed.code) == (False, "CAMERA_DISABLED")
    assert answer_of(is_ok=False, payload=None, payload_json=None, error=None).code == "UNAVAILABLE"
    with pytest.raises(InstarError, match="payloadJSON is no JSON"):
        answer_of(is_ok=True, payload=None, payload_json="{", error=None)


@pytest.mark.parametrize(
    ("result", "is_ok"),
    [
        ({"stdout": "", "stderr": "", "exitCode": 0}, True),
        ({"stdout": "x", "error": "but it ran"}, True),
        ({"error": "unsupported command: x"}, False),
        ({"error": 1}, True),
        (None, True),
        ([{"error": "x"}], True),
    ],
)
def test_answers_of_moltis(result: object, *, is_ok: bool) -> None:
    assert moltis_answer(result).is_ok is is_ok
