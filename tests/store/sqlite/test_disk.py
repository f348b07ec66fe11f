"""What a failing disk does to writers: an answer for each, and a writer that lives on."""

import asyncio
import threading

import apsw
import pytest

from instar.base.errors import InstarError
from instar.store import log
from instar.store.seam import Appended
from instar.store.sqlite import connections, open_store
from instar.store.verifying import verify


async def limit_pages(store, pages):
    await store.transact(lambda tx: tx.rows(f"PRAGMA max_page_count = {pages}"))


async def failure_of(work):
    with pytest.raises(InstarError) as caught:
        await work
    return caught.value.code


class TestFull:
    async def test_writers_hear_of_it_and_writing_resumes_by_itself(self, store, draft):
        await store.append([draft("evt_0")])
        await limit_pages(store, 1)
        big = b'"' + b"x" * 300_000 + b'"'
        codes = await asyncio.gather(*(failure_of(store.append([draft(f"evt_{n}", payload=big)])) for n in range(1, 5)))
        assert set(codes) == {"storage_full"}
        assert await failure_of(store.transact(lambda tx: tx.append(draft("evt_9", payload=big)))) == "storage_full"
        assert store._writer.fault.code == "storage_full"
        assert not store.is_healthy

        await limit_pages(store, 1_000_000)
        (result,) = await store.append([draft("evt_1", payload=big)])
        assert isinstance(result, Appended)
        verdict = await store.read(lambda reader: verify(reader, result.event.room))
        assert (verdict.events, verdict.is_sound) == (2, True)
        assert store._writer.fault is None
        assert store.is_healthy

    async def test_a_swallowed_failure_still_fails_the_transaction(self, store, draft):
        await limit_pages(store, 1)

        async def work(tx):
            with pytest.raises(InstarError):
                await tx.append(draft(payload=b'"' + b"x" * 300_000 + b'"'))
            return "fine"

        assert await failure_of(store.transact(work)) == "storage_full"

    async def test_check_tries_a_write_after_a_failed_one(self, store, draft):
        await limit_pages(store, 1)
        await failure_of(store.append([draft(payload=b'"' + b"x" * 300_000 + b'"')]))
        assert (await store.check())["durability"] == "full"
        assert store._writer.fault is None


class FailingFile(apsw.VFSFile):
    def __init__(self, vfs, filename, flags):
        super().__init__("", filename, flags)
        self._vfs = vfs

    def xSync(self, flags):  # noqa: N802
        if self._vfs.fails:
            raise apsw.IOError("injected")
        super().xSync(flags)


class FailingVFS(apsw.VFS):
    def __init__(self):
        self.fails = False
        super().__init__("failing", "")

    def xOpen(self, name, flags):  # noqa: N802
        return FailingFile(self, name, flags)


@pytest.fixture
def disk(monkeypatch):
    vfs = FailingVFS()
    opened = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    monkeypatch.setattr(
        connections, "connect", lambda path, flags=opened: apsw.Connection(str(path), flags=flags, vfs="failing")
    )
    yield vfs
    vfs.unregister()


class TestFsync:
    async def test_nothing_is_acknowledged_without_it(self, disk, tmp_path, draft):
        store = await open_store(tmp_path)
        await store.append([draft("evt_0")])
        disk.fails = True
        assert await failure_of(store.append([draft("evt_1")])) == "internal_error"
        assert await failure_of(store.transact(lambda tx: tx.append(draft("evt_2")))) == "internal_error"
        assert await failure_of(store.check()) == "internal_error"
        disk.fails = False
        store._writer._wal.fault = apsw.IOError("injected")
        (result,) = await store.append([draft("evt_1")])
        assert not result.is_duplicate
        assert (await store.check())["checkpoint"] == "failing: injected"
        assert (await store.check())["durability"] == "full"
        ids = [event.id for event in await store.read(lambda reader: log.after(reader, 0, 10))]
        assert ids == ["evt_0", "evt_1"]
        await store.close()


class TestBug:
    async def test_it_fails_its_batch_and_no_other(self, store, draft, monkeypatch, caplog):
        def fail(*args):
            raise ZeroDivisionError("a bug")

        with monkeypatch.context() as patch:
            patch.setattr(store._writer._appender, "append", fail)
            assert await failure_of(store.append([draft()])) == "internal_error"
        assert "a batch of writes failed" in caplog.text
        (result,) = await store.append([draft()])
        assert isinstance(result, Appended)

    async def test_a_receiver_that_fails_holds_up_nobody(self, store, draft):
        faults = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context["exception"]))

        def fail(committed):
            raise ZeroDivisionError("a bug")

        store.on_commit(fail)
        for number in range(2):
            (result,) = await store.append([draft(f"evt_{number}")])
            assert isinstance(result, Appended)
        assert [type(fault) for fault in faults] == [ZeroDivisionError, ZeroDivisionError]

    async def test_everybody_hears_of_the_writers_death(self, store, draft, monkeypatch, caplog):
        goes_on = threading.Event()

        def die():
            assert goes_on.wait(10)
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr(store._writer._wal, "is_due", lambda **fields: True)
        monkeypatch.setattr(store._writer._wal, "after_commit", die)
        await store.append([draft()])
        waiting = asyncio.ensure_future(store.append([draft()]))
        await asyncio.sleep(0)
        goes_on.set()
        assert await failure_of(waiting) == "internal_error"
        assert "the store's writer died" in caplog.text
        assert await failure_of(store.check()) == "internal_error"
        assert await failure_of(store.append([draft()])) == "internal_error"


class TestDamage:
    async def test_a_file_that_is_no_database_is_named(self, tmp_path):
        (tmp_path / "instar.db").write_bytes(b"this is no database at all" * 100)
        assert await failure_of(open_store(tmp_path)) == "data_corrupt"
        assert await failure_of(open_store(tmp_path)) == "data_corrupt"


def test_a_full_disk_is_known_by_its_errno():
    class Full:
        system_errno = 28

    assert connections.fault_of(apsw.IOError("x"), Full()).code == "storage_full"
