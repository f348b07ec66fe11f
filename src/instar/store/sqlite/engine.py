"""The embedded store: opening, the seam's methods, closing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import apsw

from instar.base.errors import InstarError
from instar.store.lock import DirectoryLock
from instar.store.seam import AppendResult, BackupResult, Committed, Draft, Reader, Transaction

from . import migrations
from .backups import backup_sqlite
from .connections import Database, fault_of, open_writer
from .names import BACKUPS, DATABASE
from .readers import Readers
from .writer import Writer

T = TypeVar("T")

_PROBE = """
    INSERT INTO cursors (org, name, seq) VALUES ('home', 'store.probe', 1)
    ON CONFLICT (org, name) DO UPDATE SET seq = cursors.seq + 1
"""


class SqliteStore:
    """A `Store` in one directory; made by `open_store`."""

    def __init__(self, folder: Path, lock: DirectoryLock, schema: int, writer: Writer, readers: Readers) -> None:
        self.folder = folder
        self._lock = lock
        self._schema = schema
        self._writer = writer
        self._readers = readers
        self._is_closed = False
        self._backing_up = asyncio.Lock()

    def on_commit(self, receive: Callable[[Committed], None]) -> None:
        """Set the pump."""
        self._writer.on_commit(receive)

    async def append(self, drafts: Sequence[Draft]) -> list[AppendResult]:
        """Append drafts and return one result each."""
        return await self._writer.append(drafts)

    async def transact(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` on the event loop, inside the writer's transaction, under a savepoint."""
        return await self._writer.transact(work)

    async def read(self, work: Callable[[Reader], Awaitable[T]]) -> T:
        """Run `work` in a reader thread on a snapshot."""
        return await self._readers.read(work)

    async def last_seq(self) -> int:
        """Return the greatest committed `seq`."""
        return self._writer.committed_seq

    @property
    def is_healthy(self) -> bool:
        """Whether the last write that was tried came to disk."""
        return self._writer.fault is None and not self._writer.is_broken

    async def backup(self, folder: str, name: str) -> BackupResult:
        """Write and verify a copy of everything as one archive, in a thread of its own."""
        if self._is_closed:
            raise InstarError("service_unavailable", "the store is closed")
        async with self._backing_up:
            return await asyncio.to_thread(backup_sqlite, self.folder, Path(folder), name)

    async def check(self) -> Mapping[str, str]:
        """Read, and after a failed write try one."""
        if self._writer.is_broken:
            raise self._writer.fault or InstarError("internal_error", "the store's writer died")
        if self._writer.fault is not None:
            await self.transact(_probe)
        await self.read(_answer)
        facts = {"engine": f"sqlite {apsw.sqlite_lib_version()}", "schema": str(self._schema), "durability": "full"}
        if (fault := self._writer.checkpoint_fault) is not None:
            facts["checkpoint"] = f"failing: {fault}"
        return facts

    async def close(self) -> None:
        """Finish what waits, checkpoint, and let go of the lock. Closing twice is no error."""
        if self._is_closed:
            return
        self._is_closed = True
        async with self._backing_up:
            await self._readers.close()
        await self._writer.close()
        self._lock.release()


async def _probe(tx: Transaction) -> int:
    return await tx.execute(_PROBE)


async def _answer(reader: Reader) -> None:
    await reader.row("SELECT 1 FROM orgs")


async def open_store(data_dir: Path, *, steps: Sequence[migrations.Migration] | None = None) -> SqliteStore:
    """Open the store of a directory, which is made (0700) if missing; take its lock and migrate it.

    Args:
        data_dir: Where everything is kept.
        steps: The schema; those that this version ships unless a test brings its own.

    Raises:
        InstarError: `storage_locked`, `schema_too_new`, `data_corrupt`, `storage_full` or `internal_error`.
    """
    loop = asyncio.get_running_loop()
    lock = await asyncio.to_thread(_lock, data_dir)
    path = data_dir / DATABASE
    try:
        connection, schema = await asyncio.to_thread(_open, path, data_dir / BACKUPS, steps or migrations.shipped())
        writer = Writer(connection, loop, path)
    except apsw.Error as error:
        lock.release()
        raise fault_of(error) from error
    except BaseException:
        lock.release()
        raise
    return SqliteStore(data_dir, lock, schema, writer, Readers(path, loop))


def _lock(data_dir: Path) -> DirectoryLock:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return DirectoryLock(data_dir)


def _open(path: Path, backups: Path, steps: Sequence[migrations.Migration]) -> tuple[Database, int]:
    connection = open_writer(path)
    try:
        return connection, migrations.migrate(connection, backups, steps)
    except BaseException:
        connection.close()
        raise
