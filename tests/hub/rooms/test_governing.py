from typing import Any

import msgspec
import pytest

from instar.hub.rooms.governing import leave_rooms
from instar.store.seam import HOME
from instar.wire.events import RoomKey
from instar.wire.names import Network
from tests.hub.rooms.conftest import NETWORK, Bench, count, refused


async def test_create(bench: Bench) -> None:
    room = await bench.do(
        bench.admin, "rooms.create", id="review", members=["beta", "local:alpha", "beta"], visibility="public"
    )
    assert (room.id, room.name, room.fqid) == ("review", "review", "molt://local/rooms/review")
    assert room.members == ["alpha", "beta"]
    assert room.access is None
    (event,) = [event for event in bench.events if event.type == "room.created"]
    assert event.room == "room:review"
    assert msgspec.json.decode(event.payload)["members"] == ["alpha", "beta"]
    state = bench.rooms.directory.get(RoomKey("room:review"))
    assert state is not None
    assert state.members == {"alpha": event.seq, "beta": event.seq}
    assert "audit.recorded" in [event.type for event in bench.events]


@pytest.mark.parametrize("change", [{"id": ""}, {"id": "-"}, {"id": "a b"}, {"members": ["!"]}])
async def test_create_refuses(bench: Bench, change: dict[str, Any]) -> None:
    await refused("unprocessable_entity", bench.do(bench.admin, "rooms.create", **({"id": "review"} | change)))


async def test_only_admins_create(bench: Bench) -> None:
    await refused("forbidden", bench.do(bench.alpha, "rooms.create", id="x"))
    await refused("unauthorized", bench.do(bench.anonymous, "rooms.create", id="x"))


async def test_create_again_is_a_conflict_unless_it_is_the_same_request(bench: Bench) -> None:
    first = await bench.do(bench.admin, "rooms.create", key="k", id="review")
    assert await bench.do(bench.admin, "rooms.create", key="k", id="review") == first
    await refused("conflict", bench.do(bench.admin, "rooms.create", id="review"))


async def test_a_removed_id_stays_taken(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "x", {"kind": "thread", "room_id": "review", "thread_id": "t1"})
    removed = await bench.do(bench.admin, "rooms.remove", room_id="review")
    assert msgspec.to_builtins(removed) == {"removed": True, "kind": "room", "id": "review", "mode": "soft"}
    error = await refused("conflict", bench.do(bench.admin, "rooms.create", id="review"))
    assert "removed" in error.message
    await refused("not_found", bench.do(bench.admin, "rooms.get", room_id="review"))
    await refused("not_found", bench.do(bench.admin, "threads.get", thread_id="t1"))
    await refused("not_found", bench.say(bench.alpha, "x"))
    assert bench.rooms.directory.of_member("alpha") == frozenset()
    assert await count(bench.store, "rooms") == 2


async def test_update(bench: Bench) -> None:
    await bench.room()
    room = await bench.do(bench.admin, "rooms.update", room_id="review", visibility="public", name="Review")
    assert (room.name, room.visibility, room.write_policy, room.members) == (
        "Review", "public", "members", ["alpha", "beta"],
    )  # fmt: skip
    before = len(bench.events)
    await bench.do(bench.admin, "rooms.update", room_id="review", name="Review")
    assert "room.updated" not in [event.type for event in bench.events[before:]]
    await bench.do(bench.admin, "rooms.update", room_id="review", write_policy="operators")
    await refused("forbidden", bench.say(bench.alpha, "x"))
    state = bench.rooms.directory.get(RoomKey("room:review"))
    assert state is not None
    row = await bench.store.read(lambda reader: reader.row("SELECT revision FROM rooms WHERE org = ?1", HOME))
    assert row == (state.revision,) == (3,)


async def test_members_are_added_first_and_then_removed(bench: Bench) -> None:
    await bench.room()
    room = await bench.do(
        bench.admin, "rooms.members", room_id="review", add=["gamma", "delta"], remove=["delta", "beta"]
    )
    assert room.members == ["alpha", "gamma"]
    state = bench.rooms.directory.get(RoomKey("room:review"))
    assert state is not None
    (event,) = [event for event in bench.events if event.type == "room.members.updated"]
    assert state.members["gamma"] == event.seq > state.members["alpha"]
    rows = await bench.store.read(lambda reader: reader.rows("SELECT member, since_seq FROM members ORDER BY member"))
    assert dict(rows) == dict(state.members)


async def test_an_unchanged_set_tells_nobody(bench: Bench) -> None:
    await bench.room()
    seq = bench.pump.last_seq
    await bench.do(bench.admin, "rooms.members", room_id="review", add=["alpha"], remove=["nobody"])
    assert bench.types(since=seq) == []


async def test_a_new_member_reads_and_a_former_one_does_not(bench: Bench) -> None:
    await bench.room()
    await refused("not_found", bench.do(bench.gamma, "rooms.get", room_id="review"))
    await bench.do(bench.admin, "rooms.members", room_id="review", add=["gamma"], remove=["beta"])
    assert (await bench.do(bench.gamma, "rooms.get", room_id="review")).access.can_write
    await refused("not_found", bench.do(bench.beta, "rooms.get", room_id="review"))


async def test_an_agent_leaves_every_room(bench: Bench) -> None:
    await bench.room("one")
    await bench.room("two")
    await bench.room("gone")
    await bench.do(bench.admin, "rooms.remove", room_id="gone")
    await bench.say(bench.alpha, "x", {"kind": "dm", "participant_ids": ["beta"]})
    left = await bench.store.transact(lambda tx: leave_rooms(tx, NETWORK, "alpha", "operator"))
    assert left == ["one", "two"]
    assert {key.partition(":")[0] for key in bench.rooms.directory.of_member("alpha")} == {"dm"}


async def test_changes_are_found_again_after_a_restart(bench: Bench, make: Any) -> None:
    await bench.room("one", "alpha", visibility="public")
    await bench.room("two")
    await bench.do(bench.admin, "rooms.members", room_id="two", add=["gamma"])
    await bench.do(bench.admin, "rooms.update", room_id="two", write_policy="operators")
    await bench.do(bench.admin, "rooms.remove", room_id="one")
    await bench.say(bench.alpha, "x", {"kind": "dm", "participant_ids": ["beta"]})
    await bench.say(
        bench.admin,
        "x",
        {"kind": "thread", "room_id": "two", "thread_id": "t"},
        **{"from": {"type": "agent", "id": "alpha"}},
    )
    again = await make()
    for key in ("room:one", "room:two", "thread:t", *bench.rooms.directory.of_member("beta")):
        known, loaded = bench.rooms.directory.get(RoomKey(key)), again.rooms.directory.get(RoomKey(key))
        assert known is not None
        assert loaded is not None
        assert (known.members, known.revision, known.is_removed, known.target) == (
            loaded.members, loaded.revision, loaded.is_removed, loaded.target,
        )  # fmt: skip
        assert (known.visibility, known.write_policy, known.created_at) == (
            loaded.visibility, loaded.write_policy, loaded.created_at,
        )  # fmt: skip
    assert isinstance(NETWORK, Network)


async def test_a_room_removed_meanwhile_is_not_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.room()
    transact = bench.store.transact

    async def late(work: Any) -> Any:
        monkeypatch.setattr(bench.store, "transact", transact)
        await bench.do(bench.admin, "rooms.remove", room_id="review")
        return await transact(work)

    monkeypatch.setattr(bench.store, "transact", late)
    await refused("not_found", bench.do(bench.admin, "rooms.members", room_id="review", add=["gamma"]))
