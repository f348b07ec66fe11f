import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instar.base.errors import InstarError
from instar.hub.nodes.executor import LinkExecutor
from instar.wire.execution import (
    CallOrder,
    Ended,
    LedgerEntry,
    LedgerState,
    Outcome,
    Plan,
    Preparation,
    Prepared,
    Recalled,
    Start,
    StreamEnd,
)
from instar.wire.limits import LINK_CHUNK_MAX_BYTES, LINK_CREDIT_BYTES
from instar.wire.native.flow import FlowFaultError

from .conftest import FakeLink, Sink

ARGS = msgspec.Raw(b'{"argv":["true"]}')


def preparation(call_id="call_1"):
    return Preparation(call_id, "exec", ARGS)


def prepared(target_id="n", tool="exec"):
    return Prepared(Plan(target_id, tool, ARGS), "sha256:0")


@pytest.fixture
def link():
    return FakeLink()


@pytest.fixture
def executor(link):
    return LinkExecutor("n", link, 8)


async def running(executor, call_id="call_1"):
    sink = Sink()
    await executor.start(Start(preparation(call_id), "sha256:0"), sink)
    return sink


async def test_a_plan_counts_for_what_was_asked_alone(link, executor):
    link.answers["prepare"] = lambda *_: prepared()
    assert (await executor.prepare(preparation())).plan.target_id == "n"
    for other in (prepared("other"), prepared(tool="shell")):
        link.answers["prepare"] = lambda *_, other=other: other
        with pytest.raises(InstarError, match="another target or tool"):
            await executor.prepare(preparation())
    link.answers["prepare"] = lambda *_: b'{"plan":7}'
    with pytest.raises(InstarError, match="cannot be read"):
        await executor.prepare(preparation())


async def test_a_call_from_start_to_settled(link, executor):
    sink = await running(executor)
    assert link.asked[0][0] == "start"
    stream = link.asked[0][2]
    assert executor.calls_running == 1
    executor.chunk(stream, 1, 0, memoryview(b"out"))
    executor.chunk(stream, 1, 1, memoryview(b"ut"))
    executor.chunk(stream, 2, 0, memoryview(b"err"))
    executor.started("call_1")
    outcome = Outcome("call_1", Ended.DONE, 0)
    assert executor.ended(outcome)
    assert not executor.ended(outcome)
    executor.chunk(stream, 1, 3, memoryview(b"late"))
    executor.settle("call_1")
    assert sink.heard == ["started", (1, 0, b"out"), (2, 0, b"err"), outcome]
    assert link.told == [("settled", {"call_id": "call_1"})]
    assert executor.calls_running == 0


async def test_what_comes_before_the_answer_to_start_is_not_lost(link, executor):
    def answer(method, params, stream):
        executor.chunk(stream, 1, 0, memoryview(b"quick"))
        executor.ended(Outcome("call_1", Ended.DONE, 0))
        return {}

    link.answers["start"] = answer
    sink = await running(executor)
    assert sink.heard == [(1, 0, b"quick"), Outcome("call_1", Ended.DONE, 0)]


async def test_a_refused_start_follows_nothing_an_unknown_one_does(link, executor):
    def refuse(code):
        def answer(*_):
            raise InstarError(code, "no")

        return answer

    link.answers["start"] = refuse("plan_changed")
    with pytest.raises(InstarError):
        await running(executor)
    assert executor.calls_running == 0
    link.answers["start"] = refuse("timeout")
    with pytest.raises(InstarError):
        await running(executor)
    assert executor.calls_running == 1


async def test_output_comes_as_far_as_it_was_let(link, executor):
    await running(executor)
    executor.allow("call_1", 1, 10)
    executor.allow("nobody", 1, 10)
    assert link.credits == []
    executor.allow("call_1", 1, LINK_CREDIT_BYTES + 1)
    executor.allow("call_1", 0, 2**40)
    assert link.credits == [(1, 1, LINK_CREDIT_BYTES + 1)]
    for stream, channel, offset in ((1, 2, LINK_CREDIT_BYTES), (1, 1, 5), (1, 0, 0), (9, 1, 0)):
        with pytest.raises(FlowFaultError):
            executor.chunk(stream, channel, offset, memoryview(b"x"))


