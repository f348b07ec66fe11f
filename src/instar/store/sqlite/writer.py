"""The one writer: all waiting work becomes one transaction, the disk is waited for, and only then it is answered.

A batch is put into the transaction on the event loop (some microseconds a draft); a thread of its own commits it, which
waits for the disk without Python's interpreter lock, and keeps the write-ahead log in shape. With the inserts in that
thread as well, loop and thread took the lock from each other ten times a batch, which cost more than the inserts: half
the throughput (docs/performance.md). Loop and thread never use the connection at the same time.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import apsw

from instar.base.errors import InstarError
from instar.store.seam import AppendResult, Committed, Draft, Transaction
from instar.wire.limits import (
    WRITER_BATCH_MAX,
    WRITER_BATCH_MAX_BYTES,
    WRITER_QUEUE_MAX,
    WRITER_QUEUE_MAX_BYTES,
    WRITER_RETRY_S,
)

from .appender import Appender, Outcome
from .connections import Database, fault_of
from .transaction import SqliteTransaction, drive
from .wal import WalKeeper

T = TypeVar("T")
Work = Callable[[Transaction], Awaitable[Any]]
_Answer = tuple["asyncio.Future[Any]", Any, BaseException | None]

_log = logging.getLogger(__name__)

GATHER_TURNS = 4
"""Turns of the loop between the first append and its batch. A turn costs a lone writer some microseconds; under load
the batches are twice as large, which saved a fifth of all CPU time with 100 readers."""


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
        loop: Where batches are made, commits published and waiters answered.
        path: For the thread's name.
    """

    def __init__(self, connection: Database, loop: asyncio.AbstractEventLoop, path: Path) -> None:
        self._connection = connection
        self._loop = loop
        self._appender = Appender(connection)
        self._wal = WalKeeper(connection)
        self._receive: Callable[[Committed], None] | None = None
        self._queue: deque[_Item] = deque()
        self._queued = 0
        self._queued_bytes = 0
        self._is_scheduled = False
        self._is_busy = False
        """Whether the thread has the connection."""
        self._idle: asyncio.TimerHandle | None = None
        self._closing: asyncio.Future[None] | None = None
        self.committed_seq = self._appender.last_seq
        self.fault: InstarError | None = None
        """Why the last batch failed; None after one that did not."""
        self.is_broken = False
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
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
        if self.is_broken:
            raise self.fault or InstarError("internal_error", "the store's writer died")
        if self._closing is not None:
            raise InstarError("service_unavailable", "the store is closed")
        queued, queued_bytes = self._queued + count, self._queued_bytes + item.size_bytes
        if queued > WRITER_QUEUE_MAX or queued_bytes > WRITER_QUEUE_MAX_BYTES:
            raise InstarError(
                "overloaded", f"{self._queued} writes wait for the disk already", retry_after_s=WRITER_RETRY_S
            )
        self._queue.append(item)
        self._queued, self._queued_bytes = queued, queued_bytes
        self._schedule()

    def _schedule(self) -> None:
        """Make a batch some turns of the loop from now, so that what they bring is in it."""
        if not (self._is_scheduled or self._is_busy):
            self._is_scheduled = True
            self._loop.call_soon(self._gather, GATHER_TURNS)

    async def close(self) -> None:
        """Take no more work, finish what waits, checkpoint, and end the thread."""
        if self._closing is None:
            self._closing = self._loop.create_future()
            if self.is_broken:
                self._end()
            elif not (self._is_busy or self._queue):
                self._finish()
        await asyncio.shield(self._closing)
        self._thread.join()

    def _gather(self, turns: int) -> None:
        """Let some turns of the loop pass: what they bring shares the transaction, and its one write per reader."""
        if turns:
            self._loop.call_soon(self._gather, turns - 1)
        else:
            self._begin()

    def _begin(self) -> None:
        self._is_scheduled = False
        if self._is_busy or not self._queue:
            return
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        batch = self._take()
        try:
            answers, has_erased = self._fill(batch)
        except Exception as error:  # noqa: BLE001 - a bug fails its batch, not the writer
            self._refuse(batch, error)
            self._rest()
            return
        self._hand_over(partial(self._commit, batch, answers, has_erased))

    def _take(self) -> list[_Item]:
        """Take as much as one transaction may hold."""
        batch: list[_Item] = []
        count = size_bytes = 0
        while self._queue:
            item = self._queue[0]
            drafts = len(item.drafts) or 1
            if batch and (count + drafts > WRITER_BATCH_MAX or size_bytes + item.size_bytes > WRITER_BATCH_MAX_BYTES):
                break
            batch.append(self._queue.popleft())
            count += drafts
            size_bytes += item.size_bytes
        self._queued -= count
        self._queued_bytes -= size_bytes
        return batch

    def _fill(self, batch: list[_Item]) -> tuple[list[_Answer], bool]:
        """Do a batch's work within a new transaction."""
        answers: list[_Answer] = []
        appends: list[_Item] = []
        has_erased = False
        self._connection.execute("BEGIN IMMEDIATE")
        for item in batch:
            if item.work is None:
                appends.append(item)
                continue
            self._append(appends, answers)
            appends = []
            has_erased |= self._work(item, item.work, answers)
        self._append(appends, answers)
        return answers, has_erased

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

    def _refuse(self, batch: list[_Item], error: Exception) -> None:
        """Undo a batch and tell its waiters why. SQLite may have undone it itself."""
        _log.error("a batch of writes failed", exc_info=error)
        if isinstance(error, apsw.Error):
            self.fault = fault_of(error, self._connection)
        else:
            self.fault = InstarError("internal_error", f"the store's writer failed ({error!r})")
        self._appender.rollback()
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.Error as broken:
            self._give_up(broken)
        self._answer([(item.future, None, self.fault) for item in batch])

    def _hand_over(self, job: Callable[[], None]) -> None:
        """Give the connection to the thread; `_rest` takes it back."""
        self._is_busy = True
        self._jobs.put(job)

    def _settle(self, batch: list[_Item], answers: list[_Answer], error: Exception | None, *, is_done: bool) -> None:
        """Publish a commit and answer its waiters, or undo it. A fault of who hears of it must not hold up the next."""
        try:
            if error is not None:
                self._refuse(batch, error)
            else:
                self._publish(answers)
        finally:
            if is_done:
                self._rest()

    def _publish(self, answers: list[_Answer]) -> None:
        self.fault = None
        events = self._appender.commit()
        if events:
            self.committed_seq = events[-1].seq
        try:
            if events and self._receive is not None:
                self._receive(Committed(events))
        finally:
            self._answer(answers)

    def _answer(self, answers: Sequence[_Answer]) -> None:
        for future, result, error in answers:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def _rest(self) -> None:
        """Take the connection back from the thread and go on with what waits."""
        self._is_busy = False
        if self.is_broken:
            return
        if self._queue:
            self._schedule()
        elif self._closing is not None:
            self._finish()
        elif (patience_s := self._wal.patience_s) is not None:
            self._idle = self._loop.call_later(patience_s, self._use_pause)

    def _use_pause(self) -> None:
        self._idle = None
        if not (self._is_busy or self._queue):
            self._hand_over(self._maintain)

    def _finish(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._hand_over(self._close)

    def _give_up(self, error: BaseException) -> None:
        """Answer everybody: nothing is written any more."""
        _log.critical("the store's writer died", exc_info=error)
        self.is_broken = True
        self.fault = InstarError("internal_error", f"the store's writer died ({error!r})")
        waiting = [(item.future, None, self.fault) for item in self._queue]
        self._queue.clear()
        self._queued = self._queued_bytes = 0
        self._answer(waiting)
        self._jobs.put(None)
        self._end()

    def _end(self) -> None:
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)

    # From here on: the thread.

    def _run(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                job()
        except BaseException as error:  # noqa: BLE001 - nobody is above a thread; everybody below must hear of it
            self._call(self._give_up, error)
        finally:
            self._connection.close()

    def _commit(self, batch: list[_Item], answers: list[_Answer], has_erased: bool) -> None:
        error: Exception | None = None
        try:
            self._connection.execute("COMMIT")
        except Exception as raised:  # noqa: BLE001 - whatever it is, the batch did not happen
            error = raised
        is_done = error is not None or not self._wal.is_due(has_erased=has_erased)
        self._call(partial(self._settle, batch, answers, error, is_done=is_done))
        if not is_done:
            self._wal.after_commit()
            self._call(self._rest)

    def _maintain(self) -> None:
        self._wal.idle()
        self._call(self._rest)

    def _close(self) -> None:
        self._wal.close()
        self._jobs.put(None)
        self._call(self._end)

    def _call(self, function: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            _log.warning("the event loop is closed; waiters of the store are not answered")
