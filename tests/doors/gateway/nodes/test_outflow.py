"""Output goes no further than the hub takes it, and comes whole in the end."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from instar.doors.gateway.nodes import outflow
from instar.doors.gateway.nodes.outflow import Outflow
from instar.wire.execution import Channel, StreamEnd
from instar.wire.limits import LINK_CREDIT_BYTES


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(0, 400), max_size=8))
def test_in_order_and_within_the_credit(pieces: list[bytes], grants: list[int]) -> None:
    told: list[tuple[int, int, bytes]] = []
    drained: list[None] = []
    flow = Outflow(lambda *one: told.append(one), lambda: drained.append(None))
    for stream in flow._streams.values():
        stream.upto = 0
    for piece in pieces:
        flow.write(Channel.STDOUT, piece)
    assert told == []
    upto = 0
    for grant in grants:
        upto = max(upto, grant)
        flow.allow(Channel.STDOUT, grant)
        assert all(offset + len(content) <= upto for _, offset, content in told)
    flow.allow(Channel.STDOUT, 10_000)
    whole = b"".join(pieces)
    assert b"".join(content for _, _, content in told) == whole
    offsets = [offset for _, offset, _ in told]
    assert offsets == sorted(offsets)
    assert flow.is_drained
    ends = [StreamEnd(Channel.STDOUT, len(whole), hashlib.sha256(whole).hexdigest())] if whole else []
    assert flow.ends() == ends
    assert drained


def test_what_is_more_than_the_first_credit_waits() -> None:
    told: list[int] = []
    flow = Outflow(lambda channel, offset, content: told.append(len(content)), lambda: None)
    flow.write(Channel.STDERR, b"x" * (LINK_CREDIT_BYTES + 5))
    assert sum(told) == LINK_CREDIT_BYTES
    assert not flow.is_drained
    flow.allow(0, 10**9)
    assert not flow.is_drained
    flow.allow(Channel.STDERR, LINK_CREDIT_BYTES + 5)
    assert flow.is_drained
    assert max(told) <= outflow.LINK_CHUNK_MAX_BYTES
