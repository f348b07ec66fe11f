from math import inf

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.base.errors import InstarError
from instar.wire.limits import LINK_HELLO_S, LINK_OPS_MAX, LINK_PING_S, LINK_PONG_S
from instar.wire.machine import MisuseError
from instar.wire.native import frames
from instar.wire.native.actions import End, Invoke, Open, Probe, Send
from instar.wire.native.frames import Hello, Op, Ping, Pong, Welcome
from instar.wire.native.machine import MOVES, ServerMachine, State

HELLO = msgspec.json.encode(Hello())
WELCOME = Welcome("0", "local", "operator", "7")


def encoded(frame):
    return msgspec.json.encode(frame)


def said(actions):
    return [frames.decode_hub_frame(action.payload) for action in actions if isinstance(action, Send)]


def opened():
    machine = ServerMachine()
    machine.start(0.0)
    assert machine.receive(HELLO, True, 0.0) == [Open(Hello())]
    assert said(machine.welcome(WELCOME)) == [WELCOME]
    return machine


def test_operations_are_answered_in_any_order():
    machine = opened()
    for op_id in (1, 2):
        (invoke,) = machine.receive(encoded(Op(op_id, "rooms.list")), True, 1.0)
        assert isinstance(invoke, Invoke)
        assert (invoke.op.id, bytes(invoke.op.params)) == (op_id, b"{}")
    assert machine.ops_in_flight == 2
    (failed,) = said(machine.refuse(2, InstarError("not_found", "no such room")))
    (done,) = said(machine.answer(1, b'{"rooms":[]}'))
    assert (failed.id, failed.error.code) == (2, "not_found")
    assert (done.id, bytes(done.result)) == (1, b'{"rooms":[]}')
    assert machine.ops_in_flight == 0


def test_operations_may_come_before_the_welcome():
    machine = ServerMachine()
    machine.start(0.0)
    machine.receive(HELLO, True, 0.0)
    assert isinstance(machine.receive(encoded(Op(1, "rooms.list")), True, 0.0)[0], Invoke)
    assert not machine.is_open


def test_one_operation_too_many_is_refused_and_the_link_lives():
    machine = opened()
    for op_id in range(1, LINK_OPS_MAX + 1):
        machine.receive(encoded(Op(op_id, "x")), True, 1.0)
    (told,) = said(machine.receive(encoded(Op(9_999, "x")), True, 1.0))
    assert (told.id, told.error.code, told.error.retryable) == (9_999, "overloaded", True)
    machine.answer(1, b"{}")
    assert isinstance(machine.receive(encoded(Op(9_999, "x")), True, 1.0)[0], Invoke)


@pytest.mark.parametrize(
    ("first", "payload", "is_text"),
    [
        (False, encoded(Op(1, "x")), True),
        (False, encoded(Ping(1)), True),
        (True, HELLO, True),
        (True, encoded(Op(0, "x")), True),
        (True, encoded(Op(-1, "x")), True),
        (True, encoded(Op(5, "x")), True),
        (True, b"{", True),
        (True, b'{"t":"pong","n":1}', True),
        (True, b'{"t":"hello","client":"\xff"}', True),
        (True, b'{"t":"op","id":1,"op":"x","params":' + b"[" * 200_000, True),
        (True, HELLO, False),
    ],
    ids=[
        "op before hello", "ping before hello", "second hello", "id zero", "id below zero", "id under way",
        "not JSON", "a frame of the hub", "no UTF-8", "too deep", "binary",
    ],
)  # fmt: skip
def test_each_fault_is_told_with_id_0_and_ends_the_link(first, payload, is_text):
    machine = ServerMachine()
    machine.start(0.0)
    if first:
        machine = opened()
        machine.receive(encoded(Op(5, "x")), True, 0.0)
    actions = machine.receive(payload, is_text, 1.0)
    (told,) = said(actions)
    assert (told.id, told.error.code) == (0, "bad_request")
    assert actions[-1] == End("bad_request", told.error.message)
    assert machine.receive(HELLO, True, 1.0) == []
    assert machine.wake_at == inf


def test_a_client_without_hello_is_cut():
    machine = ServerMachine()
    machine.start(0.0)
    assert machine.tick(LINK_HELLO_S - 1) == []
    assert machine.tick(LINK_HELLO_S)[-1].code == "timeout"


def test_a_silent_client_is_asked_then_cut():
    machine = opened()
    assert machine.wake_at == LINK_PING_S
    assert machine.tick(LINK_PING_S) == [Probe()]
    assert machine.tick(LINK_PING_S + 1) == []
    machine.heard(LINK_PING_S + 2)
    assert machine.wake_at == 2 * LINK_PING_S + 2
    assert machine.tick(2 * LINK_PING_S + 2 + LINK_PONG_S)[-1].code == "timeout"
    machine.heard(0.0)
    assert machine.wake_at == inf


def test_ping_is_answered_with_its_number():
    assert said(opened().receive(encoded(Ping(41)), True, 1.0)) == [Pong(41)]


def test_bye_ends_with_the_cursor_to_resume_with():
    machine = opened()
    machine.receive(encoded(Op(1, "x")), True, 1.0)
    actions = machine.bye("service_unavailable", "the hub stops", "12")
    assert actions[-1] == End("service_unavailable", "the hub stops", "12")
    assert machine.bye("", "", "") == machine.end("", "") == machine.answer(1, b"{}") == machine.welcome(WELCOME) == []


def test_what_only_we_can_do_wrong_raises():
    machine = opened()
    with pytest.raises(MisuseError):
        machine.answer(1, b"{}")
    with pytest.raises(MisuseError):
        machine.welcome(WELCOME)


def test_the_table_leads_nowhere_from_the_end():
    assert not [state for state, _ in MOVES if state is State.CLOSED]


inputs = st.one_of(
    st.binary(max_size=40),
    st.builds(encoded, st.builds(Op, st.integers(-1, 4), st.just("x"))),
    st.builds(encoded, st.builds(Ping, st.integers(0, 9))),
    st.just(HELLO),
)


@given(st.lists(st.tuples(inputs, st.booleans(), st.floats(0, 30), st.booleans())))
def test_no_client_makes_it_raise_and_each_operation_has_one_answer(steps):
    machine, now, waiting, is_over = ServerMachine(), 0.0, set(), False
    machine.start(now)
    for payload, is_text, pause, is_answered in steps:
        now += pause
        for take in (lambda: machine.tick(now), lambda: machine.receive(payload, is_text, now)):  # noqa: B023
            actions = take()
            assert not (is_over and actions)
            is_over = is_over or any(isinstance(action, End) for action in actions)
            if any(isinstance(action, Open) for action in actions):
                machine.welcome(WELCOME)
            for action in actions:
                if isinstance(action, Invoke):
                    assert action.op.id not in waiting
                    waiting.add(action.op.id)
        if is_answered and waiting:
            assert len(machine.answer(waiting.pop(), b"{}")) == (not is_over)
