"""Erased text is gone from every file, soon."""

import asyncio
import threading

import pytest

SECRET = b"the-rain-in-spain-stays-mainly-in-the-plain"


def traces(folder):
    return [path.name for path in folder.rglob("*") if path.is_file() and SECRET in path.read_bytes()]


async def until_gone(folder):
    while traces(folder):  # noqa: ASYNC110 - nothing tells when a checkpoint is done
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("repeats", [1, 3, 500], ids=["small", "row", "overflow"])
async def test_no_file_keeps_erased_text(store, draft, repeats):
    for n in range(30):
        await store.append([draft(f"evt_{n}", payload=b'{"a":"%b"}' % (b"y" * 200))])
    await store.append([draft("evt_x", payload=b'{"text":"%b"}' % (SECRET * repeats))])
    await store.append([draft(f"evt_after_{n}") for n in range(300)])
    assert traces(store.folder) == ["instar.db-wal"]
    await store.transact(lambda tx: tx.erase("evt_x", b"{}"))
    await asyncio.wait_for(until_gone(store.folder), 10)


async def test_a_reader_of_the_old_snapshot_delays_it_only(store, draft):
    await store.append([draft("evt_x", payload=SECRET)])
    loop, reads, goes_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    async def hold(reader):
        await reader.rows("SELECT 1 FROM events")
        loop.call_soon_threadsafe(reads.set)
        assert goes_on.wait(10)

    holding = asyncio.ensure_future(store.read(hold))
    await reads.wait()
    await store.transact(lambda tx: tx.erase("evt_x", b"{}"))
    await store.append([draft("evt_2")])
    assert traces(store.folder) != []
    goes_on.set()
    await holding
    await asyncio.wait_for(until_gone(store.folder), 10)


async def test_undone_erasures_erase_nothing(store, draft):
    await store.append([draft("evt_x", payload=SECRET)])

    async def work(tx):
        await tx.erase("evt_x", b"{}")
        raise KeyError

    with pytest.raises(KeyError):
        await store.transact(work)
    assert traces(store.folder) != []


async def test_closing_leaves_one_database_file(store, draft):
    await store.append([draft()])
    await store.close()
    assert sorted(path.name for path in store.folder.iterdir()) == ["instar.db", "lock"]
    assert all(path.stat().st_mode & 0o77 == 0 for path in store.folder.iterdir())
    assert store.folder.stat().st_mode & 0o77 == 0
