"""Any change to a room's log behind the hub's back is found, at the event where it begins."""

import pytest

from instar.store.verifying import verify
from instar.wire.events import RoomKey

ROOM = RoomKey("room:a")


@pytest.fixture
async def filled(store, draft):
    await store.append([draft(f"evt_{n}") for n in range(1, 6)])
    return store


async def test_a_whole_room(filled):
    verdict = await filled.read(lambda reader: verify(reader, ROOM))
    assert (verdict.is_sound, verdict.events, verdict.cause) == (True, 5, "")


async def test_a_room_without_events(store):
    assert (await store.read(lambda reader: verify(reader, ROOM))).is_sound


@pytest.mark.parametrize(
    ("damage", "seq", "cause"),
    [
        ("UPDATE events SET payload = x'7b7d' WHERE seq = 3", 3, "payload"),
        ("UPDATE events SET digest = x'00', redacted = 1 WHERE seq = 3", 3, "envelope"),
        ("UPDATE events SET actor = 'prn_x' WHERE seq = 2", 2, "envelope"),
        ("UPDATE events SET created_at = 7 WHERE seq = 4", 4, "envelope"),
        ("UPDATE events SET chain = x'00' WHERE seq = 4", 4, "envelope"),
        ("DELETE FROM events WHERE seq = 3", 4, "missing"),
        ("DELETE FROM events WHERE seq = 1", 2, "missing"),
        ("DELETE FROM events WHERE seq = 5", 5, "head"),
        ("DELETE FROM heads", 5, "head"),
    ],
)
async def test_damage(filled, damage, seq, cause):
    await filled.transact(lambda tx: tx.execute(damage))
    verdict = await filled.read(lambda reader: verify(reader, ROOM))
    assert (verdict.is_sound, verdict.damaged_seq) == (False, seq)
    assert cause in verdict.cause


async def test_the_head_is_the_last_that_holds(filled):
    whole = await filled.read(lambda reader: verify(reader, ROOM))
    await filled.transact(lambda tx: tx.execute("UPDATE events SET actor = 'prn_x' WHERE seq = 4"))
    broken = await filled.read(lambda reader: verify(reader, ROOM))
    assert (whole.head_seq, broken.head_seq, broken.damaged_seq) == (5, 3, 4)
    assert whole.head != broken.head


async def test_where_nothing_is_erased_an_erasure_hides_a_change(filled):
    await filled.transact(lambda tx: tx.execute("UPDATE events SET payload = x'7b7d', redacted = 1 WHERE seq = 3"))
    assert (await filled.read(lambda reader: verify(reader, ROOM))).is_sound
    verdict = await filled.read(lambda reader: verify(reader, ROOM, is_erasable=False))
    assert (verdict.damaged_seq, "erased" in verdict.cause) == (3, True)
