import asyncio
from collections.abc import Sequence

import pytest

from instar.base.clock import now
from instar.bus.fanout import Fanout, Pump
from instar.hub import follower as module
from instar.hub.follower import Follower
from instar.store.seam import Draft
from instar.store.sqlite import SqliteStore
from instar.wire.events import Event, RoomKey

ROOM = RoomKey("room:a")


class Rig:
    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.pump = Pump(Fanout())
        store.on_commit(lambda committed: self.pump(committed.events))
        self.seen: list[str] = []
        self.failures: list[Exception] = []
        self.errors: list[tuple[str, str]] = []

    def follower(self) -> Follower:
        return Follower(
            "f", self.store, self.pump, self.handle, on_error=lambda name, error: self.errors.append((name, str(error)))
        )

    async def handle(self, events: Sequence[Event]) -> None:
        if self.failures:
            raise self.failures.pop()
        self.seen += [event.id for event in events]

    async def append(self, *ids: str) -> int:
        results = await self.store.append([Draft(ROOM, each, "message.created", b"{}", now()) for each in ids])
        return results[-1].event.seq  # type: ignore[union-attr]


@pytest.fixture
def rig(store: SqliteStore) -> Rig:
    return Rig(store)


async def stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_it_sees_what_was_and_what_comes(rig: Rig) -> None:
    await rig.append("a", "b")
    follower = rig.follower()
    await follower.start()
    assert follower.lag() == rig.pump.last_seq
    task = asyncio.create_task(follower.run())
    await follower.reached(rig.pump.last_seq)
    await follower.reached(await rig.append("c"))
    assert rig.seen == ["a", "b", "c"]
    assert follower.lag() == 0
    await stop(task)


async def test_it_takes_up_its_cursor(rig: Rig) -> None:
    await rig.append("a", "b")
    first = rig.follower()
    await first.start()
    assert await first.step() == 2
    await rig.append("c")
    second = rig.follower()
    await second.start()
    assert await second.step() == 1
    assert rig.seen == ["a", "b", "c"]
    assert await second.step() == 0


async def test_batches(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    await rig.append("a", "b", "c")
    follower = rig.follower()
    await follower.start()
    assert [await follower.step() for _ in range(3)] == [2, 1, 0]


async def test_an_owner_may_keep_the_position_itself(rig: Rig) -> None:
    seq = await rig.append("a")
    await rig.append("b")
    follower = rig.follower()
    await follower.start(seq)
    await follower.step()
    assert rig.seen == ["b"]
    again = rig.follower()
    await again.start()
    assert again.position == 0


async def test_a_failure_is_told_and_the_batch_comes_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_BASE_S", 0.0)
    seq = await rig.append("a", "b")
    rig.failures = [RuntimeError("second"), RuntimeError("first")]
    follower = rig.follower()
    await follower.start()
    task = asyncio.create_task(follower.run())
    await follower.reached(seq)
    assert rig.errors == [("f", "first"), ("f", "second")]
    assert rig.seen == ["a", "b"]
    await stop(task)


async def test_seek_goes_back_even_while_a_batch_is_handled(rig: Rig) -> None:
    await rig.append("a")
    seq = await rig.append("b")
    follower = rig.follower()
    await follower.start(seq)
    follower.seek(0)
    assert await follower.step() == 2
    handle = follower._handle

    async def rewinding(events: Sequence[Event]) -> None:
        await handle(events)
        follower.seek(1)

    follower._handle = rewinding
    await rig.append("c")
    await follower.step()
    assert follower.position == 1
