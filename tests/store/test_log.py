"""Pages of the log, by key and in order."""

import pytest

from instar.base.errors import InstarError
from instar.store import log
from instar.wire.events import RoomKey


@pytest.fixture
async def filled(store, draft):
    """Seq 1 to 12: rooms a, b, c in turn; each third event of a room is a reaction."""
    for n in range(12):
        kind = "reaction.added" if n // 3 == 2 else "message.created"
        await store.append(
            [draft(f"evt_{n + 1}", f"room:{'abc'[n % 3]}", type=kind, counted=kind == "message.created")]
        )
    return store


def seqs(events):
    return [event.seq for event in events]


@pytest.mark.parametrize(
    ("after", "limit", "rooms", "expected"),
    [
        (0, 3, None, [1, 2, 3]),
        (10, 5, None, [11, 12]),
        (12, 5, None, []),
        (0, 10, [], []),
        (1, 2, ["room:a"], [4, 7]),
        (0, 4, ["room:c", "room:a"], [1, 3, 4, 6]),
        (0, 4, ["room:none"], []),
        (0, 12, ["room:a", "room:b", "room:c"], list(range(1, 13))),
        (3, 2, ["room:c", "room:b", "room:none"], [5, 6]),
    ],
)
async def test_after(filled, after, limit, rooms, expected):
    assert seqs(await filled.read(lambda reader: log.after(reader, after, limit, rooms=rooms))) == expected


@pytest.mark.parametrize(
    ("before", "limit", "rooms", "kind", "expected"),
    [
        (100, 2, None, "", [11, 12]),
        (100, 3, ["room:a"], "", [4, 7, 10]),
        (100, 3, ["room:a", "room:b"], "", [8, 10, 11]),
        (10, 2, ["room:a"], "message.created", [1, 4]),
        (1, 2, None, "", []),
        (100, 3, ["room:b", "room:c", "room:a"], "reaction.added", [7, 8, 9]),
        (100, 3, ["room:c", "room:a", "room:b"], "", [10, 11, 12]),
    ],
)
async def test_before(filled, before, limit, rooms, kind, expected):
    page = await filled.read(lambda reader: log.before(reader, before, limit, rooms=rooms, kind=kind))
    assert seqs(page) == expected


async def test_page_after(filled):
    page = await filled.read(lambda reader: log.page_after(reader, RoomKey("room:a"), 1, 5, kind="message.created"))
    assert seqs(page) == [4, 10]


async def test_by_id(filled):
    assert (await filled.read(lambda reader: log.by_id(reader, "evt_5"))).seq == 5
    assert await filled.read(lambda reader: log.by_id(reader, "evt_none")) is None


async def test_heads(filled):
    heads = await filled.read(log.heads)
    assert heads == {"room:a": (10, 3, 1_000), "room:b": (11, 3, 1_000), "room:c": (12, 3, 1_000)}
    assert await filled.read(lambda reader: log.head(reader, RoomKey("room:none"))) == log.NO_HEAD


async def test_a_damaged_payload_is_detected_and_named(filled):
    await filled.transact(lambda tx: tx.execute("UPDATE events SET payload = ?1 WHERE seq = 4", b"{}"))
    with pytest.raises(InstarError, match="event 4 of room:a") as caught:
        await filled.read(lambda reader: log.after(reader, 0, 100))
    assert caught.value.code == "data_corrupt"
    assert caught.value.detail == {"seq": 4}


@pytest.mark.parametrize("limit", [1, 63, 64, 65, 200])
async def test_pages_over_several_rooms_are_pages_of_the_log(store, draft, limit):
    rooms = [f"room:{n}" for n in range(5)]
    await store.append([draft(f"evt_{n}", rooms[n * n % 5]) for n in range(150)])
    everything = await store.read(lambda reader: log.after(reader, 0, 1_000))
    some = {"room:0", "room:4"}
    of_some = [event for event in everything if event.room in some]
    assert (
        await store.read(lambda reader: log.after(reader, 20, limit, rooms=sorted(some)))
        == [event for event in of_some if event.seq > 20][:limit]
    )
    assert (
        await store.read(lambda reader: log.before(reader, 140, limit, rooms=sorted(some)))
        == [event for event in of_some if event.seq < 140][-limit:]
    )
