import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from instar.base.errors import InstarError
from instar.wire.limits import LINK_HELLO_S, LINK_OPS_MAX, LINK_PING_S, LINK_PONG_S
from instar.wire.native import frames
from instar.wire.native.actions import (
    Answered,
    Arrived,
    End,
    Invoke,
    Lost,
    Missed,
    Open,
    Refused,
    Send,
    Signalled,
    Welcomed,
)
from instar.wire.native.client import ClientMachine, State
from instar.wire.native.frames import Bye, Gap, Hello, Ping, Pong, Welcome
from instar.wire.native.machine import ServerMachine


def encoded(frame):
    return msgspec.json.encode(frame)


def event(seq, prev, room="room:general"):
    return encoded({"id": f"evt_{seq}", "seq": seq, "prev": prev, "room_key": room})


def opened(cursor=""):
    machine = ClientMachine(Hello(cursor=cursor))
    machine.start(0.0)
    (welcomed,) = machine.receive(encoded(Welcome("0", "local", "operator", "7")), True, 0.0)
    assert isinstance(welcomed, Welcomed)
    return machine


def seqs(actions):
    return [
        msgspec.json.decode(one)["seq"] for action in actions if isinstance(action, Arrived) for one in action.events
    ]


def test_answers_find_their_operation():
    machine = opened()
    first, (sent,) = machine.invoke("rooms.list", key="k1")
    second, _ = machine.invoke("rooms.show", b'{"room_id":"x"}')
    assert frames.decode_client_frame(sent.payload).key == "k1"
    (failed,) = machine.receive(frames.error_frame(second, InstarError("not_found", "no")), True, 1.0)
    (done,) = machine.receive(frames.result_frame(first, b"{}"), True, 1.0)
    assert isinstance(failed, Refused)
    assert isinstance(done, Answered)
    assert (failed.id, failed.error.code, done.id) == (second, "not_found", first)
    assert machine.receive(frames.result_frame(first, b"{}"), True, 1.0) == []
    assert machine.receive(frames.error_frame(second, InstarError("not_found", "no")), True, 1.0) == []


def test_asking_too_much_or_too_late_is_an_error_at_once():
    machine = opened()
    for _ in range(LINK_OPS_MAX):
        machine.invoke("x")
    with pytest.raises(InstarError) as refused:
        machine.invoke("x")
    assert refused.value.code == "overloaded"
    machine.close()
    with pytest.raises(InstarError) as refused:
        machine.invoke("x")
    assert refused.value.code == "unreachable"


def test_the_cursor_follows_the_feed_and_never_runs_ahead_of_what_was_missed():
    assert opened().cursor == "7"
    machine = opened("3")
    assert machine.cursor == "3"
    machine.receive(frames.events_frame([event(5, 2)], 5), True, 1.0)
    assert machine.cursor == "5"
    (end,) = machine.receive(encoded(Bye("service_unavailable", "stops", "6")), True, 1.0)
    assert end == End("service_unavailable", "stops", "6")


def test_a_gap_in_a_room_is_seen_and_a_repeat_is_dropped():
    machine = opened()
    assert seqs(machine.receive(frames.events_frame([event(5, 2), event(6, 0, "dm:d1")], 6), True, 1.0)) == [5, 6]
    assert seqs(machine.receive(frames.events_frame([event(5, 2)], 6), True, 1.0)) == []
    actions = machine.receive(frames.events_frame([event(7, 6, "dm:d1"), event(11, 9)], 11), True, 1.0)
    assert actions[0] == Missed("room:general", 5, 9)
    assert seqs(actions) == [7, 11]


def test_after_a_replay_gap_holes_are_expected():
    machine = opened()
    machine.receive(frames.events_frame([event(5, 2)], 5), True, 1.0)
    (lost,) = machine.receive(encoded(Gap(Raw(b'{"newest_seq":90}'))), True, 1.0)
    assert isinstance(lost, Lost)
    assert not [
        action
        for action in machine.receive(frames.events_frame([event(91, 90)], 91), True, 1.0)
        if isinstance(action, Missed)
    ]


def test_signals_and_pongs():
    machine = opened()
    (signalled,) = machine.receive(frames.signal_frame(b'{"signal":"run.delta"}'), True, 1.0)
    assert isinstance(signalled, Signalled)
    assert machine.receive(encoded(Pong(1)), True, 1.0) == []


def test_liveness_asks_first_and_gives_up_second():
    machine = ClientMachine(Hello())
    machine.start(0.0)
    assert machine.tick(LINK_HELLO_S - 1) == []
    machine = opened()
    assert machine.wake_at == LINK_PING_S
    (ping,) = machine.tick(LINK_PING_S)
    assert isinstance(frames.decode_client_frame(ping.payload), Ping)
    assert machine.tick(LINK_PING_S + 1) == []
    (end,) = machine.tick(LINK_PING_S + LINK_PONG_S)
    assert (end.code, end.cursor) == ("timeout", "7")


@pytest.mark.parametrize(
    ("payload", "is_text", "code"),
    [
        (b"{", True, "bad_gateway"),
        (b"x", False, "bad_gateway"),
        (encoded(Welcome("0", "local", "operator", "7")), True, "bad_gateway"),
        (frames.events_frame([b'{"seq":"x"}'], 1), True, "bad_gateway"),
        (encoded(Ping(1)), True, "bad_gateway"),
        (frames.error_frame(0, InstarError("unauthorized", "the key was revoked")), True, "unauthorized"),
    ],
)
def test_faults_of_the_hub_and_link_errors_end_it(payload, is_text, code):
    machine = opened()
    (end,) = machine.receive(payload, is_text, 1.0)
    assert end.code == code
    assert machine.state is State.CLOSED
    assert machine.receive(payload, is_text, 1.0) == []


def test_events_before_the_welcome_are_out_of_turn():
    machine = ClientMachine(Hello())
    machine.start(0.0)
    assert machine.receive(frames.events_frame([], 1), True, 0.0)[0].code == "bad_gateway"


@given(st.lists(st.binary(max_size=60)))
def test_no_hub_makes_the_client_raise(payloads):
    machine = opened()
    for payload in payloads:
        machine.receive(payload, True, 1.0)


@given(st.lists(st.booleans(), max_size=20))
def test_both_ends_together(outcomes):
    client, server = ClientMachine(Hello(cursor="3")), ServerMachine()
    server.start(0.0)
    (hello,) = client.start(0.0)
    (asked,) = server.receive(hello.payload, True, 0.0)
    assert asked == Open(Hello(cursor="3"))
    (welcome,) = server.welcome(Welcome("0", "local", "operator", "3"))
    client.receive(welcome.payload, True, 0.0)
    for is_success in outcomes:
        op_id, (op,) = client.invoke("rooms.list")
        (invoke,) = server.receive(op.payload, True, 0.0)
        assert isinstance(invoke, Invoke)
        error = InstarError("not_found", "no")
        (reply,) = server.answer(op_id, b"{}") if is_success else server.refuse(op_id, error)
        assert isinstance(reply, Send)
        (outcome,) = client.receive(reply.payload, True, 0.0)
        assert isinstance(outcome, Answered if is_success else Refused)
    (bye,) = [action for action in server.bye("", "", "9") if isinstance(action, Send)]
    assert client.receive(bye.payload, True, 0.0) == [End("", "", "9")]
