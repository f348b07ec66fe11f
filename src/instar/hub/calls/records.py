"""A call as its row and its events hold it."""

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from instar.base.clock import Micros, to_rfc3339
from instar.base.ids import new_id
from instar.store.seam import HOME, Appended, Draft, Reader, Row, Transaction
from instar.wire.calls import Call, CallError, CallState, IfAway
from instar.wire.events import CALLS, RoomKey
from instar.wire.execution import Prepared, Sandbox, StreamEnd, Terminal

from .machine import ENDED, Move, moved

_COLUMNS = "id, state, room, requester, request, prepared, course, result, created_at, ended_at"
NEWEST = 2**62


class Request(Struct, frozen=True, omit_defaults=True):
    """What was asked for; it never changes."""

    tool: str
    args: Raw
    grant_id: str = ""
    """By whose right it runs: while it waits, that right must hold."""
    target: str = ""
    agent_id: str = ""
    run_id: str = ""
    cwd: str = ""
    env: dict[str, str] = {}
    timeout_s: float = 0.0
    """0: none."""
    terminal: Terminal | None = None
    has_input: bool = False
    is_background: bool = False
    if_away: IfAway = IfAway.FAIL
    sandbox: Sandbox | None = None
    reason: str = ""
    requester_name: str = ""
    ends_unwatched: bool = False

    @property
    def is_queued(self) -> bool:
        """Whether it outlasts its node's absence."""
        return self.if_away is IfAway.QUEUE or self.is_background


class Course(Struct, frozen=True, omit_defaults=True):
    """What became of it so far."""

    seq: int = 0
    """Of `call.admitted`: who reads its room as it was then sees the call."""
    target_id: str = ""
    target_name: str = ""
    routed_by: str = ""
    approval_id: str = ""
    approved_by: str = ""
    dispatched_at: int = 0
    deadline_at: int = 0
    has_run: bool = False
    exit_status: int | None = None
    signal: str = ""
    error: CallError | None = None
    streams: list[StreamEnd] = []


class CallRecord(Struct, frozen=True):
    """One row of table `calls`."""

    id: str
    state: CallState
    room: str
    """Key of its room; empty: its requester's own."""
    requester: str
    request: Request
    prepared: Prepared | None
    course: Course
    result: bytes
    """JSON of what a tool answered; empty: nothing."""
    created_at: Micros
    ended_at: Micros | None = None

    @property
    def is_ended(self) -> bool:
        """Whether it moves no more."""
        return self.state in ENDED

    @property
    def home(self) -> RoomKey:
        """The room of its events."""
        return RoomKey(self.room) if self.room else CALLS

    def after(self, move: Move, **course: object) -> "CallRecord":
        """Return the call after `move`, with these fields of its course changed.

        Raises:
            IllegalMoveError: The table has no such move.
        """
        return replace(self, state=moved(self.state, move), course=replace(self.course, **course))

    def view(self, *, is_brief: bool = False) -> Call:
        """Return the call as callers see it, or, brief, as its later events carry it: without what is long."""
        request, course, prepared = self.request, self.course, self.prepared
        return Call(
            id=self.id,
            tool=request.tool,
            state=self.state,
            created_at=to_rfc3339(self.created_at),
            requester=self.requester,
            args={} if is_brief else msgspec.json.decode(request.args),
            target_id=course.target_id,
            target_name=course.target_name,
            routed_by=course.routed_by,
            room=self.room,
            agent_id=request.agent_id,
            run_id=request.run_id,
            plan=None if is_brief or prepared is None else prepared.plan,
            digest=prepared.digest if prepared else "",
            approval_id=course.approval_id,
            approved_by=course.approved_by,
            has_run=course.has_run,
            dispatched_at=_text(course.dispatched_at),
            ended_at=_text(self.ended_at or 0),
            exit_status=course.exit_status,
            signal=course.signal,
            error=course.error,
            result=None if is_brief or not self.result else msgspec.json.decode(self.result),
            streams=course.streams,
            is_background=request.is_background,
            has_terminal=request.terminal is not None,
            ends_unwatched=request.ends_unwatched,
            if_away=request.if_away,
            deadline_at=_text(course.deadline_at),
        )


def _text(at: int) -> str:
    return to_rfc3339(Micros(at)) if at else ""


_request = msgspec.json.Decoder(Request).decode
_prepared = msgspec.json.Decoder(Prepared).decode
_course = msgspec.json.Decoder(Course).decode


def record_of(row: Row) -> CallRecord:
    """Return the call of a row with `_COLUMNS`."""
    call_id, state, room, requester, request, prepared, course, result, created_at, ended_at = row
    return CallRecord(
        call_id, CallState(state), room, requester, _request(request), _prepared(prepared) if prepared else None,
        _course(course), result.encode(), Micros(created_at), ended_at,
    )  # fmt: skip


def _json(value: Struct | None) -> str:
    return msgspec.json.encode(value).decode() if value is not None else ""


def event(kind: str, call: CallRecord, at: Micros, actor: str = "") -> Draft:
    """Return the event that says where a call stands; only `call.admitted` carries its arguments."""
    payload = msgspec.json.encode(call.view(is_brief=kind != "call.admitted"))
    return Draft(call.home, new_id("evt"), kind, payload, at, actor)


