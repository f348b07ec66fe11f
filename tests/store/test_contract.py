"""The contract of the seam: every promise of `instar.store.seam`, over every implementation."""

import asyncio
import hashlib
import threading

import pytest

from instar.base.errors import InstarError
from instar.store import log
from instar.store.faulty import FaultyStore
from instar.store.seam import Appended, Conflict, Guard, GuardFailed
from instar.store.sqlite import open_store
from instar.store.sqlite.migrations import shipped
from instar.store.verifying import verify
from instar.wire.events import RoomKey, envelope_chain

ROOM = RoomKey("room:a")
IMPLEMENTATIONS = {"sqlite": lambda opened: opened, "faulty": FaultyStore}


@pytest.fixture(params=IMPLEMENTATIONS)
async def store(request, tmp_path):
    opened = IMPLEMENTATIONS[request.param](await open_store(tmp_path / "hub"))
    yield opened
    await opened.close()


async def events_of(store, **options):
    return await store.read(lambda reader: log.after(reader, 0, 1_000, **options))


async def insert_room(tx, revision=1, key="room:a"):
    await tx.execute(
        "INSERT INTO rooms (org, key, kind, id, name, parent, parent_message_id, visibility, write_policy, revision,"
        " created_at) VALUES ('home', ?1, 'room', 'a', 'A', '', '', 'private', 'members', ?2, 1)"
        " ON CONFLICT (org, key) DO UPDATE SET revision = excluded.revision",
        key,
        revision,
    )


class TestAppend:
    async def test_event_carries_everything_of_the_draft(self, store, draft):
        (result,) = await store.append([draft(actor="prn_1", counted=True)])
        event = result.event
        assert result == Appended(event)
        assert (event.seq, event.prev, event.org, event.room, event.id) == (1, 0, "home", ROOM, "evt_1")
        assert (event.type, event.actor, event.created_at) == ("message.created", "prn_1", 1_000)
        assert (event.payload, event.redacted) == (b'{"n":1}', False)
        assert event.digest == hashlib.sha256(b'{"n":1}').digest()
        assert event.chain == envelope_chain(b"", "evt_1", "room:a", "message.created", "prn_1", 1_000, event.digest)

    async def test_what_is_read_is_what_was_answered(self, store, draft):
        results = await store.append([draft(f"evt_{n}", f"room:{n % 3}") for n in range(200)])
        assert await events_of(store) == [result.event for result in results]

    async def test_nothing_is_a_result_for_nothing(self, store):
        assert await store.append([]) == []

    async def test_seq_rises_over_the_store_and_prev_links_the_room(self, store, draft):
        results = await store.append([draft(f"evt_{n}", f"room:{n % 2}") for n in range(6)])
        assert [result.event.seq for result in results] == [1, 2, 3, 4, 5, 6]
        assert [result.event.prev for result in results] == [0, 0, 1, 2, 3, 4]

    async def test_same_id_and_content_gives_the_first_event(self, store, draft):
        (first,) = await store.append([draft(created_at=1)])
        (again,) = await store.append([draft(created_at=2)])
        assert again == Appended(first.event, is_duplicate=True)
        assert await events_of(store) == [first.event]

    async def test_same_id_other_content_is_a_conflict(self, store, draft):
        (first,) = await store.append([draft()])
        (again,) = await store.append([draft(payload=b'{"n":2}')])
        assert again == Conflict(first.event)
        assert await events_of(store) == [first.event]

    @pytest.mark.parametrize("changed", [{"room": "room:b"}, {"type": "message.edited"}])
    async def test_same_id_and_content_elsewhere_is_a_conflict(self, store, draft, changed):
        await store.append([draft()])
        assert isinstance((await store.append([draft(**changed)]))[0], Conflict)

    async def test_content_decides_in_place_of_the_payload(self, store, draft):
        await store.append([draft(payload=b'{"at":1}', content=b"hello")])
        (same,) = await store.append([draft(payload=b'{"at":2}', content=b"hello")])
        (other,) = await store.append([draft(payload=b'{"at":1}', content=b"bye")])
        assert isinstance(same, Appended)
        assert same.is_duplicate
        assert isinstance(other, Conflict)

    async def test_repeats_within_one_call(self, store, draft):
        results = await store.append([draft(), draft(), draft(payload=b"{}"), draft("evt_2")])
        assert [type(result).__name__ for result in results] == ["Appended", "Appended", "Conflict", "Appended"]
        assert [result.event.id for result in results] == ["evt_1", "evt_1", "evt_1", "evt_2"]
        assert results[3].event.prev == results[0].event.seq

    async def test_the_room_is_chained_past_a_duplicate(self, store, draft):
        await store.append([draft(f"evt_{n}") for n in range(10)])
        await store.append([draft(f"evt_{n}") for n in range(20)])
        assert (await store.read(lambda reader: verify(reader, ROOM))).events == 20

    async def test_the_same_id_in_another_org_is_another_event(self, store, draft):
        await store.append([draft()])
        (other,) = await store.append([draft(org="org_2")])
        assert (other.is_duplicate, other.event.prev) == (False, 0)

    async def test_one_bad_draft_fails_no_other_waiter(self, store, draft):
        bad, good = await asyncio.gather(
            store.append([draft("evt_bad", actor="\udcff")]), store.append([draft("evt_good")]), return_exceptions=True
        )
        assert isinstance(bad, InstarError)
        assert bad.code == "internal_error"
        assert isinstance(good[0], Appended)

    async def test_counted_events_count_as_messages(self, store, draft):
        await store.append([draft("evt_1", counted=True, created_at=5), draft("evt_2", created_at=9)])
        await store.append([draft("evt_3", counted=True, created_at=7)])
        head = await store.read(lambda reader: log.head(reader, ROOM))
        assert head == log.RoomHead(3, 2, 7)


