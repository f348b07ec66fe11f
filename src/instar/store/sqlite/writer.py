"""The one writer: a thread that takes all waiting work into one transaction, fsyncs, and only then answers."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import apsw

from instar.base.errors import InstarError
from instar.store.seam import AppendResult, Committed, Draft, Transaction
from instar.wire.events import Event
from instar.wire.limits import (
    WRITER_BATCH_MAX,
    WRITER_BATCH_MAX_BYTES,
    WRITER_QUEUE_MAX,
    WRITER_QUEUE_MAX_BYTES,
    WRITER_RETRY_S,
)

from .appender import Appender, Outcome
from .connections import Database, fault_of
from .courtesy import Courtesy
from .transaction import SqliteTransaction, drive
from .wal import WalKeeper

T = TypeVar("T")
Work = Callable[[Transaction], Awaitable[Any]]
_Answer = tuple["asyncio.Future[Any]", Any, BaseException | None]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Item:
    """Work that waits: drafts, or a function."""

    future: "asyncio.Future[Any]"
    drafts: Sequence[Draft]
    size_bytes: int
    work: Work | None = None


class Writer:
    """Owns the writing connection.

    Args:
        connection: The writing connection, migrated.
        loop: Where commits are published and waiters answered.
        path: For the thread's name.
    """

    def __init__(self, connection: Database, loop: asyncio.AbstractEventLoop, path: Path) -> None:
        self._connection = connection
        self._loop = loop
        self._appender = Appender(connection)
        self._wal = WalKeeper(connection)
        self._courtesy = Courtesy(loop)
        self._receive: Callable[[Committed], None] | None = None
        self._wake = threading.Condition(threading.Lock())
        self._queue: deque[_Item] = deque()
        self._queued = 0
        self._queued_bytes = 0
        self._is_waiting = False
        self._is_closing = False
        self._ended = loop.create_future()
        self.committed_seq = self._appender.last_seq
        self.fault: InstarError | None = None
        """Why the last batch failed; None after one that did not."""
        self.is_broken = False
        self._thread = threading.Thread(target=self._run, name=f"store-writer {path.name}", daemon=True)
        self._thread.start()

    @property
    def checkpoint_fault(self) -> Exception | None:
        """Why the write-ahead log cannot be put into the database at the moment; no write is in danger by it."""
        return self._wal.fault

    def on_commit(self, receive: Callable[[Committed], None]) -> None:
        """Set who gets each commit."""
        self._receive = receive

    async def append(self, drafts: Sequence[Draft]) -> list[AppendResult]:
        """Append drafts; see the seam."""
        if not drafts:
            return []
        size_bytes = 0
        for draft in drafts:
            size_bytes += len(draft.payload)
        future: asyncio.Future[list[AppendResult]] = self._loop.create_future()
        self._put(_Item(future, drafts, size_bytes), len(drafts))
        return await future

    async def transact(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in the writer's transaction; see the seam."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._put(_Item(future, (), 0, work), 1)
        return await future

    def _put(self, item: _Item, count: int) -> None:
        with self._wake:
            if self.is_broken:
                raise self.fault or InstarError("internal_error", "the store's writer died")
            if self._is_closing:
                raise InstarError("service_unavailable", "the store is closed")
            queued, queued_bytes = self._queued + count, self._queued_bytes + item.size_bytes
            if queued > WRITER_QUEUE_MAX or queued_bytes > WRITER_QUEUE_MAX_BYTES:
                raise InstarError(
                    "overloaded", f"{self._queued} writes wait for the disk already", retry_after_s=WRITER_RETRY_S
                )
            self._queue.append(item)
            self._queued, self._queued_bytes = queued, queued_bytes
            if self._is_waiting:
                self._is_waiting = False
                self._wake.notify()
        self._courtesy.begin()

    async def close(self) -> None:
        """Take no more work, finish what waits, checkpoint, and end the thread."""
        with self._wake:
            self._is_closing = True
            self._wake.notify()
        await asyncio.shield(self._ended)
        self._thread.join()

    # From here on: the writer thread.

    def _run(self) -> None:
        try:
            while (batch := self._take()) is not None:
                if batch:
                    self._commit(batch)
                else:
                    self._wal.idle()
            self._wal.close()
        except BaseException as error:  # noqa: BLE001 - nobody is above a thread; everybody below must hear of it
            _log.critical("the store's writer died", exc_info=error)
            self._give_up(error)
        finally:
            self._connection.close()
            self._call(self._end)

    def _take(self) -> list[_Item] | None:
        """Wait for work and take as much as one transaction may hold; [] after idling, None when closed and done."""
        with self._wake:
            while not self._queue:
                if self._is_closing:
                    return None
                self._is_waiting = True
                if not self._wake.wait(self._wal.patience_s):
                    self._is_waiting = False
                    return []
            batch: list[_Item] = []
            count = size_bytes = 0
            while self._queue:
                item = self._queue[0]
                drafts = len(item.drafts) or 1
                if batch and (
                    count + drafts > WRITER_BATCH_MAX or size_bytes + item.size_bytes > WRITER_BATCH_MAX_BYTES
                ):
                    break
                batch.append(self._queue.popleft())
                count += drafts
                size_bytes += item.size_bytes
            self._queued -= count
            self._queued_bytes -= size_bytes
            return batch

    def _commit(self, batch: list[_Item]) -> None:
        """Run a batch as one transaction and have its waiters answered, whatever comes of it."""
        try:
            answers, has_erased, events = self._transact(batch)
        except Exception as error:  # noqa: BLE001 - a bug fails its batch, not the writer
            _log.error("a batch of writes failed", exc_info=error)
            self._fail(batch, self._fault_of(error))
            self._roll_back()
            return
        self.fault = None
        if events:
            self.committed_seq = events[-1].seq
        self._call(self._publish, events, answers)
        self._courtesy.batch_ended()
        self._wal.after_commit(has_erased=has_erased)

    def _transact(self, batch: list[_Item]) -> tuple[list[_Answer], bool, tuple[Event, ...]]:
        answers: list[_Answer] = []
        appends: list[_Item] = []
        has_erased = False
        self._courtesy.is_syncing = False
        self._connection.execute("BEGIN IMMEDIATE")
        for item in batch:
            if item.work is None:
                appends.append(item)
                continue
            self._append(appends, answers)
            appends = []
            has_erased |= self._work(item, item.work, answers)
        self._append(appends, answers)
        self._courtesy.is_syncing = True
        self._connection.execute("COMMIT")
        return answers, has_erased, self._appender.commit()

    def _append(self, items: list[_Item], answers: list[_Answer]) -> None:
        """Append the drafts of consecutive items, so that they share statements."""
        if not items:
            return
        outcomes = self._appender.append([draft for item in items for draft in item.drafts])
        at = 0
        for item in items:
            end = at + len(item.drafts)
            mine: list[Outcome] = outcomes[at:end]
            at = end
            error = next((outcome for outcome in mine if isinstance(outcome, BaseException)), None)
            answers.append((item.future, mine, error))

    def _work(self, item: _Item, work: Work, answers: list[_Answer]) -> bool:
        """Run a `transact` function under a savepoint. Return whether it erased something."""
        execute, appender = self._connection.execute, self._appender
        transaction = SqliteTransaction(self._connection, appender)
        mark = appender.mark()
        execute("SAVEPOINT work")
        result, raised = None, None
        try:
            result = drive(work, transaction)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the waiter
            raised = error
        if transaction.failure is not None:
            raise transaction.failure
        if raised is not None:
            execute("ROLLBACK TO work")
            appender.rewind(mark)
        execute("RELEASE work")
        appender.forget_revisions()
        answers.append((item.future, result, raised))
        return transaction.has_erased and raised is None

    def _fault_of(self, error: Exception) -> InstarError:
        if isinstance(error, apsw.Error):
            return fault_of(error, self._connection)
        return InstarError("internal_error", f"the store's writer failed ({error!r})")

    def _roll_back(self) -> None:
        """Undo the batch; SQLite may have done so itself. A rollback that fails ends the thread."""
        self._appender.rollback()
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _fail(self, batch: list[_Item], error: InstarError) -> None:
        self.fault = error
        self._call(self._publish, (), [(item.future, None, error) for item in batch])

    def _give_up(self, error: BaseException) -> None:
        """Answer everybody: this thread ends."""
        with self._wake:
            self.is_broken = True
            waiting, self._queue = list(self._queue), deque()
        self._fail(waiting, InstarError("internal_error", f"the store's writer died ({error!r})"))

    def _call(self, function: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            _log.warning("the event loop is closed; waiters of the store are not answered")

    # From here on: the event loop.

    def _publish(self, events: tuple[Event, ...], answers: list[_Answer]) -> None:
        try:
            if events and self._receive is not None:
                self._receive(Committed(events))
        finally:
            self._courtesy.end(len(answers))
            for future, result, error in answers:
                if future.done():
                    continue
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)
