import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.wire.execution import Channel
from instar.wire.limits import LINK_CHUNK_MAX_BYTES, LINK_CREDIT_BYTES
from instar.wire.machine import MisuseError
from instar.wire.native.flow import FlowFaultError, Inflow, Outflow, serving, watched, watching


def test_what_came_before_is_dropped():
    inflow = Inflow(10)
    assert bytes(inflow.take(10, memoryview(b"abc"))) == b"abc"
    assert bytes(inflow.take(11, memoryview(b"bcde"))) == b"de"
    assert bytes(inflow.take(10, memoryview(b"ab"))) == b""
    assert inflow.taken == 15


def test_nobody_sends_beyond_the_credit_or_leaves_bytes_out():
    inflow = Inflow(0, 4)
    with pytest.raises(FlowFaultError):
        inflow.take(0, memoryview(b"abcde"))
    with pytest.raises(FlowFaultError):
        inflow.take(1, memoryview(b"a"))
    assert not inflow.allow(4)
    assert inflow.allow(5)
    assert bytes(inflow.take(0, memoryview(b"abcde"))) == b"abcde"


def test_a_hole_may_be_where_the_sender_has_lost_bytes_too():
    inflow = Inflow(0, 100, has_holes=True)
    assert bytes(inflow.take(50, memoryview(b"abc"))) == b"abc"
    assert bytes(inflow.take(0, memoryview(b"abc"))) == b""


def test_credit_never_goes_back():
    outflow = Outflow(0, 10)
    outflow.granted(5)
    outflow.send(0, 10)
    assert outflow.room == 0
    with pytest.raises(MisuseError):
        outflow.send(10, 1)
    outflow.granted(10 + 2 * LINK_CHUNK_MAX_BYTES)
    assert outflow.room == LINK_CHUNK_MAX_BYTES


def test_how_far_each_stream_may_go_at_first():
    client, hub, node = watched({1: 7}, 0), watching(), serving({1: 7, 2: 9})
    assert client.inflows[Channel.STDOUT].upto == 7 + LINK_CREDIT_BYTES
    assert watched({}, 3 * LINK_CREDIT_BYTES).inflows[Channel.STDERR].upto == 3 * LINK_CREDIT_BYTES
    assert client.outflows[Channel.STDIN].upto == hub.inflows[Channel.STDIN].upto == 0
    assert node.outflows[Channel.STDERR].upto == 9 + LINK_CREDIT_BYTES
    assert node.inflows[Channel.STDIN].upto == LINK_CREDIT_BYTES
    with pytest.raises(FlowFaultError):
        hub.take(Channel.STDOUT, 0, memoryview(b"a"))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12))))
def test_whatever_order_chunks_come_in_the_content_is_right(chunks):
    """Each byte is known by its offset: none is taken twice, and without holes none is missing."""
    content = bytes(range(60))
    inflow, got = Inflow(0, 60), b""
    for offset, size in chunks:
        try:
            got += bytes(inflow.take(offset, memoryview(content)[offset : offset + size]))
        except FlowFaultError:
            assert offset > len(got)
    assert got == content[: len(got)]
    assert inflow.taken == len(got)
