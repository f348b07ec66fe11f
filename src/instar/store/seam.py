"""The seam of storage: what every engine promises, and the contract suite (`tests/store/test_contract.py`) checks.

Two write verbs. `append` is pure data: drafts whose guards are evaluated inside the transaction. `transact` is
check and act together. Both go through one writer that groups all waiting work into one transaction, fsyncs, and only
then answers: acknowledged means on disk. SQL is written in the subset that SQLite and PostgreSQL share, with numbered
placeholders (`?1`), by the noun that owns the table.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from instar.base.clock import Micros
from instar.wire.events import Event, RoomKey

T = TypeVar("T")
Row = tuple[Any, ...]
Value = str | int | float | bytes | None

HOME = "home"
"""The only org for now."""


class Guard(msgspec.Struct, frozen=True):
    """A condition of an append: the row of `table` with this key still has this revision.

    A missing row has revision 0. `table` is one of `store.sqlite.appender.GUARDED_TABLES`.
    """

    table: str
    key: str
    revision: int


class Draft(msgspec.Struct, frozen=True):
    """An event that is to be."""

    room: RoomKey
    id: str
    type: str
    payload: bytes
    created_at: Micros
    actor: str = ""
    org: str = HOME
    counted: bool = False
    """Whether it counts as a message of its room (`heads.messages`)."""
    content: bytes = b""
    """What a repeat under the same id must match, beside room and type; empty: the payload itself."""
    guards: tuple[Guard, ...] = ()


class Appended(msgspec.Struct, frozen=True):
    """The draft is on disk; or it was before, with the same content (`is_duplicate`)."""

    event: Event
    is_duplicate: bool = False


class Conflict(msgspec.Struct, frozen=True):
    """The id is taken by other content; nothing was written."""

    event: Event


class GuardFailed(msgspec.Struct, frozen=True):
    """A guard no longer held; nothing was written. Decide anew."""

    guard: Guard


AppendResult = Appended | Conflict | GuardFailed


class Reader(Protocol):
    """A consistent snapshot to read from."""

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """Return all rows of a query."""
        ...

    async def row(self, sql: str, *values: Value) -> Row | None:
        """Return the first row of a query, or None."""
        ...


class Transaction(Reader, Protocol):
    """What a `transact` function works with. It must await nothing but this object."""

    async def execute(self, sql: str, *values: Value) -> int:
        """Run a statement and return how many rows it changed."""
        ...

    async def append(self, draft: Draft) -> AppendResult:
        """Append within this transaction."""
        ...

    async def erase(self, event_id: str, tombstone: bytes, org: str = HOME) -> Event | None:
        """Replace an event's payload by `tombstone`; envelope, digest and chain stay. None: there is no such event."""
        ...


class Committed(msgspec.Struct, frozen=True):
    """One commit, in commit order, as the pump gets it on the event loop before any waiter is answered."""

    events: tuple[Event, ...]
    """Newly appended events in `seq` order, duplicates not among them."""


class BackupResult(msgspec.Struct, frozen=True):
    """A verified backup archive."""

    path: str
    last_seq: int
    size_bytes: int
    sha256: str


class Store(Protocol):
    """One org-keyed log with its tables.

    Raises, from every method: `InstarError` with `storage_full` (retryable; nothing of the failed batch was written),
    `overloaded` (the queue is full), `data_corrupt`, `service_unavailable` (closed), or `internal_error`: the outcome
    may be unknown; write again under the same ids. SQL that breaks a constraint raises `conflict`.
    """

    def on_commit(self, receive: Callable[[Committed], None]) -> None:
        """Set the pump: called on the event loop once per commit, in order, before waiters are answered."""
        ...

    async def append(self, drafts: Sequence[Draft]) -> list[AppendResult]:
        """Append drafts and return one result each; one bad draft never fails another.

        All events that come of one call are in one transaction and in order.
        """
        ...

    async def transact(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` inside the writer's transaction under a savepoint: it raises and only its own writes are undone.

        `work` must be an `async def` that awaits only its `Transaction`, and be quick: an engine may run it on the
        event loop, between other waiting work, or in another thread.
        """
        ...

    async def read(self, work: Callable[[Reader], Awaitable[T]]) -> T:
        """Run `work` on a snapshot, off the writer and the event loop; same rule for what it may await."""
        ...

    async def last_seq(self) -> int:
        """Return the greatest committed `seq`, 0 for an empty log."""
        ...

    async def backup(self, folder: str, name: str) -> BackupResult:
        """Write and verify a consistent copy of log, tables and blobs as one archive, while writing goes on."""
        ...

    async def check(self) -> Mapping[str, str]:
        """Verify that the store answers. Returns facts (`engine`, `schema`, `durability`) for health and doctor."""
        ...

    async def close(self) -> None:
        """Take no more work, finish what waits, checkpoint, and let go of the lock."""
        ...
