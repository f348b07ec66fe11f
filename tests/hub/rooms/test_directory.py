from typing import Any

from instar.wire.events import AUDIT, DIRECTORY, KEYRING, SYSTEM_ROOMS, RoomKey
from instar.wire.messages import Target, TargetKind
from instar.wire.rooms import RoomKind
from tests.hub.rooms.conftest import Bench


async def filled(bench: Bench) -> None:
    await bench.room("mine", "alpha")
    await bench.room("open", "beta", visibility="public")
    await bench.room("secret", "beta")
    await bench.say(bench.alpha, "x", {"kind": "thread", "room_id": "mine", "thread_id": "t"})
    await bench.say(bench.beta, "x", {"kind": "thread", "room_id": "secret", "thread_id": "u"})
    await bench.say(bench.alpha, "x", {"kind": "dm", "dm_id": "d", "participant_ids": ["beta"]})


async def test_system_rooms_always_exist(bench: Bench) -> None:
    rooms = [bench.rooms.directory.get(key) for key in SYSTEM_ROOMS]
    assert all(room is not None and room.kind is RoomKind.SYSTEM and room.target is None for room in rooms)
    assert {room.key for room in bench.rooms.directory.all(RoomKind.SYSTEM)} == set(SYSTEM_ROOMS)


async def test_what_callers_read(bench: Bench) -> None:
    await filled(bench)
    directory = bench.rooms.directory
    assert directory.readable(bench.admin) is None
    assert directory.readable(bench.alpha) == {"room:mine", "thread:t", "dm:d", "room:open", DIRECTORY}
    assert directory.readable(bench.anonymous) == set()
    assert directory.of_member("alpha") == {"room:mine", "thread:t", "dm:d"}
    assert directory.of_member("nobody") == set()
    assert KEYRING != AUDIT


async def test_targets_find_rooms(bench: Bench) -> None:
    await filled(bench)
    of = bench.rooms.directory.of
    for kind, key in ((TargetKind.ROOM, "room:mine"), (TargetKind.THREAD, "thread:t"), (TargetKind.DM, "dm:d")):
        room = of(Target(kind, room_id="mine", thread_id="t", dm_id="d"))
        assert room is not None
        assert room.key == key
    assert of(Target(TargetKind.ROOM, room_id="none")) is None


async def test_listeners_hear_of_a_room_and_its_threads(bench: Bench) -> None:
    heard: list[tuple[RoomKey, bool, bool]] = []
    bench.rooms.directory.on_change(lambda room: heard.append((room.key, room.has_member("alpha"), room.is_removed)))
    await filled(bench)
    assert [key for key, *_ in heard] == [
        "room:mine", "room:open", "room:secret", "thread:t", "thread:u", "dm:d",
    ]  # fmt: skip
    heard.clear()
    await bench.do(bench.admin, "rooms.members", room_id="mine", remove=["alpha"])
    await bench.do(bench.admin, "rooms.remove", room_id="mine")
    assert heard == [
        ("room:mine", False, False), ("thread:t", False, False), ("room:mine", False, True), ("thread:t", False, True),
    ]  # fmt: skip
    assert bench.rooms.directory.removed() == {"room:mine", "thread:t"}


async def test_a_room_keeps_its_object(bench: Bench) -> None:
    await filled(bench)
    before = bench.rooms.directory.get(RoomKey("room:mine"))
    await bench.do(bench.admin, "rooms.update", room_id="mine", visibility="public")
    after: Any = bench.rooms.directory.get(RoomKey("room:mine"))
    assert after is before
    assert "room:mine" in (bench.rooms.directory.readable(bench.gamma) or ())
