"""When the write-ahead log goes back into the database: by size, when idle, and soon after an erasure."""

import time

import apsw

from instar.wire.limits import WAL_CHECKPOINT_BYTES

from .connections import BUSY_TIMEOUT_MS, Database

IDLE_CHECKPOINT_S = 1.0
ERASURE_RETRY_S = 0.05
"""A reader's snapshot may hold up the checkpoint that removes erased text; it is tried again this often."""


class WalKeeper:
    """Checkpoints on behalf of the writer, in its thread. A failed checkpoint is tried again, nothing is lost."""

    def __init__(self, connection: Database) -> None:
        self._connection = connection
        self._page_bytes: int = (connection.execute("PRAGMA page_size").fetchone() or (4096,))[0]
        self._pages = 0
        self._kept_pages = 0
        self._must_truncate = False
        self._next_try_at = 0.0
        self.fault: apsw.Error | None = None
        """Why the last checkpoint failed."""
        connection.set_wal_hook(self._committed)

    def _committed(self, _connection: object, _database: str, pages: int) -> int:
        if pages < self._pages:
            self._kept_pages = 0  # the WAL began anew
        self._pages = pages
        return apsw.SQLITE_OK

    @property
    def patience_s(self) -> float | None:
        """How long the writer may idle before `idle` is due; None: for ever."""
        if self._must_truncate:
            return ERASURE_RETRY_S
        return IDLE_CHECKPOINT_S if self._pages > self._kept_pages else None

    def is_due(self, *, has_erased: bool) -> bool:
        """Whether `after_commit` has work: the log has grown enough, or holds what was just erased."""
        self._must_truncate |= has_erased
        has_grown = (self._pages - self._kept_pages) * self._page_bytes >= WAL_CHECKPOINT_BYTES
        return has_grown or (self._must_truncate and time.monotonic() >= self._next_try_at)

    def after_commit(self) -> None:
        """Checkpoint; to be called when `is_due`."""
        if self._must_truncate and time.monotonic() >= self._next_try_at:
            self._truncate()
        else:
            self._checkpoint()

    def idle(self) -> None:
        """Use a pause of the writer."""
        if self._must_truncate:
            self._truncate()
        else:
            self._checkpoint()

    def close(self) -> None:
        """Put everything into the database and empty the log."""
        self._truncate()

    def _checkpoint(self) -> None:
        self._kept_pages = self._pages
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self.fault = None
        except apsw.Error as error:
            self.fault = error

    def _truncate(self) -> None:
        self._next_try_at = time.monotonic() + ERASURE_RETRY_S
        self._connection.set_busy_timeout(0)  # never hold up writers for a reader's snapshot
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._must_truncate, self.fault = False, None
            self._pages = self._kept_pages = 0
        except apsw.BusyError:
            self._must_truncate = True
        except apsw.Error as error:
            self.fault = error
        finally:
            self._connection.set_busy_timeout(BUSY_TIMEOUT_MS)
