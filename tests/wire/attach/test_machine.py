import json
from math import inf
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.wire.agents import AgentRegistration
from instar.wire.attach import frames
from instar.wire.attach.actions import Acknowledge, Attached, End, EndKind, Identify, Received, Send, WakeFailed
from instar.wire.attach.client import MOVES as CLIENT_MOVES
from instar.wire.attach.client import ClientMachine
from instar.wire.attach.client import State as ClientState
from instar.wire.attach.frames import VERSION, Frame
from instar.wire.attach.machine import MOVES, PING_S, ServerMachine, State
from instar.wire.limits import ATTACH_IDENTIFY_S, ATTACH_SILENCE_S
from instar.wire.machine import MisuseError
from instar.wire.messages import Actor

SEQUENCES = json.loads(Path(__file__).with_name("sequences.json").read_text())
IDENTIFY = frames.encode(Frame(op="IDENTIFY", version=VERSION, network_id="local", agent=Actor(id="beta")))
REGISTRATION = AgentRegistration("local", "beta", "actor_1", "molt://local/agents/beta", "", "")


def frame(op, **members):
    return frames.encode(Frame(op=op, version=VERSION, **members))


def sent(actions):
    return [frames.decode(action.payload) for action in actions if isinstance(action, Send)]


def started():
    machine = ServerMachine("local")
    machine.start(0.0)
    return machine


def ready():
    machine = started()
    machine.receive(IDENTIFY, True, 1.0)
    machine.ready(REGISTRATION, 1.0)
    return machine


def test_hello_goes_out_at_once():
    (hello,) = sent(ServerMachine("local").start(0.0))
    assert (hello.op, hello.version, hello.heartbeat_interval_ms) == ("HELLO", VERSION, 5000)


def test_identify_asks_the_hub_and_ready_answers():
    machine = started()
    spoken = frame("IDENTIFY", network_id=" local ", agent=Actor(id=" beta ", name="Beta"), cursor=" evt_9 ")
    assert machine.receive(spoken, True, 1.0) == [Identify(Actor(type="agent", id="beta", name="Beta"), "evt_9")]
    assert not machine.is_ready
    (answer,) = sent(machine.ready(REGISTRATION, 2.0))
    assert (answer.op, answer.agent_id, answer.actor_uid) == ("READY", "beta", "actor_1")
    assert machine.is_ready


@pytest.mark.parametrize("sequence", SEQUENCES, ids=[sequence["name"] for sequence in SEQUENCES])
def test_each_fault_of_a_client_is_said_and_ends_the_socket(sequence):
    machine = started()
    actions = []
    for payload in sequence["client"]:
        actions = machine.receive(IDENTIFY if payload == "IDENTIFY" else payload.encode(), True, 1.0)
        if any(isinstance(action, Identify) for action in actions):
            machine.ready(REGISTRATION, 1.0)
    assert [said.error for said in sent(actions)] == [sequence["error"]]
    assert actions[-1] == End(EndKind.ERROR, sequence["error"])
    assert machine.state is State.CLOSED
    assert machine.wake_at == inf
    assert machine.receive(IDENTIFY, True, 2.0) == []


def test_binary_frames_are_refused():
    assert sent(ready().receive(b"\x00", False, 1.0))[0].error == "attachment protocol only accepts text JSON frames"


@pytest.mark.parametrize("payload", [b'{"op":"\xff"}', b'{"event":' + b"[" * 200_000], ids=["no UTF-8", "too deep"])
def test_unreadable_json_is_said_to_be_so(payload):
    assert sent(ready().receive(payload, True, 1.0))[0].error == "attachment frame must be valid JSON"


def test_a_long_op_is_not_repeated_whole():
    (said,) = sent(ready().receive(frame("X" * 100_000), True, 1.0))
    assert len(said.error) < 100


@pytest.mark.parametrize("payload", [frame("ACK", cursor=" evt_1 "), b'{"op":"ACK","cursor":"evt_1"}'])
def test_acknowledgements_come_out_stripped(payload):
    assert ready().receive(payload, True, 1.0) == [Acknowledge("evt_1")]


def test_ping_is_answered_and_pong_is_not():
    machine = ready()
    assert [said.op for said in sent(machine.receive(frame("PING"), True, 1.0))] == ["PONG"]
    assert machine.receive(b'{"op":"PONG"}', True, 1.0) == []


@pytest.mark.parametrize(("error", "text"), [("no model", "no model"), ("", "attachment client error")])
def test_an_error_of_the_client_is_a_failed_wake_and_the_end(error, text):
    actions = ready().receive(frame("ERROR", error=error), True, 1.0)
    assert actions == [WakeFailed(text), End(EndKind.PEER_ERROR, text)]


