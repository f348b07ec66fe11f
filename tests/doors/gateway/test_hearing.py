"""What one connection hears, without a socket: scopes, choices, numbers, slowness; and how turns are rendered."""

import json
from typing import Any

import msgspec
import pytest

from instar.base.clock import now
from instar.doors.gateway import chat_events
from instar.doors.gateway.gateway import Gateway
from instar.doors.gateway.hearing import Hearing, TooSlowError
from instar.doors.gateway.outgoing import Outgoing, outgoing
from instar.doors.gateway.rendering import GatewayRenderer
from instar.doors.gateway.switchboard import Switchboard
from instar.doors.gateway.turn_index import TURNS_MAX, TurnIndex
from instar.wire.events import Event, RoomKey, message_event_id
from instar.wire.gateway.method import Generation
from instar.wire.limits import GATEWAY_UNAUTHENTICATED_PER_PEER_MAX
from instar.wire.messages import Actor, Message, Origin, Part, PartKind, Target, TargetKind
from instar.wire.runs import DeltaSignal, PresenceSignal, Run, RunState

READ = ("operator.read",)
MAIN = RoomKey("session:agent:guide:main")


def frames(joined: bytes) -> list[Any]:
    """Return the frames of unmasked WebSocket messages."""
    found: list[Any] = []
    while joined:
        size, head = joined[1], 2
        if size == 126:
            size, head = int.from_bytes(joined[2:4], "big"), 4
        found.append(json.loads(joined[head : head + size]))
        joined = joined[head + size :]
    return found


def test_numbers_are_the_connections_own() -> None:
    reader, pairer = Hearing(Generation.V4, READ), Hearing(Generation.V4, ("operator.pairing",))
    events = [outgoing("tick", {}), outgoing("device.pair.requested", {}), outgoing("cron", {}), outgoing("tick", {})]
    assert [frame["seq"] for frame in frames(reader.frames(events, is_slow=False))] == [1, 2, 3]
    heard = frames(pairer.frames(events, is_slow=False))
    assert [(frame["seq"], frame["event"]) for frame in heard] == [
        (1, "tick"),
        (2, "device.pair.requested"),
        (3, "tick"),
    ]


def test_a_slow_client_goes_without_and_sees_it() -> None:
    hearing = Hearing(Generation.V4, READ)
    assert hearing.frames([outgoing("tick", {})], is_slow=True) == b""
    [frame] = frames(hearing.frames([outgoing("tick", {})], is_slow=False))
    assert frame["seq"] == 2
    with pytest.raises(TooSlowError):
        hearing.frames([outgoing("health", {})], is_slow=True)
    assert hearing.frames([outgoing("chat", {}, is_droppable=True)], is_slow=True) == b""


def test_unknown_events_fail_closed() -> None:
    with pytest.raises(KeyError):
        outgoing("made.up", {})
    assert not Hearing(Generation.V3, READ).wants(outgoing("session.message", {}))
    assert not Hearing(Generation.V4).wants(outgoing("chat", {}))


def test_the_cursor_is_for_who_asked() -> None:
    event = outgoing("cron", {})._replace(cursor=42)
    hearing = Hearing(Generation.V4, READ)
    assert "instarCursor" not in frames(hearing.frames([event], is_slow=False))[0]
    hearing.shows_cursor = True
    assert frames(hearing.frames([event], is_slow=False))[0]["instarCursor"] == "42"


def run(state: RunState, **more: Any) -> Run:
    stamp = "2026-01-01T00:00:00Z"
    return Run("run_1", "guide", MAIN, state, stamp, cause=message_event_id("m1"), started_at=stamp, **more)


def event(kind: str, payload: Any, seq: int = 7, room: str = MAIN) -> Event:
    raw = msgspec.json.encode(payload)
    return Event(seq, 0, "home", RoomKey(room), "evt_1", kind, "", now(), raw, b"", b"")


def message(message_id: str, sender: str, kind: str = "agent", **more: Any) -> Message:
    target, origin = Target(TargetKind.ROOM, room_id="r"), Origin("local", message_id)
    parts = [Part(PartKind.TEXT, "hi")]
    return Message(message_id, "local", origin, target, Actor(kind, sender), parts, "2026-01-01T00:00:00Z", **more)


def told(events: tuple[Outgoing, ...]) -> list[tuple[str, Any]]:
    return [(one.family, json.loads(b"{" + one.tail)["payload"]) for one in events]


@pytest.fixture(params=[Generation.V3, Generation.V4])
def renderer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> GatewayRenderer:
    monkeypatch.setattr(chat_events, "DELTA_S", 0.0)
    return GatewayRenderer(request.param, lambda: 3)


def delta(offset: int, text: str) -> DeltaSignal:
    return DeltaSignal("run_1", "guide", "m2", MAIN, offset, text)