class TestGuards:
    async def test_missing_row_has_revision_0(self, store, draft):
        (held,) = await store.append([draft("evt_1", guards=(Guard("rooms", "room:a", 0),))])
        (broken,) = await store.append([draft("evt_2", guards=(Guard("rooms", "room:a", 1),))])
        assert isinstance(held, Appended)
        assert broken == GuardFailed(Guard("rooms", "room:a", 1))

    async def test_broken_guard_writes_nothing_and_fails_no_neighbour(self, store, draft):
        await store.transact(insert_room)
        guards = (Guard("rooms", "room:a", 1),), (Guard("rooms", "room:a", 2),)
        results = await store.append([draft(f"evt_{n}", guards=guards[n % 2]) for n in range(6)])
        assert [type(result).__name__ for result in results] == ["Appended", "GuardFailed"] * 3
        assert [event.id for event in await events_of(store)] == ["evt_0", "evt_2", "evt_4"]

    async def test_transact_work_before_an_append_is_seen_by_its_guard(self, store, draft):
        guard = Guard("rooms", "room:a", 1)
        await store.transact(insert_room)
        results = await asyncio.gather(
            store.append([draft("evt_1", guards=(guard,))]),
            store.transact(lambda tx: insert_room(tx, 2)),
            store.append([draft("evt_2", guards=(guard,))]),
        )
        assert isinstance(results[0][0], Appended)
        assert isinstance(results[2][0], GuardFailed)

    async def test_unknown_table_is_refused(self, store, draft):
        with pytest.raises(InstarError, match="sqlite_schema"):
            await store.append([draft(guards=(Guard("sqlite_schema", "x", 0),))])


class TestTransact:
    async def test_table_and_event_change_together(self, store, draft):
        async def work(tx):
            await insert_room(tx)
            return await tx.append(draft())

        result = await store.transact(work)
        assert isinstance(result, Appended)
        assert await store.read(lambda reader: reader.row("SELECT revision FROM rooms")) == (1,)
        assert await events_of(store) == [result.event]

    async def test_raising_undoes_only_its_own_writes(self, store, draft):
        async def work(tx):
            await insert_room(tx)
            await tx.append(draft("evt_lost"))
            raise ZeroDivisionError

        before, failed, after = await asyncio.gather(
            store.append([draft("evt_1")]), store.transact(work), store.append([draft("evt_2")]), return_exceptions=True
        )
        assert isinstance(failed, ZeroDivisionError)
        assert await events_of(store) == [before[0].event, after[0].event]
        assert after[0].event.prev == before[0].event.seq
        assert (await store.read(lambda reader: verify(reader, ROOM))).is_sound
        assert await store.read(lambda reader: reader.row("SELECT 1 FROM rooms")) is None

    async def test_it_reads_what_it_wrote(self, store, draft):
        async def work(tx):
            await tx.append(draft(counted=True))
            return await log.head(tx, ROOM), len(await tx.rows("SELECT 1 FROM events"))

        head, count = await store.transact(work)
        assert (head.messages, count) == (1, 1)

    async def test_execute_counts_changed_rows(self, store):
        async def work(tx):
            await insert_room(tx)
            changed = await tx.execute("UPDATE rooms SET name = 'B' WHERE key = ?1", "room:a")
            return changed, await tx.execute("UPDATE rooms SET name = 'B' WHERE key = ?1", "room:none")

        assert await store.transact(work) == (1, 0)

    async def test_duplicates_and_conflicts_are_results(self, store, draft):
        async def work(tx):
            return [await tx.append(draft()), await tx.append(draft()), await tx.append(draft(payload=b"{}"))]

        first, again, other = await store.transact(work)
        assert again == Appended(first.event, is_duplicate=True)
        assert other == Conflict(first.event)

    async def test_breaking_a_constraint_is_a_conflict_that_can_be_caught(self, store):
        async def work(tx):
            await tx.execute("INSERT INTO orgs VALUES ('o', 'O', 1)")
            with pytest.raises(InstarError) as caught:
                await tx.execute("INSERT INTO orgs VALUES ('o', 'O', 1)")
            return caught.value.code

        assert await store.transact(work) == "conflict"
        assert await store.read(lambda reader: reader.row("SELECT COUNT(*) FROM orgs")) == (1,)

    async def test_wrong_sql_is_an_internal_error(self, store):
        with pytest.raises(InstarError) as caught:
            await store.transact(lambda tx: tx.execute("UPDATE nowhere SET x = 1"))
        assert caught.value.code == "internal_error"

    async def test_awaiting_anything_else_is_refused_and_undone(self, store, draft):
        async def work(tx):
            await tx.append(draft())
            await asyncio.sleep(0)

        with pytest.raises(InstarError, match="awaited something other"):
            await store.transact(work)
        assert await events_of(store) == []

    async def test_what_is_no_async_function_is_refused(self, store):
        with pytest.raises(InstarError, match="no async function"):
            await store.transact(lambda tx: 5)


