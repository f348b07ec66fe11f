"""A run as it is stored: its row, its moves, and the fence that keeps a worker that lost it from writing."""

from msgspec import Struct
from msgspec.structs import replace

from instar.base.clock import Micros, to_rfc3339
from instar.store.seam import HOME, Reader, Row, Transaction
from instar.wire.events import RoomKey
from instar.wire.runs import Run, RunState

from .machine import ENDED, Move, moved

_COLUMNS = (
    "id, agent, room, state, cause, item_seq, message_id, attempt, fence, lease_until, partial, error, created_at,"
    " started_at, ended_at"
)


class LeaseLostError(Exception):
    """The run belongs to another worker, or has ended: whoever sees this must write nothing more of it."""


class RunRecord(Struct, frozen=True):
    """One row of table `runs`."""

    id: str
    agent_id: str
    room: RoomKey
    state: RunState
    cause: str
    item_seq: int
    message_id: str
    attempt: int
    fence: int
    lease_until: Micros
    partial: str
    error: str
    created_at: Micros
    started_at: Micros | None = None
    ended_at: Micros | None = None

    @property
    def is_ended(self) -> bool:
        """Whether it moves no more."""
        return self.state in ENDED

    def after(self, move: Move) -> "RunRecord":
        """Return the run after `move`.

        Raises:
            IllegalMoveError: The table has no such move.
        """
        state = moved(self.state, move)
        return self if state is self.state else replace(self, state=state)

    def leased(self, at: Micros, until: Micros) -> "RunRecord":
        """Return the run in the hands of a new worker: whoever held it before can write no more."""
        return replace(self.after(Move.LEASE), fence=self.fence + 1, lease_until=until, started_at=at)

    def ended(self, move: Move, at: Micros, *, partial: str = "", error: str = "") -> "RunRecord":
        """Return the run at its end."""
        return replace(self.after(move), partial=partial, error=error, ended_at=at)

    def view(self) -> Run:
        """Return the run as callers see it."""
        return Run(
            id=self.id,
            agent_id=self.agent_id,
            room=self.room,
            state=self.state,
            created_at=to_rfc3339(self.created_at),
            cause=self.cause,
            item_seq=self.item_seq,
            message_id=self.message_id,
            attempt=self.attempt,
            started_at=to_rfc3339(self.started_at) if self.started_at else "",
            ended_at=to_rfc3339(self.ended_at) if self.ended_at else "",
            error=self.error,
            partial=self.partial,
        )


def record_of(row: Row) -> RunRecord:
    """Return the run of a row with `_COLUMNS`."""
    run_id, agent_id, room, state, *rest = row
    return RunRecord(run_id, agent_id, RoomKey(room), RunState(state), *rest)


async def insert(tx: Transaction, run: RunRecord) -> None:
    """Write a new run."""
    await tx.execute(
        f"INSERT INTO runs (org, {_COLUMNS})"  # noqa: S608 - a constant
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        HOME,
        run.id,
        run.agent_id,
        run.room,
        run.state,
        run.cause,
        run.item_seq,
        run.message_id,
        run.attempt,
        run.fence,
        run.lease_until,
        run.partial,
        run.error,
        run.created_at,
        run.started_at,
        run.ended_at,
    )


async def write(tx: Transaction, run: RunRecord, fence: int) -> None:
    """Write a run's present state, if `fence` is still the one that holds it and it has not ended.

    Raises:
        LeaseLostError: It is another's, or ended; nothing was written.
    """
    changed = await tx.execute(
        "UPDATE runs SET state = ?4, fence = ?5, lease_until = ?6, partial = ?7, error = ?8, started_at = ?9,"
        " ended_at = ?10 WHERE org = ?1 AND id = ?2 AND fence = ?3 AND state NOT IN ('done', 'failed', 'cancelled')",
        HOME,
        run.id,
        fence,
        run.state,
        run.fence,
        run.lease_until,
        run.partial,
        run.error,
        run.started_at,
        run.ended_at,
    )
    if not changed:
        raise LeaseLostError(run.id)


async def find(reader: Reader, run_id: str) -> RunRecord | None:
    """Return one run, or None."""
    row = await reader.row(f"SELECT {_COLUMNS} FROM runs WHERE org = ?1 AND id = ?2", HOME, run_id)  # noqa: S608
    return record_of(row) if row else None


async def open_runs(reader: Reader) -> list[RunRecord]:
    """Return every run that has not ended, oldest first."""
    rows = await reader.rows(
        f"SELECT {_COLUMNS} FROM runs WHERE org = ?1 AND state NOT IN ('done', 'failed', 'cancelled')"  # noqa: S608
        " ORDER BY created_at, id",
        HOME,
    )
    return [record_of(row) for row in rows]


async def caused_by(reader: Reader, cause: str) -> list[RunRecord]:
    """Return the runs that an event caused, oldest first."""
    rows = await reader.rows(
        f"SELECT {_COLUMNS} FROM runs WHERE org = ?1 AND cause = ?2 ORDER BY created_at, attempt, id",  # noqa: S608
        HOME,
        cause,
    )
    return [record_of(row) for row in rows]


async def attempts(reader: Reader, agent_id: str, item_seq: int) -> int:
    """Return how often this inbox item was run."""
    row = await reader.row(
        "SELECT MAX(attempt) FROM runs WHERE org = ?1 AND agent = ?2 AND item_seq = ?3", HOME, agent_id, item_seq
    )
    return (row[0] or 0) if row else 0


async def page(
    reader: Reader, *, agent_id: str, state: str, created_before: int, before: str, limit: int
) -> list[RunRecord]:
    """Return runs older than `(created_before, before)`, newest first; empty strings filter nothing."""
    rows = await reader.rows(
        f"SELECT {_COLUMNS} FROM runs WHERE org = ?1 AND (?2 = '' OR agent = ?2) AND (?3 = '' OR state = ?3)"  # noqa: S608
        " AND (created_at < ?4 OR (created_at = ?4 AND id < ?5)) ORDER BY created_at DESC, id DESC LIMIT ?6",
        HOME,
        agent_id,
        state,
        created_before,
        before,
        limit,
    )
    return [record_of(row) for row in rows]
