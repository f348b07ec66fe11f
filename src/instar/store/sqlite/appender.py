"""Appending within the writer's transaction: numbers, chains, guards and idempotency."""

from collections.abc import Sequence
from hashlib import sha256

from instar.base.errors import InstarError
from instar.store.log import COLUMNS, event_of
from instar.store.seam import Appended, AppendResult, Conflict, Draft, Guard, GuardFailed, Value
from instar.wire.events import Event, envelope_chain

from .connections import Database, is_batch_fault
from .heads import Head, Heads, Key
from .statements import ROWS_PER_STATEMENT, many

GUARDED_TABLES = {"rooms": "SELECT revision FROM rooms WHERE org = ?1 AND key = ?2"}
"""What a `Guard` may name: its table, and how the revision of a key is read."""

_COLUMNS = "seq, prev, org, room, id, type, actor, created_at, payload, digest, chain, content"
_INSERTS = many(f"INSERT INTO events ({_COLUMNS})", 12, "ON CONFLICT (org, id) DO NOTHING")
_UNDO = "DELETE FROM events WHERE seq BETWEEN ?1 AND ?2"
_FIRST = f"SELECT {COLUMNS}, content FROM events WHERE org = ?1 AND id = ?2"  # noqa: S608
_LAST_SEQ = "SELECT MAX((SELECT COALESCE(MAX(seq), 0) FROM events), (SELECT COALESCE(MAX(seq), 0) FROM heads))"

Outcome = AppendResult | BaseException


def last_seq_of(connection: Database) -> int:
    """Return the greatest `seq` ever given, 0 for an empty log."""
    row = connection.execute(_LAST_SEQ).fetchone()
    return int(row[0]) if row else 0


class Appender:
    """Turns drafts into events in the writer's open transaction. No number is given twice, even after a rollback."""

    def __init__(self, connection: Database) -> None:
        self._connection = connection
        self._heads = Heads(connection)
        self._revisions: dict[tuple[str, str, str], int] = {}
        self.last_seq = last_seq_of(connection)
        self.events: list[Event] = []
        """What the open transaction has appended, in `seq` order."""

    def append(self, drafts: Sequence[Draft]) -> list[Outcome]:
        """Append drafts, one outcome each; an exception as outcome concerns only its draft.

        Raises:
            apsw.Error: The storage failed; the transaction must be rolled back.
        """
        outcomes: list[Outcome] = []
        at = 0
        while at < len(drafts):
            left = len(drafts) - at
            size = next(count for count in ROWS_PER_STATEMENT if count <= left)
            chunk = drafts[at : at + size]
            outcomes.extend(self._append_together(chunk) or [self._append_alone(draft) for draft in chunk])
            at += size
        return outcomes

    def _append_together(self, drafts: Sequence[Draft]) -> Sequence[Outcome] | None:
        """Append all drafts by one statement; None, and nothing done, when they are not all new and sound."""
        if len(drafts) == 1:
            return None
        first = self.last_seq + 1
        changed: dict[Key, Head] = {}
        values: list[Value] = []
        try:
            if any(draft.guards and self._broken_guard(draft) for draft in drafts):
                return None
            events = [self._number(draft, changed, values) for draft in drafts]
            self._connection.execute(_INSERTS[len(drafts)], values)
            if self._connection.changes() != len(drafts):
                self._connection.execute(_UNDO, (first, self.last_seq))
                return None
        except Exception as error:
            if is_batch_fault(error):
                raise
            return None
        self._keep(events, changed)
        return [Appended(event) for event in events]

    def _append_alone(self, draft: Draft) -> Outcome:
        changed: dict[Key, Head] = {}
        values: list[Value] = []
        try:
            if draft.guards and (broken := self._broken_guard(draft)):
                return GuardFailed(broken)
            event = self._number(draft, changed, values)
            self._connection.execute(_INSERTS[1], values)
            if self._connection.changes() == 0:
                return self._compare(draft)
        except InstarError as error:
            return error
        except Exception as error:
            if is_batch_fault(error):
                raise
            return InstarError("internal_error", f"the event {draft.id!r} cannot be stored ({error})")
        self._keep([event], changed)
        return Appended(event)

    def _number(self, draft: Draft, changed: dict[Key, Head], values: list[Value]) -> Event:
        """Make the event that follows its room's head, with its row's values."""
        key = (draft.org, draft.room)
        prev, before, messages, last_message_at = changed.get(key) or self._heads.get(key)
        self.last_seq = seq = self.last_seq + 1
        payload, at = draft.payload, draft.created_at
        digest = sha256(payload).digest()
        chain = envelope_chain(before, draft.id, draft.room, draft.type, draft.actor, at, digest)
        if draft.counted:
            messages, last_message_at = messages + 1, at
        changed[key] = Head(seq, chain, messages, last_message_at)
        content = sha256(draft.content).digest() if draft.content else b""
        row = (seq, prev, draft.org, draft.room, draft.id, draft.type, draft.actor, at, payload, digest, chain)
        values.extend(row)
        values.append(content)
        return Event(*row)

    def _keep(self, events: list[Event], changed: dict[Key, Head]) -> None:
        self._heads.change(changed)
        self.events.extend(events)

    def _compare(self, draft: Draft) -> AppendResult:
        """Return what a draft whose id is taken comes to."""
        rows = self._connection.execute(_FIRST, (draft.org, draft.id)).fetchall()
        first, content = event_of(rows[0][:-1]), rows[0][-1]
        same_place = first.room == draft.room and first.type == draft.type
        if same_place and (content or first.digest) == sha256(draft.content or draft.payload).digest():
            return Appended(first, is_duplicate=True)
        return Conflict(first)

    def _broken_guard(self, draft: Draft) -> Guard | None:
        for guard in draft.guards:
            key = (draft.org, guard.table, guard.key)
            revision = self._revisions.get(key)
            if revision is None:
                if guard.table not in GUARDED_TABLES:
                    raise InstarError("internal_error", f"table {guard.table!r} cannot guard an append")
                row = self._connection.execute(GUARDED_TABLES[guard.table], (draft.org, guard.key)).fetchone()
                revision = self._revisions[key] = row[0] if row else 0
            if revision != guard.revision:
                return guard
        return None

    def forget_revisions(self) -> None:
        """Read guarded rows anew: other work of this transaction may have changed them."""
        self._revisions = {}

    def mark(self) -> tuple[int, dict[Key, Head]]:
        """Return what `rewind` goes back to."""
        return len(self.events), self._heads.mark()

    def rewind(self, mark: tuple[int, dict[Key, Head]]) -> None:
        """Forget what was appended since `mark`; the savepoint has undone it in the tables."""
        count, heads = mark
        del self.events[count:]
        self._heads.rewind(heads)

    def commit(self) -> tuple[Event, ...]:
        """Return the events of the transaction, which is now on disk."""
        self._heads.commit()
        return self._end()

    def rollback(self) -> None:
        """Forget the transaction."""
        self._heads.rollback()
        self._end()

    def _end(self) -> tuple[Event, ...]:
        events, self.events, self._revisions = tuple(self.events), [], {}
        return events