async def insert(tx: Transaction, call: CallRecord) -> CallRecord:
    """Write a new call and its event; return it with its place in the log."""
    appended = await tx.append(event("call.admitted", call, call.created_at, call.requester))
    if isinstance(appended, Appended):
        call = replace(call, course=replace(call.course, seq=appended.event.seq))
    await tx.execute(
        "INSERT INTO calls (org, id, state, room, requester, target, request, prepared, course, result, created_at,"
        " owed, has_output) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '', ?8, '', ?9, 0, 0)",
        HOME, call.id, call.state, call.room, call.requester, call.course.target_id, _json(call.request),
        _json(call.course), call.created_at,
    )  # fmt: skip
    return call


async def put(tx: Transaction, call: CallRecord) -> bool:
    """Write how far a call has come with what would run; False: it was sent or has ended, and nothing was written."""
    changed = await tx.execute(
        "UPDATE calls SET state = ?3, target = ?4, prepared = ?5, course = ?6 WHERE org = ?1 AND id = ?2"
        " AND state IN ('admitted', 'awaiting_approval')",
        HOME, call.id, call.state, call.course.target_id, _json(call.prepared), _json(call.course),
    )  # fmt: skip
    return bool(changed)


async def dispatch(tx: Transaction, call: CallRecord) -> bool:
    """Write that a call's executor is about to be told, with its event; False: it was sent or has ended before."""
    if not await put(tx, call):
        return False
    await tx.append(event("call.dispatched", call, Micros(call.course.dispatched_at)))
    return True


async def end(tx: Transaction, call: CallRecord, *, is_owed: bool) -> bool:
    """Write the end of a call and its event; False: it has ended before, and nothing was written."""
    changed = await tx.execute(
        "UPDATE calls SET state = ?3, course = ?4, result = ?5, ended_at = ?6, owed = ?7, has_output = ?8"
        " WHERE org = ?1 AND id = ?2 AND ended_at IS NULL",
        HOME, call.id, call.state, _json(call.course), call.result.decode(), call.ended_at, int(is_owed),
        int(any(stream.size_bytes for stream in call.course.streams)),
    )  # fmt: skip
    if changed:
        await tx.append(event("call.ended", call, call.ended_at or call.created_at))
    return bool(changed)


async def find(reader: Reader, call_id: str) -> CallRecord | None:
    """Return one call, or None."""
    row = await reader.row(f"SELECT {_COLUMNS} FROM calls WHERE org = ?1 AND id = ?2", HOME, call_id)  # noqa: S608
    return record_of(row) if row else None


async def living(reader: Reader) -> list[CallRecord]:
    """Return every call that has not ended, oldest first."""
    sql = f"SELECT {_COLUMNS} FROM calls WHERE org = ?1 AND ended_at IS NULL ORDER BY created_at, id"  # noqa: S608
    return [record_of(row) for row in await reader.rows(sql, HOME)]


async def page(
    reader: Reader, *, room: str, target: str, state: str, is_live: bool, created_before: int, before: str, limit: int
) -> list[CallRecord]:
    """Return calls older than `(created_before, before)`, newest first; empty strings filter nothing."""
    rows = await reader.rows(
        f"SELECT {_COLUMNS} FROM calls WHERE org = ?1 AND (?2 = '' OR room = ?2) AND (?3 = '' OR target = ?3)"  # noqa: S608
        " AND (?4 = '' OR state = ?4) AND (?5 = 0 OR ended_at IS NULL)"
        " AND (created_at < ?6 OR (created_at = ?6 AND id < ?7)) ORDER BY created_at DESC, id DESC LIMIT ?8",
        HOME, room, target, state, int(is_live), created_before, before, limit,
    )  # fmt: skip
    return [record_of(row) for row in rows]


async def owed(reader: Reader) -> list[tuple[str, str]]:
    """Return target and id of the calls that ended here while their executor was away."""
    rows = await reader.rows("SELECT target, id FROM calls WHERE org = ?1 AND owed = 1", HOME)
    return [(target, call_id) for target, call_id in rows]


async def paid(tx: Transaction, call_id: str) -> None:
    """Note that the executor knows of the call's end."""
    await tx.execute("UPDATE calls SET owed = 0 WHERE org = ?1 AND id = ?2", HOME, call_id)


async def forgive(tx: Transaction, target_id: str) -> None:
    """Note that a target will not be told of any call's end."""
    await tx.execute("UPDATE calls SET owed = 0 WHERE org = ?1 AND target = ?2 AND owed = 1", HOME, target_id)


async def kept_until(reader: Reader, before: Micros, limit: int) -> list[str]:
    """Return ended calls whose stored output is older than this."""
    rows = await reader.rows(
        "SELECT id FROM calls WHERE org = ?1 AND has_output = 1 AND ended_at < ?2 ORDER BY ended_at LIMIT ?3",
        HOME, before, limit,
    )  # fmt: skip
    return [call_id for (call_id,) in rows]


async def swept(tx: Transaction, call_id: str) -> None:
    """Note that the stored output of a call is gone."""
    await tx.execute("UPDATE calls SET has_output = 0 WHERE org = ?1 AND id = ?2", HOME, call_id)


async def has_output(reader: Reader, call_id: str) -> bool:
    """Whether stored output of an ended call is kept still."""
    row = await reader.row("SELECT has_output FROM calls WHERE org = ?1 AND id = ?2", HOME, call_id)
    return bool(row and row[0])
