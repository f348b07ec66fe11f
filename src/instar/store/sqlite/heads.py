"""Where each room's log ends, kept in memory in front of table `heads`."""

from typing import NamedTuple

from instar.store.seam import Value

from .connections import Database
from .statements import ROWS_PER_STATEMENT, many

Key = tuple[str, str]
"""(org, room)"""

CACHE_MAX = 8_192
"""Heads of rooms in memory; the least recently written go first."""


class Head(NamedTuple):
    """The end of one room's log."""

    seq: int
    chain: bytes
    messages: int
    last_message_at: int


NO_HEAD = Head(0, b"", 0, 0)

_SELECT = "SELECT seq, chain, messages, last_message_at FROM heads WHERE org = ?1 AND room = ?2"
_UPSERTS = many(
    "INSERT INTO heads (org, room, seq, chain, messages, last_message_at)",
    6,
    "ON CONFLICT (org, room) DO UPDATE SET seq = excluded.seq, chain = excluded.chain,"
    " messages = excluded.messages, last_message_at = excluded.last_message_at",
)


class Heads:
    """Heads as the open transaction sees them; what it changed is forgotten when it is rolled back."""

    def __init__(self, connection: Database) -> None:
        self._connection = connection
        self._committed: dict[Key, Head] = {}
        self._changed: dict[Key, Head] = {}

    def get(self, key: Key) -> Head:
        """Return the head of a room, `NO_HEAD` for a room without events."""
        head = self._changed.get(key) or self._committed.get(key)
        if head is None:
            row = self._connection.execute(_SELECT, key).fetchone()
            head = Head(*row) if row else NO_HEAD
        return head

    def change(self, changed: dict[Key, Head]) -> None:
        """Write changed heads within the open transaction."""
        rows = [(*key, *head) for key, head in changed.items()]
        at = 0
        for count in ROWS_PER_STATEMENT:
            while len(rows) - at >= count:
                values: list[Value] = [value for row in rows[at : at + count] for value in row]
                self._connection.execute(_UPSERTS[count], values)
                at += count
        self._changed.update(changed)

    def mark(self) -> dict[Key, Head]:
        """Return what `rewind` goes back to."""
        return dict(self._changed)

    def rewind(self, mark: dict[Key, Head]) -> None:
        """Forget what was changed since `mark`; the savepoint has undone it in the table."""
        self._changed = mark

    def commit(self) -> None:
        """Keep what the transaction changed."""
        committed = self._committed
        for key, head in self._changed.items():
            committed.pop(key, None)  # put back at the end: a dict's order is the order of use
            committed[key] = head
        self._changed = {}
        while len(committed) > CACHE_MAX:
            del committed[next(iter(committed))]

    def rollback(self) -> None:
        """Forget what the transaction changed."""
        self._changed = {}
