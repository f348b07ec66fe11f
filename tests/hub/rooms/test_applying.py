from collections.abc import Sequence
from typing import Any

import msgspec

from instar.wire.events import RoomKey
from instar.wire.rooms import ApplyAgent, ApplyRoom, Change
from tests.hub.rooms.conftest import Bench, refused


class NotingAgents:
    """Stands in for the agents part, which lies above."""

    def __init__(self) -> None:
        self.applied: list[str] = []

    async def plan(self, reader: Any, agents: Sequence[ApplyAgent]) -> list[Change]:
        return [Change("agent", agent.id, "create") for agent in agents]

    async def apply(self, tx: Any, caller: Any, agents: Sequence[ApplyAgent]) -> None:
        self.applied += [agent.id for agent in agents]


def declared(*ids: str, **more: Any) -> list[dict[str, Any]]:
    return [{"id": room_id, "members": ["alpha"]} | more for room_id in ids]


async def test_apply_creates_updates_and_leaves_alone(bench: Bench) -> None:
    await bench.room("same", "alpha")
    await bench.room("other", "beta")
    await bench.room("gone", "alpha")
    await bench.do(bench.admin, "rooms.remove", room_id="gone")
    seq = bench.pump.last_seq
    rooms = [*declared("new", "same", "gone"), *declared("other", name="Other", visibility="public")]
    plan = await bench.do(bench.admin, "hub.apply", rooms=rooms, dry_run=True)
    assert not plan.applied
    assert bench.pump.last_seq == seq
    assert [(change.id, change.action, change.fields) for change in plan.changes] == [
        ("new", "create", []),
        ("same", "unchanged", []),
        ("gone", "removed", []),
        ("other", "update", ["name", "members", "visibility"]),
    ]
    done = await bench.do(bench.admin, "hub.apply", rooms=rooms)
    assert done.applied
    assert done.changes == plan.changes
    assert [room.id for room in done.rooms] == ["new", "same", "other"]
    assert bench.types(since=seq) == ["room.created", "room.updated", "room.members.updated"]
    again = await bench.do(bench.admin, "hub.apply", rooms=rooms)
    assert {change.action for change in again.changes} == {"unchanged", "removed"}
    other = bench.rooms.directory.get(RoomKey("room:other"))
    assert other is not None
    assert (other.name, list(other.members)) == ("Other", ["alpha"])
    assert "note" in msgspec.to_builtins(done.changes[2])


async def test_apply_is_all_or_nothing(bench: Bench) -> None:
    seq = bench.pump.last_seq
    apply = "hub.apply"
    await refused("unprocessable_entity", bench.do(bench.admin, apply, rooms=declared("a", "!")))
    await refused("unprocessable_entity", bench.do(bench.admin, apply, rooms=declared("a", "a")))
    await refused("unprocessable_entity", bench.do(bench.admin, apply, rooms=declared("a", members=["?"])))
    await refused("conflict", bench.do(bench.admin, apply, network_id="far", rooms=declared("a")))
    await refused("service_unavailable", bench.do(bench.admin, apply, rooms=declared("a"), agents=[{"id": "x"}]))
    await refused("forbidden", bench.do(bench.alpha, apply, rooms=declared("a")))
    assert bench.pump.last_seq == seq


async def test_agents_are_declared_in_the_same_transaction(bench: Bench) -> None:
    agents = bench.rooms.apply.agents = NotingAgents()
    plan = await bench.do(bench.admin, "hub.apply", agents=[{"id": "x"}], dry_run=True)
    assert agents.applied == []
    done = await bench.do(bench.admin, "hub.apply", agents=[{"id": "x"}])
    assert agents.applied == ["x"]
    assert plan.changes == done.changes == [Change("agent", "x", "create")]


async def test_a_start_reverts_nothing_and_survives_removals(bench: Bench) -> None:
    declared_rooms = [ApplyRoom("general", members=["guide"]), ApplyRoom("gone")]
    await bench.rooms.apply.ensure(declared_rooms)
    await bench.do(bench.admin, "rooms.members", room_id="general", add=["alpha"])
    await bench.do(bench.admin, "rooms.remove", room_id="gone")
    seq = bench.pump.last_seq
    await bench.rooms.apply.ensure(declared_rooms)
    assert bench.pump.last_seq == seq
    general = bench.rooms.directory.get(RoomKey("room:general"))
    assert general is not None
    assert sorted(general.members) == ["alpha", "guide"]
    await refused("unprocessable_entity", bench.rooms.apply.ensure([ApplyRoom("!")]))
