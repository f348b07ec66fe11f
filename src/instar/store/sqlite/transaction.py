"""What `read` and `transact` functions get, and how they are driven without an event loop."""

from asyncio import iscoroutine
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, cast

import apsw

from instar.base.errors import InstarError
from instar.store.log import by_id
from instar.store.seam import HOME, AppendResult, Draft, Row, Value
from instar.wire.events import Event

from .appender import Appender
from .connections import Database, fault_of, is_batch_fault

T = TypeVar("T")
S = TypeVar("S")

_ERASE = "UPDATE events SET payload = ?3, redacted = 1 WHERE org = ?1 AND id = ?2"


class SqliteReader:
    """A `Reader` on one connection."""

    def __init__(self, connection: Database) -> None:
        self._connection = connection

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """Return all rows of a query."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except apsw.Error as error:
            raise self._fault(error) from error

    async def row(self, sql: str, *values: Value) -> Row | None:
        """Return the first row of a query, or None."""
        try:
            return self._connection.execute(sql, values).fetchone()
        except apsw.Error as error:
            raise self._fault(error) from error

    def _fault(self, error: apsw.Error) -> InstarError:
        return fault_of(error, self._connection)


class SqliteTransaction(SqliteReader):
    """The `Transaction` of the writer; remembers a failure of the storage that its user may have swallowed."""

    def __init__(self, connection: Database, appender: Appender) -> None:
        super().__init__(connection)
        self._appender = appender
        self.failure: apsw.Error | None = None
        self.has_erased = False

    async def execute(self, sql: str, *values: Value) -> int:
        """Run a statement and return how many rows it changed."""
        try:
            before = self._connection.total_changes()
            self._connection.execute(sql, values).fetchall()
            self._appender.forget_revisions()
            return self._connection.changes() if self._connection.total_changes() != before else 0
        except apsw.Error as error:
            raise self._fault(error) from error

    async def append(self, draft: Draft) -> AppendResult:
        """Append within this transaction."""
        try:
            outcome = self._appender.append((draft,))[0]
        except apsw.Error as error:
            raise self._fault(error) from error
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def erase(self, event_id: str, tombstone: bytes, org: str = HOME) -> Event | None:
        """Replace an event's payload by `tombstone`; return the event as it now is."""
        if await self.execute(_ERASE, org, event_id, tombstone) == 0:
            return None
        self.has_erased = True
        return await by_id(self, event_id, org)

    def _fault(self, error: apsw.Error) -> InstarError:
        if is_batch_fault(error):
            self.failure = error
        return super()._fault(error)


def drive(work: Callable[[S], Awaitable[T]], subject: S) -> T:
    """Run an `async def` that awaits nothing but `subject`, whose methods never suspend, to its end.

    Raises:
        InstarError: `internal_error`: it awaited something else.
    """
    running = cast("Coroutine[Any, Any, T]", work(subject))
    if not iscoroutine(running):
        raise InstarError("internal_error", f"{work!r} is no async function")
    try:
        running.send(None)
    except StopIteration as end:
        return end.value
    running.close()
    raise InstarError("internal_error", f"{work!r} awaited something other than its {type(subject).__name__}")