async def test_input_goes_as_far_as_the_node_takes_it_and_the_link_keeps_up(link, executor):
    sink = await running(executor)
    content = bytes(LINK_CREDIT_BYTES)
    executor.write("call_1", 0, content)
    executor.write("call_1", LINK_CREDIT_BYTES, b"more")
    executor.write("nobody", 0, b"x")
    sent = sum(len(chunk) for *_, chunk in link.chunks)
    assert sent == LINK_CREDIT_BYTES
    assert max(len(chunk) for *_, chunk in link.chunks) == LINK_CHUNK_MAX_BYTES
    # A node may grant what it never reads: the caller gets a window of it, and nothing while the link is full.
    link.buffered = LINK_CREDIT_BYTES + 1
    executor.credit(1, 2**50)
    assert link.chunks[-1] == (1, 0, LINK_CREDIT_BYTES, b"more")
    assert sink.heard == ["started"]
    link.buffered = 0
    executor.writable()
    assert sink.heard[1:] == [("allowed", 2 * LINK_CREDIT_BYTES + 4)]
    executor.credit(77, 5)


async def test_orders_and_what_is_none(link, executor):
    await executor.order("cancel", CallOrder("call_1", reason="r"))
    assert link.asked == [("cancel", {"call_id": "call_1", "reason": "r"}, 0)]
    with pytest.raises(InstarError, match="no order"):
        await executor.order("format", CallOrder("call_1"))


async def test_the_ledger_answers_what_it_was_asked(link, executor):
    entries = [LedgerEntry("b", LedgerState.UNKNOWN), LedgerEntry("a", LedgerState.RUNNING, produced={"1": 3})]
    link.answers["recall"] = lambda *_: Recalled(entries)
    assert [entry.call_id for entry in await executor.recall(["a", "b"])] == ["a", "b"]
    with pytest.raises(InstarError, match="other calls"):
        await executor.recall(["a"])


async def test_a_call_goes_on_on_another_stream(link, executor):
    first = await running(executor)
    second = Sink()
    await executor.resume("call_1", {1: 100, 2: 0}, second)
    assert link.asked[-1] == ("resume", {"call_id": "call_1", "offsets": {"1": 100, "2": 0}}, 2)
    executor.chunk(1, 1, 0, memoryview(b"old"))
    executor.chunk(2, 1, 100, memoryview(b"new"))
    assert first.heard == ["started"]
    assert second.heard == ["started", (1, 100, b"new")]


async def test_an_end_that_is_repeated_before_the_node_goes_on_leaves_no_output_behind(link, executor):
    outcome = Outcome("call_1", Ended.DONE, 0, streams=[StreamEnd(1, 39)])

    def answer(method, params, stream):
        assert executor.ended(outcome)
        executor.chunk(stream, 1, 9, memoryview(b"x" * 20))
        return {}

    link.answers["resume"] = answer
    sink = Sink()
    await executor.resume("call_1", {1: 9, 2: 0}, sink)
    executor.chunk(1, 1, 29, memoryview(b"y" * 10))
    assert executor.ended(outcome)
    assert sink.heard == [(1, 9, b"x" * 20), "started", (1, 29, b"y" * 10), outcome]


async def test_the_end_of_the_link_severs_every_call(link, executor):
    sinks = [await running(executor, f"call_{n}") for n in range(3)]
    executor.severed("the cable")
    assert [sink.heard[-1] for sink in sinks] == [("severed", "the cable")] * 3
    assert executor.calls_running == 0
    executor.write("call_1", 0, b"x")
    executor.allow("call_1", 1, 2**40)
    assert link.chunks == link.credits == []


said = st.one_of(
    st.tuples(st.just("chunk"), st.integers(0, 5), st.integers(0, 2), st.sampled_from([0, 1, 3, 2**40]), st.binary()),
    st.tuples(st.just("ended"), st.sampled_from(["call_0", "call_1", "of another node", ""])),
    st.tuples(st.just("started"), st.sampled_from(["call_0", "call_1", "of another node"])),
    st.tuples(st.just("credit"), st.integers(0, 5), st.integers(-5, 2**60)),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(said))
def test_a_hostile_node_reaches_its_own_calls_alone(steps):
    """S-36: whatever a node says, the calls of another one hear nothing, and each of its own ends at most once."""

    async def play():
        executors = [LinkExecutor(name, FakeLink(), 8) for name in "nm"]
        mine, others = [await running(executors[0], f"call_{n}") for n in range(2)], await running(executors[1], "x")
        for what, *words in steps:
            try:
                if what == "ended":
                    executors[0].ended(Outcome(words[0], Ended.DONE))
                elif what == "chunk":
                    executors[0].chunk(*words[:3], memoryview(words[3]))
                else:
                    getattr(executors[0], what)(*words)
            except FlowFaultError:
                break
        return mine, others

    mine, others = asyncio.run(play())
    assert others.heard == ["started"]
    for sink in mine:
        ends = [each for each in sink.heard if isinstance(each, Outcome)]
        assert len(ends) <= 1
        assert not ends or sink.heard[-1] is ends[0]