def test_a_client_that_never_identifies_is_cut_without_a_word():
    machine = started()
    assert machine.tick(ATTACH_IDENTIFY_S - 0.1) == []
    (end,) = machine.tick(ATTACH_IDENTIFY_S)
    assert end.kind is EndKind.SILENT


def test_registration_may_take_its_time():
    machine = started()
    machine.receive(IDENTIFY, True, 1.0)
    assert machine.wake_at == inf
    assert machine.tick(1_000.0) == []


def test_a_ready_client_is_pinged_and_cut_after_its_silence():
    machine = ready()
    assert machine.wake_at == 1.0 + PING_S
    pings = [now for now in (2.0, 3.5, 4.0, 6.0, 8.5) if sent(machine.tick(now))]
    assert pings == [3.5, 6.0, 8.5]
    machine.receive(b'{"op":"PONG"}', True, 9.0)
    assert machine.tick(8.9 + ATTACH_SILENCE_S) != []
    (end,) = machine.tick(9.0 + ATTACH_SILENCE_S)
    assert end.kind is EndKind.SILENT
    assert machine.tick(100.0) == []


def test_the_hub_may_refuse_at_any_time_and_only_once():
    machine = ready()
    said, end = machine.refuse("agent was removed from the network")
    assert frames.decode(said.payload).error == end.text == "agent was removed from the network"
    assert machine.refuse("again") == []


def test_ready_after_the_client_left_sends_nothing():
    machine = started()
    machine.receive(IDENTIFY, True, 1.0)
    machine.close()
    assert machine.ready(REGISTRATION, 2.0) == []


def test_ready_without_identify_is_our_fault():
    with pytest.raises(MisuseError):
        started().ready(REGISTRATION, 1.0)


def test_tables_lead_nowhere_from_the_end():
    assert not [state for state, _ in MOVES if state is State.CLOSED]
    assert not [state for state, _ in CLIENT_MOVES if state is ClientState.CLOSED]


ops = st.sampled_from(["HELLO", "IDENTIFY", "READY", "EVENT", "ACK", "PING", "PONG", "ERROR", "", "X"])
messages = st.one_of(
    st.binary(max_size=64),
    st.builds(
        lambda op, version, cursor: frames.encode(
            Frame(op=op, version=version, network_id="local", agent=Actor(id="a"), cursor=cursor)
        ),
        ops,
        st.sampled_from(["", VERSION, "v2"]),
        st.sampled_from(["", "evt_1"]),
    ),
)


@given(st.lists(st.tuples(messages, st.booleans(), st.floats(0, 5))))
def test_no_client_makes_the_machine_raise_or_speak_after_its_end(inputs):
    machine, now, is_over = started(), 0.0, False
    for payload, is_text, pause in inputs:
        now += pause
        for take in (lambda: machine.tick(now), lambda: machine.receive(payload, is_text, now)):  # noqa: B023
            actions = take()
            assert not (is_over and actions)
            if any(isinstance(action, Identify) for action in actions):
                machine.ready(REGISTRATION, now)
            is_over = is_over or any(isinstance(action, End) for action in actions)
            assert is_over == (machine.state is State.CLOSED)


@given(st.lists(st.tuples(messages, st.booleans())))
def test_no_server_makes_the_client_raise_or_speak_after_its_end(inputs):
    machine, is_over = ClientMachine("local", Actor(id="beta")), False
    machine.start(0.0)
    for payload, is_text in inputs:
        actions = machine.receive(payload, is_text, 0.0)
        assert not (is_over and actions)
        is_over = is_over or any(isinstance(action, End) for action in actions)


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=8), max_size=5))
def test_both_ends_together(events):
    server, client = ServerMachine("local"), ClientMachine("local", Actor(id="beta"), "evt_0")
    client.start(0.0)
    (hello,) = server.start(0.0)
    (spoken,) = client.receive(hello.payload, True, 0.0)
    (identify,) = server.receive(spoken.payload, True, 0.0)
    assert identify.cursor == "evt_0"
    (answer,) = server.ready(REGISTRATION, 0.0)
    assert client.receive(answer.payload, True, 0.0) == [Attached("beta", "actor_1", "molt://local/agents/beta", "")]
    for event_id in events:
        event = msgspec.json.encode({"id": event_id})
        (received,) = client.receive(frames.event_frame("local", event_id, event), True, 0.0)
        assert received == Received(event_id, received.event)
        assert bytes(received.event) == event
        (ack,) = client.acknowledge(received.cursor)
        assert server.receive(ack.payload, True, 0.0) == [Acknowledge(event_id)]
    (ping,) = server.tick(PING_S)
    (pong,) = client.receive(ping.payload, True, PING_S)
    assert server.receive(pong.payload, True, PING_S) == []
    said, _ = client.fail("no model")
    assert server.receive(said.payload, True, PING_S)[0] == WakeFailed("no model")
