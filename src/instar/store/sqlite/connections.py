"""Connections with the settings that durability and memory ask for, and what SQLite's errors mean to a caller."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import apsw

from instar.base.errors import InstarError
from instar.store.files import FULL_ERRNOS
from instar.store.seam import Row, Value
from instar.wire.limits import WRITER_RETRY_S

WRITER_CACHE_KIB = 8_192
READER_CACHE_KIB = 2_048
JOURNAL_SIZE_LIMIT_BYTES = 67_108_864
"""A WAL file is kept up to this size: overwriting blocks is about twice as fast as appending them."""
BUSY_TIMEOUT_MS = 5_000

_CORRUPT = (apsw.CorruptError, apsw.NotADBError)
_BATCH_FAULTS = (
    apsw.FullError,
    apsw.IOError,
    apsw.NoMemError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.ProtocolError,
    apsw.InternalError,
    *_CORRUPT,
)


class Rows(Protocol):
    """The rows of a statement."""

    def fetchall(self) -> list[Row]:
        """Return all rows that are left."""
        ...

    def fetchone(self) -> Row | None:
        """Return the next row."""
        ...


class Database(Protocol):
    """The part of `apsw.Connection` that the store uses; APSW's own types are unknown to a checker on Python 3.11."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        ...

    @property
    def system_errno(self) -> int:
        """The `errno` of the last I/O error."""
        ...

    def execute(self, statements: str, bindings: Sequence[Value] = ()) -> Rows:
        """Run statements."""
        ...

    def changes(self) -> int:
        """Return how many rows the last write changed."""
        ...

    def total_changes(self) -> int:
        """Return how many rows were changed since the connection was opened."""
        ...

    def table_exists(self, dbname: str, table_name: str) -> bool:
        """Whether there is such a table."""
        ...

    def set_busy_timeout(self, milliseconds: int) -> None:
        """Set how long a lock is waited for."""
        ...

    def set_wal_hook(self, callable: Callable[[Any, str, int], int]) -> None:  # noqa: A002 - APSW's name
        """Call this after each commit with the pages in the WAL."""
        ...

    def wal_checkpoint(self, *, mode: int) -> tuple[int, int]:
        """Move the WAL into the database."""
        ...

    def backup(self, databasename: str, sourceconnection: "Database", sourcedatabasename: str) -> Any:  # noqa: ANN401
        """Begin a copy into this database."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def connect(path: Path, flags: int = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE) -> Database:
    """Open a database file as it is.

    Raises:
        apsw.Error: The file cannot be opened.
    """
    return cast("Database", apsw.Connection(str(path), flags=flags))


def open_writer(path: Path) -> Database:
    """Open the connection that writes, in WAL mode with `synchronous=FULL`; the file is made with mode 0600.

    Raises:
        apsw.Error: The file cannot be opened or is no database.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = connect(path)
    _settle(connection, WRITER_CACHE_KIB)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 0",
        f"journal_size_limit = {JOURNAL_SIZE_LIMIT_BYTES}",
        "secure_delete = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def open_reader(path: Path) -> Database:
    """Open a connection that can only read.

    Raises:
        apsw.Error: The file cannot be opened or is no database.
    """
    connection = connect(path, apsw.SQLITE_OPEN_READONLY)
    _settle(connection, READER_CACHE_KIB)
    return connection


def _settle(connection: Database, cache_kib: int) -> None:
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    for pragma in ("foreign_keys = ON", "temp_store = MEMORY", f"cache_size = -{cache_kib}", "mmap_size = 0"):
        connection.execute(f"PRAGMA {pragma}")


def is_batch_fault(error: BaseException) -> bool:
    """Whether an error says that the storage failed, not that one statement was wrong."""
    return isinstance(error, _BATCH_FAULTS)


def fault_of(error: apsw.Error, connection: Database | None = None) -> InstarError:
    """Return what a caller is told of an error of SQLite."""
    if isinstance(error, apsw.FullError) or (
        isinstance(error, apsw.IOError) and connection is not None and connection.system_errno in FULL_ERRNOS
    ):
        return InstarError(
            "storage_full", f"the disk that holds the data is full ({error})", retry_after_s=WRITER_RETRY_S
        )
    if isinstance(error, _CORRUPT):
        return InstarError("data_corrupt", f"the database file is damaged ({error})")
    if isinstance(error, apsw.ConstraintError):
        return InstarError("conflict", f"the change contradicts what is stored ({error})")
    return InstarError("internal_error", f"the database refused the work ({type(error).__name__}: {error})")
