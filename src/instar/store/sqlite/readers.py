"""Snapshots to read from: a small pool of threads, each with a read-only connection of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import apsw

from instar.base.errors import InstarError
from instar.store.seam import Reader

from .connections import Database, fault_of, open_reader
from .transaction import SqliteReader, drive

T = TypeVar("T")

READERS = 2


class Readers:
    """Reads off the writer and off the event loop, each in one read transaction."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        self._mine = threading.local()
        self._opened: list[Database] = []
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._is_closed = False

    async def read(self, work: Callable[[Reader], Awaitable[T]]) -> T:
        """Run `work` on a snapshot; see the seam."""
        if self._is_closed:
            raise InstarError("service_unavailable", "the store is closed")
        return await self._loop.run_in_executor(self._threads, self._read, work)

    async def close(self) -> None:
        """Finish what runs and close the connections."""
        self._is_closed = True
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._opened:
            connection.close()

    def _read(self, work: Callable[[Reader], Awaitable[T]]) -> T:
        connection: Database | None = None
        try:
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                return drive(work, SqliteReader(connection))
            finally:
                connection.execute("ROLLBACK")
        except apsw.Error as error:
            raise fault_of(error, connection) from error

    def _connection(self) -> Database:
        connection: Database | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = open_reader(self._path)
            self._opened.append(connection)
        return connection