class TestErase:
    async def test_payload_goes_envelope_and_chain_stay(self, store, draft):
        (first,) = await store.append([draft(payload=b'{"text":"secret"}')])
        await store.append([draft("evt_2")])
        erased = await store.transact(lambda tx: tx.erase("evt_1", b'{"gone":true}'))
        assert erased == (await events_of(store))[0]
        assert (erased.payload, erased.redacted) == (b'{"gone":true}', True)
        assert (erased.digest, erased.chain, erased.seq) == (first.event.digest, first.event.chain, first.event.seq)
        assert (await store.read(lambda reader: verify(reader, ROOM))).is_sound

    async def test_there_is_nothing_to_erase(self, store):
        assert await store.transact(lambda tx: tx.erase("evt_none", b"{}")) is None

    async def test_a_repeat_of_an_erased_event_is_still_known(self, store, draft):
        await store.append([draft()])
        await store.transact(lambda tx: tx.erase("evt_1", b"{}"))
        (again,) = await store.append([draft()])
        assert again.is_duplicate
        assert again.event.redacted


class TestOnCommit:
    async def test_each_new_event_is_published_once_in_order_before_its_waiter(self, store, draft):
        seen, order = [], []

        def receive(committed):
            seen.extend(event.id for event in committed.events)
            order.append("published")

        store.on_commit(receive)

        async def write(n):
            await store.append([draft(f"evt_{n}")])
            assert f"evt_{n}" in seen
            order.append("answered")

        await asyncio.gather(*(write(n) for n in range(50)))
        await store.append([draft("evt_0")])
        assert seen == [event.id for event in await events_of(store)]
        assert order[0] == "published"

    async def test_a_transaction_without_events_is_not_published(self, store):
        seen = []
        store.on_commit(seen.append)
        await store.transact(insert_room)
        assert seen == []

    async def test_events_of_an_undone_transaction_are_not_published(self, store, draft):
        seen = []
        store.on_commit(seen.append)

        async def work(tx):
            await tx.append(draft())
            raise KeyError

        with pytest.raises(KeyError):
            await store.transact(work)
        assert seen == []


class TestRead:
    async def test_a_snapshot_does_not_move(self, store, draft):
        await store.append([draft()])
        waits, goes_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        async def work(reader):
            before = await reader.rows("SELECT id FROM events")
            loop.call_soon_threadsafe(waits.set)
            assert goes_on.wait(10)
            return before, await reader.rows("SELECT id FROM events")

        reading = asyncio.ensure_future(store.read(work))
        await waits.wait()
        await store.append([draft("evt_2")])
        goes_on.set()
        before, after = await reading
        assert before == after == [("evt_1",)]

    async def test_it_cannot_write(self, store):
        with pytest.raises(InstarError):
            await store.read(lambda reader: reader.rows("DELETE FROM events"))

    async def test_it_raises_what_the_work_raises(self, store):
        async def work(reader):
            raise KeyError("x")

        with pytest.raises(KeyError):
            await store.read(work)

    async def test_an_acknowledged_event_is_seen_at_once(self, store, draft):
        for n in range(50):
            await store.append([draft(f"evt_{n}")])
            assert await store.read(lambda reader, n=n: log.by_id(reader, f"evt_{n}")) is not None


class TestLife:
    async def test_last_seq(self, store, draft):
        assert await store.last_seq() == 0
        await store.append([draft(), draft("evt_2")])
        assert await store.last_seq() == 2

    async def test_check_names_the_engine(self, store):
        facts = await store.check()
        assert facts["engine"].startswith("sqlite")
        assert (facts["schema"], facts["durability"]) == (str(len(shipped())), "full")

    async def test_close_finishes_what_waits_and_takes_no_more(self, store, draft):
        waiting = [asyncio.ensure_future(store.append([draft(f"evt_{n}")])) for n in range(100)]
        await asyncio.sleep(0)
        await store.close()
        assert all(isinstance(result[0], Appended) for result in await asyncio.gather(*waiting))
        for work in (store.append([draft()]), store.read(insert_room), store.transact(insert_room)):
            with pytest.raises(InstarError) as caught:
                await work
            assert caught.value.code == "service_unavailable"
        await store.close()

    async def test_more_than_the_queue_holds_is_refused(self, store, draft, monkeypatch):
        monkeypatch.setattr("instar.store.sqlite.writer.WRITER_QUEUE_MAX", 4)
        with pytest.raises(InstarError) as caught:
            await store.append([draft(f"evt_{n}") for n in range(5)])
        assert caught.value.code == "overloaded"
        assert caught.value.retry_after_s
        assert await events_of(store) == []
