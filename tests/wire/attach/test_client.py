import pytest

from instar.wire.attach import frames
from instar.wire.attach.actions import End, EndKind
from instar.wire.attach.client import ClientMachine, State
from instar.wire.attach.frames import VERSION, Frame
from instar.wire.machine import MisuseError
from instar.wire.messages import Actor


def frame(op, version=VERSION, **members):
    return frames.encode(Frame(op=op, version=version, **members))


def client_in(state):
    machine = ClientMachine("local", Actor(id="beta"))
    machine.start(0.0)
    if state is not State.AWAITING_HELLO:
        machine.receive(frame("HELLO", heartbeat_interval_ms=8_000), True, 0.0)
    if state is State.READY:
        machine.receive(frame("READY", network_id="local", agent_id="beta"), True, 0.0)
    assert machine.state is state
    return machine


@pytest.mark.parametrize(
    ("state", "payload", "error"),
    [
        (State.AWAITING_HELLO, frame("READY"), 'unexpected frame op "READY"'),
        (State.AWAITING_HELLO, frame("HELLO", ""), "attachment HELLO version is required"),
        (State.AWAITING_READY, frame("READY", "", network_id="local"), "attachment READY version is required"),
        (
            State.AWAITING_READY,
            frame("READY", network_id="x"),
            'attachment READY network_id "x" does not match "local"',
        ),
        (State.AWAITING_READY, frame("EVENT"), 'unexpected frame op "EVENT"'),
        (State.READY, frame("EVENT", ""), "attachment EVENT version is required"),
        (State.READY, frame("PING", ""), "attachment PING version is required"),
        (State.READY, frame("ERROR", ""), "attachment ERROR version is required"),
        (State.READY, frame("EVENT", cursor="evt_1"), "attachment EVENT without event or cursor"),
        (State.READY, frame("NEWS"), 'unexpected frame op "NEWS"'),
        (State.READY, b"no", "attachment frame must be valid JSON"),
    ],
)
def test_what_a_server_may_not_say_ends_the_attachment(state, payload, error):
    machine = client_in(state)
    assert machine.receive(payload, True, 1.0) == [End(EndKind.ERROR, error)]
    assert machine.receive(frame("PING"), True, 1.0) == []


@pytest.mark.parametrize("state", [State.AWAITING_HELLO, State.AWAITING_READY, State.READY])
def test_an_error_of_the_server_ends_it_in_every_state(state):
    (end,) = client_in(state).receive(frame("ERROR", error="no"), True, 1.0)
    assert end == End(EndKind.PEER_ERROR, "no")


def test_silence_is_measured_by_the_servers_heartbeat():
    machine = client_in(State.READY)
    assert machine.wake_at == 16.0
    assert machine.tick(15.9) == []
    assert machine.tick(16.0)[0].kind is EndKind.SILENT


@pytest.mark.parametrize("verb", ["acknowledge", "fail"])
def test_speaking_before_ready_is_our_fault_and_after_the_end_is_nothing(verb):
    machine = client_in(State.AWAITING_READY)
    with pytest.raises(MisuseError):
        getattr(machine, verb)("evt_1")
    machine.close()
    assert getattr(machine, verb)("evt_1") == []


def test_the_cursor_to_resume_with_is_the_last_acknowledged():
    machine = client_in(State.READY)
    machine.acknowledge("evt_7")
    assert machine.cursor == "evt_7"
