"""Both ends of the native link, one against the other: watched calls, nodes, and peers that break the rules."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from instar.base.errors import InstarError
from instar.wire.execution import CallOrder, Declaration
from instar.wire.limits import LINK_ASKS_MAX, LINK_CREDIT_BYTES, LINK_PING_S, LINK_PONG_S, LINK_STREAMS_MAX
from instar.wire.machine import MisuseError
from instar.wire.native import frames
from instar.wire.native.actions import (
    Answered,
    Asked,
    Closed,
    End,
    Granted,
    InputClosed,
    Open,
    Opened,
    Over,
    Refused,
    Send,
    SendBytes,
    Told,
    Took,
    Welcomed,
)
from instar.wire.native.client import ClientMachine
from instar.wire.native.client import State as ClientState
from instar.wire.native.frames import Ask, Credit, Hello, Reply, Tell, Unwatch, Watch, Welcome
from instar.wire.native.machine import ServerMachine, State

WELCOME = Welcome("0", "local", "operator", "", "ab")


class Pair:
    """Two machines; what one sends the other gets at once. `said` keeps what is not sent."""

    def __init__(self, node=None):
        self.hub, self.client = ServerMachine(), ClientMachine(Hello(feed=False, node=node))
        self.of_hub, self.of_client = [], []
        self.hub.start(0.0)
        self.from_client(self.client.start(0.0))
        assert isinstance(self.of_hub.pop(), Open)
        self.from_hub(self.hub.welcome(WELCOME))
        assert self.of_client.pop() == Welcomed(WELCOME)

    def from_client(self, actions):
        self._carry(actions, self.hub, self.of_hub, self.from_hub, self.of_client)

    def from_hub(self, actions):
        self._carry(actions, self.client, self.of_client, self.from_client, self.of_hub)

    def _carry(self, actions, peer, of_peer, back, own):
        for action in actions:
            if isinstance(action, Send | SendBytes):
                done = peer.receive(action.payload, isinstance(action, Send), 1.0)
                of_peer += [each for each in done if not isinstance(each, Send | SendBytes)]
                back([each for each in done if isinstance(each, Send | SendBytes)])
            else:
                own.append(action)


def test_a_watched_call_from_its_begin_to_its_end():
    pair = Pair()
    stream, actions = pair.client.watch("call_1", {1: 5})
    pair.from_client(actions)
    assert pair.of_hub.pop() == Opened(Watch(stream, "call_1", {"1": 5}))
    pair.from_hub(pair.hub.chunk(stream, 1, 5, b"out"))
    assert pair.of_client.pop() == Took(stream, 1, 5, memoryview(b"out"))
    pair.from_client(pair.client.credit(stream, 1, 5 + 2 * LINK_CREDIT_BYTES))
    assert pair.of_hub.pop() == Granted(stream, 1, 5 + 2 * LINK_CREDIT_BYTES)
    assert pair.client.credit(stream, 1, 5) == []

    assert pair.client.upto(stream, 0) == 0
    pair.from_hub(pair.hub.credit(stream, 0, 4))
    assert pair.of_client.pop() == Granted(stream, 0, 4)
    pair.from_client(pair.client.chunk(stream, 0, 0, b"in"))
    assert pair.of_hub.pop() == Took(stream, 0, 0, memoryview(b"in"))
    pair.from_client(pair.client.close_input(stream, 2))
    assert pair.of_hub.pop() == InputClosed(stream, 2)

    pair.from_hub(pair.hub.watched(stream, b'{"id":"call_1"}'))
    assert pair.of_client.pop() == Over(stream, {"id": "call_1"}, None)
    for nothing in (
        pair.hub.watched(stream, b"{}"), pair.hub.chunk(stream, 1, 8, b"late"), pair.hub.credit(stream, 0, 9),
        pair.client.chunk(stream, 0, 2, b"late"), pair.client.credit(stream, 1, 2**40), pair.client.unwatch(stream),
        pair.client.close_input(stream, 2),
    ):  # fmt: skip
        assert nothing == []
    assert pair.client.upto(stream, 0) is None


def test_nobody_watches_any_more():
    pair = Pair()
    stream, actions = pair.client.watch("call_1", {})
    pair.from_client(actions)
    pair.from_client(pair.client.unwatch(stream))
    assert pair.of_hub[-1] == Closed(stream)
    # What was on its way is dropped by either side.
    assert pair.client.receive(frames.chunk_frame(stream, 1, 0, b"late"), False, 1.0) == []
    assert pair.hub.receive(frames.chunk_frame(stream, 0, 0, b"late"), False, 1.0) == []
    assert pair.hub.receive(msgspec.json.encode(Credit(stream, 1, 9)), True, 1.0) == []
    assert pair.hub.receive(msgspec.json.encode(Unwatch(stream)), True, 1.0) == []


def test_a_call_that_cannot_be_watched():
    pair = Pair()
    stream, actions = pair.client.watch("call_1", {})
    pair.from_client(actions)
    pair.from_hub(pair.hub.watched(stream, error=InstarError("not_found", "there is no such call")))
    assert pair.of_client.pop().error.code == "not_found"


def test_so_many_calls_are_watched_on_one_link_and_no_more():
    pair = Pair()
    for _ in range(LINK_STREAMS_MAX):
        pair.from_client(pair.client.watch("call_1", {})[1])
    with pytest.raises(InstarError, match="are watched"):
        pair.client.watch("call_1", {})
    [full] = pair.hub.receive(msgspec.json.encode(Watch(9_999, "call_1")), True, 1.0)
    assert frames.decode_hub_frame(full.payload).error.code == "overloaded"
    assert pair.hub.state is State.OPEN


def test_a_client_keeps_to_its_credit_or_its_link_ends():
    pair = Pair()
    stream, actions = pair.client.watch("call_1", {})
    pair.from_client(actions)
    with pytest.raises(MisuseError):
        pair.client.chunk(stream, 0, 0, b"in")
    assert pair.hub.receive(frames.chunk_frame(stream, 0, 0, b"in"), False, 1.0)[-1].code == "bad_request"


@pytest.mark.parametrize(
    "payload",
    [
        frames.chunk_frame(1, 1, 0, bytes(100)),
        frames.chunk_frame(1, 0, 0, b"x"),
        b'{"t":"ask","id":1,"method":"start","params":{}}',
        b"\x00",
    ],
    ids=["beyond the credit", "input to a client", "ask to no node", "no chunk"],
)
def test_a_hub_that_breaks_the_rules_is_left(payload):
    pair = Pair()
    pair.client.watch("call_1", {1: 2**40 - LINK_CREDIT_BYTES})
    if payload[:1] == b"\x00" and len(payload) > 50:
        payload = frames.chunk_frame(1, 1, 2**40, b"x")
    [end] = pair.client.receive(payload, not payload.startswith(b"\x00"), 1.0)
    assert (end.code, pair.client.state) == ("bad_gateway", ClientState.CLOSED)


def test_a_node_answers_what_it_is_asked():
    pair = Pair(Declaration(name="build"))
    assert (pair.hub.state, pair.client.state) == (State.SERVING, ClientState.SERVING)
    first, actions = pair.hub.ask("start", b'{"call_id":"c"}', 3)
    pair.from_hub(actions)
    assert pair.of_client.pop() == Asked(first, "start", Raw(b'{"call_id":"c"}'), 3)
    pair.from_client(pair.client.chunk(3, 1, 0, b"out"))
    assert pair.of_hub.pop() == Took(3, 1, 0, memoryview(b"out"))
    pair.from_hub(pair.hub.chunk(3, 0, 0, b"in"))
    assert pair.of_client.pop() == Took(3, 0, 0, memoryview(b"in"))
    pair.from_client(pair.client.reply(first, b"{}"))
    assert pair.of_hub.pop() == Answered(first, Raw(b"{}"))
    with pytest.raises(MisuseError):
        pair.client.reply(first, b"{}")

    second, actions = pair.hub.ask("prepare", b"{}")
    pair.from_hub(actions)
    pair.from_client(pair.client.refuse(second, InstarError("outside_roots", "no")))
    refused = pair.of_hub.pop()
    assert isinstance(refused, Refused)
    assert (refused.id, refused.error.code) == (second, "outside_roots")

    pair.from_client(pair.client.tell("started", b'{"call_id":"c"}'))
    assert pair.of_hub.pop() == Told("started", Raw(b'{"call_id":"c"}'))
    pair.from_hub(pair.hub.tell("settled", b'{"call_id":"c"}'))
    assert pair.of_client.pop() == Told("settled", Raw(b'{"call_id":"c"}'))
    pair.client.drop(3)
    assert pair.client.chunk(3, 1, 3, b"late") == []


def test_a_resumed_call_goes_on_where_the_hub_wants_it():
    pair = Pair(Declaration())
    order = msgspec.json.encode(CallOrder("c", offsets={"1": 100}))
    pair.from_hub(pair.hub.ask("resume", order, 1)[1])
    assert pair.client.upto(1, 1) == 100 + LINK_CREDIT_BYTES
    pair.from_hub(pair.hub.credit(1, 1, 200 + LINK_CREDIT_BYTES))
    assert pair.client.upto(1, 1) == 200 + LINK_CREDIT_BYTES


def test_an_answer_counts_once_and_only_where_it_was_asked():
    pair, other = Pair(Declaration()), Pair(Declaration())
    asked, _ = pair.hub.ask("prepare", b"{}")
    answer = msgspec.json.encode(Reply(asked, Raw(b"{}")))
    assert other.hub.receive(answer, True, 1.0)[-1] == End("bad_request", f"nothing was asked with the id {asked}")
    pair.hub.give_up(asked)
    assert pair.hub.receive(answer, True, 1.0) == []
    assert pair.hub.state is State.SERVING


def test_so_many_requests_wait_for_a_node_and_no_more():
    pair = Pair(Declaration())
    for _ in range(LINK_ASKS_MAX):
        pair.from_hub(pair.hub.ask("prepare", b"{}")[1])
    with pytest.raises(InstarError, match="requests wait"):
        pair.hub.ask("prepare", b"{}")
    [told] = pair.client.receive(msgspec.json.encode(Ask(99_999, "prepare", Raw(b"{}"))), True, 1.0)
    assert frames.decode_client_frame(told.payload).error.code == "overloaded"


def test_only_a_node_is_asked_and_only_a_client_watches():
    client, node = Pair(), Pair(Declaration())
    with pytest.raises(MisuseError):
        client.hub.ask("prepare", b"{}")
    with pytest.raises(InstarError, match="not open"):
        node.client.watch("call_1", {})
    assert client.client.tell("declare", b"{}") == client.hub.tell("settled", b"{}") == []
    told = msgspec.json.encode(Tell("declare", Raw(b"{}")))
    assert client.hub.receive(told, True, 1.0)[-1].code == "bad_request"
    watch = msgspec.json.encode(Watch(1, "call_1"))
    assert node.hub.receive(watch, True, 1.0)[-1].code == "bad_request"
    assert node.hub.receive(watch, True, 1.0) == []
    with pytest.raises(InstarError, match="ended"):
        node.hub.ask("prepare", b"{}")


def test_a_silent_hub_is_given_up_by_its_node_in_time():
    pair = Pair(Declaration())
    [ping] = pair.client.tick(1.0 + LINK_PING_S)
    assert b'"ping"' in ping.payload
    [end] = pair.client.tick(1.0 + LINK_PING_S + LINK_PONG_S)
    assert end.code == "timeout"
    assert LINK_PING_S + LINK_PONG_S <= 40


hostile = st.one_of(
    st.binary(max_size=60).map(lambda payload: (payload, False)),
    st.binary(max_size=60).map(lambda payload: (payload, True)),
    st.builds(
        lambda stream, channel, offset, content: (frames.chunk_frame(stream, channel, offset, content), False),
        st.integers(0, 3), st.integers(0, 2), st.sampled_from([0, 1, 2**40]), st.binary(max_size=5),
    ),
    st.sampled_from(
        [
            b'{"t":"watch","stream":1,"call_id":"c"}', b'{"t":"watch","stream":-1,"call_id":"c"}',
            b'{"t":"unwatch","stream":1}', b'{"t":"credit","stream":1,"channel":9,"upto":-4}',
            b'{"t":"close_input","stream":1,"size_bytes":-1}', b'{"t":"reply","id":1,"result":{}}',
            b'{"t":"reply","id":7,"result":{}}', b'{"t":"refusal","id":1,"error":{"code":"x","message":""}}',
            b'{"t":"tell","method":"ended","params":[]}', b'{"t":"op","id":1,"op":"auth.whoami"}',
            b'{"t":"watched","stream":1}', b'{"t":"ask","id":1,"method":"resume","params":{},"stream":1}',
            b'{"t":"ask","id":1,"method":"resume","params":{"call_id":"c","offsets":{"x":1}},"stream":1}',
        ]
    ).map(lambda payload: (payload, True)),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(hostile, max_size=12), st.booleans())
def test_no_peer_makes_an_end_raise(payloads, is_node):
    pair = Pair(Declaration() if is_node else None)
    if is_node:
        pair.hub.ask("start", b"{}", 1)
    for payload, is_text in payloads:
        for machine in (pair.hub, pair.client):
            was_over = machine.state in (State.CLOSED, ClientState.CLOSED)
            actions = machine.receive(payload, is_text, 1.0)
            assert not (was_over and actions)
