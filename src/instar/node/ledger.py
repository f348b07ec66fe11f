"""What this node knows of calls, on disk: each call id starts at most once, whatever is cut, killed or repeated.

That a call has begun is committed before anything of it runs, and outlasts the node's being killed. How it ended is
written soon after; a node that is killed in between says `lost`, which is the truth. A commit does not wait for the
disk, which would cost more than many a call: when the machine itself went down with the ledger open, calls that it does
not know may have begun all the same, and it says `lost` of those as well (`is_doubtful`).
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import apsw
import msgspec

from instar.base import clock
from instar.base.errors import InstarError
from instar.wire.execution import Ended, Outcome
from instar.wire.limits import NODE_LEDGER_KEEP_S

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    call_id TEXT PRIMARY KEY, tool TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER,
    outcome BLOB, is_settled INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boots (boot_id TEXT NOT NULL, is_closed INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS calls_unsettled ON calls (call_id) WHERE is_settled = 0;
"""
_LATER_S = 0.05
"""What need not be on disk before the next step waits so long for company."""
_TRIM_EVERY = 3_600 * clock.MICROS_PER_S
_LOST = "the node was stopped while the call ran; its processes were killed"
_outcome = msgspec.json.Decoder(Outcome).decode


class _Database(Protocol):
    """The part of `apsw.Connection` that is used here; APSW's own types are unknown to a checker on Python 3.11."""

    def execute(self, statements: str, bindings: Sequence[object] = ()) -> Iterable[tuple[Any, ...]]: ...
    def pragma(self, name: str, value: str) -> object: ...
    def set_busy_timeout(self, milliseconds: int) -> None: ...
    def changes(self) -> int: ...
    def close(self) -> None: ...
    def __enter__(self) -> object: ...
    def __exit__(self, *_: object) -> object: ...


_Later = tuple[str, tuple[object, ...]]
"""A statement that need not be on disk at once."""


class _Begin(NamedTuple):
    call_id: str
    tool: str
    answer: asyncio.Future[bool]


