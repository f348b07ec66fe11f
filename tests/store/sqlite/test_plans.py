"""Every way of reading the log uses the index that is meant for it, and none sorts."""

import apsw
import pytest

from instar.store import log
from instar.store.sqlite import migrations
from instar.wire.events import RoomKey

ROOM = RoomKey("room:a")


class Planner:
    """A reader that asks for plans."""

    def __init__(self):
        self._connection = apsw.Connection(":memory:")
        for step in migrations.shipped():
            self._connection.execute(step.sql)
        self.plans = []

    async def rows(self, sql, *values):
        self.plans += [row[3] for row in self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        return []

    async def row(self, sql, *values):
        await self.rows(sql, *values)


@pytest.mark.parametrize(
    ("read", "index"),
    [
        (lambda reader: log.after(reader, 5, 10), "USING INTEGER PRIMARY KEY"),
        (lambda reader: log.before(reader, 5, 10), "USING INTEGER PRIMARY KEY"),
        (lambda reader: log.after(reader, 5, 10, rooms=[ROOM]), "INDEX events_room"),
        (lambda reader: log.before(reader, 5, 10, rooms=[ROOM], kind="x"), "INDEX events_room"),
        (lambda reader: log.after(reader, 5, 10, rooms=[ROOM, "room:b"]), "COVERING INDEX events_room"),
        (lambda reader: log.page_after(reader, ROOM, 5, 10, kind="x"), "INDEX events_room"),
        (lambda reader: log.by_id(reader, "evt"), "INDEX events_id"),
        (lambda reader: reader.rows("SELECT id FROM events WHERE org = ?1 ORDER BY seq LIMIT 1", "x"), "SCAN events"),
    ],
)
async def test_plan(read, index):
    planner = Planner()
    await read(planner)
    touching = [plan for plan in planner.plans if "events" in plan]
    assert touching
    assert all(index in plan for plan in touching)
    assert not any("TEMP B-TREE" in plan for plan in planner.plans)
