"""The operations `runs.*`: list, read and cancel what the caller may read."""

from dataclasses import dataclass

from instar.base.errors import InstarError
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller
from instar.hub.rooms.directory import Directory
from instar.hub.rooms.state import RoomState
from instar.store.seam import Store
from instar.wire import runs as wire
from instar.wire.runs import CancelRun, Run, RunList, RunQuery, RunRef, RunState

from . import records
from .hosting import Hosting
from .records import RunRecord

_NEWEST = 2**62
_PAGES_MAX = 20
"""Pages that one list reads at most, when most runs are in rooms that the caller may not read."""


@dataclass(frozen=True, slots=True)
class LocatedRun:
    """A run with its room: what `may` decides on."""

    record: RunRecord
    room: RoomState

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.id

    @property
    def agent_id(self) -> str:
        """The agent that it wakes."""
        return self.record.agent_id


class RunHandlers:
    """Answers `runs.*`."""

    def __init__(self, store: Store, directory: Directory, hosting: Hosting) -> None:
        self._store = store
        self._directory = directory
        self._hosting = hosting

    def bindings(self) -> Bindings:
        """Return the operations of runs."""
        return (
            bind(wire.LIST, self.list_runs),
            bind(wire.GET, self.get, self.locate),
            bind(wire.CANCEL, self.cancel, self.locate),
        )

    async def locate(self, caller: Caller, params: RunRef | CancelRun) -> LocatedRun:  # noqa: ARG002 - the shape of Locate
        """Find a run.

        Raises:
            InstarError: `not_found`.
        """
        record = await self._find(params.run_id)
        room = self._directory.at(record.room, record.item_seq) if record else None
        if record is None or room is None:
            raise missing("run", params.run_id)
        return LocatedRun(record, room)

    async def get(self, act: Act[RunRef, LocatedRun]) -> Run:
        """Read one run; while it is under way, as far as it has come."""
        return (self._hosting.live(act.object.record.id) or act.object.record).view()

    async def list_runs(self, act: Act[RunQuery, None]) -> RunList:
        """Return runs, newest first, of rooms that the caller reads.

        Raises:
            InstarError: `unknown_cursor` when `before` names no run.
        """
        query = act.params
        created_before, before = _NEWEST, ""
        if query.before:
            cursor = await self._find(query.before)
            if cursor is None or not self._reads(act.caller, cursor):
                raise InstarError("unknown_cursor", f"there is no run {query.before!r}")
            created_before, before = cursor.created_at, cursor.id
        found: list[RunRecord] = []
        for _ in range(_PAGES_MAX):
            page = await self._page(query, created_before, before)
            found.extend(record for record in page if self._reads(act.caller, record))
            if len(found) > query.limit or len(page) <= query.limit:
                break
            created_before, before = page[-1].created_at, page[-1].id
        return RunList([record.view() for record in found[: query.limit]], len(found) > query.limit)

    async def cancel(self, act: Act[CancelRun, LocatedRun]) -> Run:
        """Cancel a run and answer when it has ended; what it has said so far is in its last event.

        Raises:
            InstarError: `conflict` when it has ended otherwise.
        """
        reason = act.params.reason or f"cancelled by {act.caller.principal.id}"
        ended = await self._hosting.cancel(act.object.record, reason)
        if ended.state is not RunState.CANCELLED:
            raise InstarError(
                "conflict", f"run {ended.id!r} has ended before: {ended.state}", hint="There is nothing to cancel."
            )
        return ended.view()

    async def _page(self, query: RunQuery, created_before: int, before: str) -> list[RunRecord]:
        return await self._store.read(
            lambda reader: records.page(
                reader,
                agent_id=query.agent_id,
                state=query.state or "",
                created_before=created_before,
                before=before,
                limit=query.limit + 1,
            )
        )

    async def _find(self, run_id: str) -> RunRecord | None:
        return await self._store.read(lambda reader: records.find(reader, run_id))

    def _reads(self, caller: Caller, record: RunRecord) -> bool:
        room = self._directory.at(record.room, record.item_seq)
        return room is not None and self._directory.may_read(caller, room)