class Ledger:
    """The table of calls. One event loop uses it; commits are made in a thread of its own.

    Args:
        path: The file; its folder must be there.

    Raises:
        InstarError: `conflict` when another node has it open, `internal_error` when it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._db = cast("_Database", apsw.Connection(str(path)))
            self._db.set_busy_timeout(0)
            self._db.pragma("locking_mode", "exclusive")
            self._db.pragma("journal_mode", "wal")
            self._db.pragma("synchronous", "full")
            self._db.execute(_SCHEMA)
        except apsw.BusyError as error:
            raise InstarError(
                "conflict", f"another node has {path} open", hint="Stop it first: `instar node status`."
            ) from error
        except apsw.Error as error:
            raise InstarError("internal_error", f"the node's ledger {path} cannot be opened: {error}") from error
        path.chmod(0o600)
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._begins: list[_Begin] = []
        self._later: list[_Later] = []
        self._urgent = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.is_doubtful = self._boot()
        """Whether a call that it does not know may have begun before the machine went down."""
        self._trim_at = 0
        self._known = self._load()

    def _boot(self) -> bool:
        """Note that the ledger is open, on disk; return whether the machine went down while it was."""
        boot_id = _boot_id()
        known = [tuple(row) for row in self._db.execute("SELECT boot_id, is_closed FROM boots")]
        with self._db:
            self._db.execute("DELETE FROM boots")
            self._db.execute("INSERT INTO boots (boot_id, is_closed) VALUES (?1, 0)", (boot_id,))
        if boot_id:
            self._db.pragma("synchronous", "normal")
        return any(before != boot_id and not is_closed for before, is_closed in known)

    def _load(self) -> dict[str, Outcome | None]:
        """Return the unsettled calls; those that ran when the node ended are lost from now on."""
        now = clock.now()
        for call_id, started_at in list(
            self._db.execute("SELECT call_id, started_at FROM calls WHERE outcome IS NULL AND is_settled = 0")
        ):
            outcome = Outcome(call_id, Ended.LOST, message=_LOST, duration_s=(now - started_at) / clock.MICROS_PER_S)
            self._db.execute(
                "UPDATE calls SET outcome = ?2, ended_at = ?3 WHERE call_id = ?1",
                (call_id, msgspec.json.encode(outcome), now),
            )
        self._trim(now)
        rows = self._db.execute("SELECT call_id, outcome FROM calls WHERE is_settled = 0")
        return {call_id: _outcome(outcome) for call_id, outcome in rows}

    def unsettled(self) -> list[Outcome]:
        """Return the outcomes that the hub has not confirmed."""
        return [outcome for outcome in self._known.values() if outcome is not None]

    async def begin(self, call_id: str, tool: str) -> bool:
        """Note on disk that a call starts; return False when it was started before.

        Raises:
            InstarError: `internal_error` when the disk does not take it; then the call must not run.
        """
        if call_id in self._known:
            return False
        self._known[call_id] = None
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._begins.append(_Begin(call_id, tool, answer))
        self._urgent.set()
        self._work()
        is_new = False
        try:
            is_new = await answer
        finally:
            if not is_new:
                self._known.pop(call_id, None)
        return is_new

    def end(self, outcome: Outcome) -> None:
        """Note how a call ended; it is on disk a moment later."""
        if outcome.call_id in self._known:
            self._known[outcome.call_id] = outcome
            params = (outcome.call_id, msgspec.json.encode(outcome), clock.now())
            self._defer("UPDATE calls SET outcome = ?2, ended_at = ?3 WHERE call_id = ?1", params)

    def settle(self, call_id: str) -> None:
        """Note that the hub has the outcome: it is not told again."""
        if self._known.get(call_id) is not None:
            del self._known[call_id]
            self._defer("UPDATE calls SET is_settled = 1 WHERE call_id = ?1", (call_id,))

    async def find(self, call_id: str) -> Outcome | None:
        """Return how a call ended that this node ran at some time; None when it did not, or still runs."""
        if call_id in self._known:
            return self._known[call_id]
        later, self._later = self._later, []
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._find, call_id, later)
        except apsw.Error as error:
            self._later = later + self._later
            raise InstarError("internal_error", f"the node's ledger cannot be read: {error}") from error

    def _find(self, call_id: str, later: Sequence[_Later]) -> Outcome | None:
        if later:
            self._commit([], later)
        for (outcome,) in self._db.execute("SELECT outcome FROM calls WHERE call_id = ?1", (call_id,)):
            return None if outcome is None else _outcome(outcome)
        return None

    async def close(self) -> None:
        """Write what waits and close the file."""
        self._urgent.set()
        if self._task is not None:
            await self._task
        last: list[_Begin] = []
        await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, last, self._later)
        self._thread.shutdown()
        self._db.pragma("synchronous", "full")
        self._db.execute("UPDATE boots SET is_closed = 1")
        self._db.close()

    def _defer(self, statement: str, params: tuple[object, ...]) -> None:
        self._later.append((statement, params))
        self._work()

    def _work(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write(), name="ledger")

    async def _write(self) -> None:
        """Commit whatever waits until nothing does."""
        loop = asyncio.get_running_loop()
        while self._begins or self._later:
            if not self._begins:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._urgent.wait(), _LATER_S)
            self._urgent.clear()
            begins, self._begins = self._begins, []
            later, self._later = self._later, []
            try:
                fresh = await loop.run_in_executor(self._thread, self._commit, begins, later)
            except apsw.Error as error:
                self._later = later + self._later
                failure = InstarError("internal_error", f"the node's ledger cannot be written: {error}")
                for begin in begins:
                    if not begin.answer.done():
                        begin.answer.set_exception(failure)
                if not begins:
                    return
            else:
                for begin, is_new in zip(begins, fresh, strict=True):
                    if not begin.answer.done():
                        begin.answer.set_result(is_new)

    def _commit(self, begins: Sequence[_Begin], later: Sequence[_Later]) -> list[bool]:
        now = clock.now()
        fresh: list[bool] = []
        if now >= self._trim_at:
            self._trim(now)
        with self._db:
            for begin in begins:
                self._db.execute(
                    "INSERT INTO calls (call_id, tool, started_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                    (begin.call_id, begin.tool, now),
                )
                fresh.append(self._db.changes() == 1)
            for statement, params in later:
                self._db.execute(statement, params)
        return fresh

    def _trim(self, now: clock.Micros) -> None:
        """Forget calls that ended long ago; look again in a while."""
        self._trim_at = now + _TRIM_EVERY
        self._db.execute("DELETE FROM calls WHERE ended_at < ?1", (now - int(NODE_LEDGER_KEEP_S * clock.MICROS_PER_S),))


def _boot_id() -> str:
    """Return what tells one run of the machine from the next; empty where it does not say: then commits wait."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