def test_a_turn_that_streams(renderer: GatewayRenderer) -> None:
    renderer.render(event("message.created", message("m1", "operator", "human")))
    [(_, start)] = told(renderer.render(event("run.started", run(RunState.LEASED))))
    assert (start["runId"], start["seq"], start["sessionKey"]) == ("m1", 1, "agent:guide:main")
    first, second = renderer.signal(delta(0, "Hel")), renderer.signal(delta(3, "lo"))
    assert all(one.row.is_droppable for one in (*first, *second))
    (_, spoken), (_, chat) = told(second)
    assert (spoken["seq"], spoken["data"]) == (3, {"text": "Hello", "delta": "lo"})
    assert (chat["state"], chat["seq"], chat["message"]["content"][0]["text"]) == ("delta", 2, "Hello")
    assert chat.get("deltaText", "lo") == "lo"
    assert renderer.signal(delta(9, "lost before this")) == ()
    rendered = renderer.render(event("message.created", message("m2", "guide", run="run_1"), 9))
    family, final = told(rendered)[-1]
    assert (family, final["state"], final["runId"], final["seq"]) == ("chat", "final", "m1", 3)
    assert rendered[-1].cursor == 9
    assert [one.cursor for one in rendered[:-1]] == [0] * (len(rendered) - 1)
    [(_, end)] = told(renderer.render(event("run.finished", run(RunState.DONE))))
    assert (end["data"]["phase"], end["seq"]) == ("end", 4)


def test_deltas_keep_their_distance(renderer: GatewayRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_events, "DELTA_S", 3_600.0)
    renderer.render(event("run.started", run(RunState.LEASED)))
    assert len(renderer.signal(delta(0, "a"))) == 2
    assert renderer.signal(delta(1, "b")) == ()


def test_turns_that_end_badly(renderer: GatewayRenderer) -> None:
    failed = told(renderer.render(event("run.finished", run(RunState.FAILED, error="boom"))))
    assert [payload.get("errorMessage") for _, payload in failed] == [None, "boom"]
    assert failed[0][1]["data"] | {"phase": "error", "error": "boom"} == failed[0][1]["data"]
    [_, (_, aborted)] = told(renderer.render(event("run.finished", run(RunState.CANCELLED, partial="so far"))))
    assert (aborted["state"], aborted["stopReason"]) == ("aborted", "rpc")
    assert aborted["message"]["content"][0]["text"] == "so far"
    [_, (_, silent)] = told(renderer.render(event("run.finished", run(RunState.DONE))))
    assert (silent["state"], silent["runId"]) == ("final", "run_1")


def test_the_start_told_again_changes_nothing(renderer: GatewayRenderer) -> None:
    renderer.render(event("run.started", run(RunState.LEASED)))
    renderer.signal(delta(0, "Hel"))
    renderer.render(event("run.started", run(RunState.LEASED)))
    assert told(renderer.signal(delta(3, "lo")))[0][1]["seq"] == 3


def test_messages_outside_of_turns(renderer: GatewayRenderer) -> None:
    said = told(renderer.render(event("message.created", message("m5", "guide"))))
    assert said[-1][1]["runId"] == "inject-m5"
    room = "room:general"
    assert told(renderer.render(event("message.created", message("m6", "operator", "human"), room=room))) == []
    mentioned = message("m7", "operator", "human", mentions=["molt://local/agents/beta"])
    for family, payload in told(renderer.render(event("message.created", mentioned, room=room))):
        assert (family, payload["sessionKey"]) == ("session.message", "agent:beta:instar:channel:general")
    assert renderer.render(event("message.created", message("m8", "guide"), room="system:audit")) == ()
    assert renderer.render(event("hub.stopped", {})) == ()
    assert renderer.signal(PresenceSignal("guide", "busy")) == ()


def test_what_is_remembered_is_bounded() -> None:
    index = TurnIndex()
    for number in range(TURNS_MAX + 1):
        index.said(f"m{number}")
        index.begin(Run(f"r{number}", "guide", MAIN, RunState.LEASED, ""))
    assert index.cause_of(message_event_id("m0")) == ""
    assert index.find("r0") is None
    assert index.find(f"r{TURNS_MAX}") is not None


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [("1.2.3.4", "1.2.3.4", True), ("1.2.3.4", "1.2.3.5", False), ("2001:db8::1", "2001:db8::2", True),
     ("2001:db8::1", "2001:db8:0:1::1", False), ("::ffff:1.2.3.4", "1.2.3.4", True), ("", "", True),
     ("fe80::1%eth0", "fe80::2", True), ("a:b", "a:b", True)],
)  # fmt: skip
def test_sockets_that_wait_are_counted_by_site(one: str, other: str, is_same: bool) -> None:
    board = Switchboard(Gateway(None), None)  # type: ignore[arg-type]
    for _ in range(GATEWAY_UNAUTHENTICATED_PER_PEER_MAX):
        board.wait(one)
    assert board.is_full(other) is is_same
    board.settle(one)
    assert not board.is_full(other)
