"""A page of the calls that a caller may read, found at a bounded cost among those that it may not."""

from collections.abc import Callable
from typing import NamedTuple

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.principals import Caller
from instar.wire.calls import CallList, CallQuery, CallState
from instar.wire.limits import CALLS_SCAN_MAX

from . import records
from .records import CallRecord
from .stage import Stage

_SCAN_PAGE = 250
"""Rows that are read at once, after a first page that had too few for this caller."""
_TIME = "at:"
"""Begins a cursor that is a time: it names no call, as the one where the page ends may be hidden from its reader."""


class _Place(NamedTuple):
    """Where in the list a page begins: after this call, of which all that is later is left out."""

    created_at: int
    id: str


class Listing:
    """The handler of `calls.list`.

    Args:
        stage: The shared parts.
        reads: Whether a caller may read a call.
    """

    def __init__(self, stage: Stage, reads: Callable[[Caller, CallRecord], bool]) -> None:
        self._stage = stage
        self._reads = reads

    async def list(self, act: Act[CallQuery, None]) -> CallList:
        """Return calls that the caller may read, newest first.

        At most `CALLS_SCAN_MAX` rows are looked at; a page may so be short or empty, and `next_before` goes on.

        Raises:
            InstarError: `unknown_cursor` when `before` is none.
        """
        query, found = act.params, list[CallRecord]()
        place, scanned, size = await self._begin(act.caller, query.before), 0, query.limit + 1
        while True:
            page = await self._page(query, place, size)
            scanned += len(page)
            found.extend(record for record in page if self._reads(act.caller, record))
            if len(found) > query.limit:
                shown = found[: query.limit]
                return self._answer(shown, shown[-1].id)
            if len(page) < size:
                return self._answer(found, "")
            place = _Place(page[-1].created_at, page[-1].id)
            if scanned >= CALLS_SCAN_MAX:
                # The next page begins with all of this moment, so this one leaves it out.
                shown = [record for record in found if record.created_at > place.created_at]
                return self._answer(shown, f"{_TIME}{place.created_at}")
            size = max(size, _SCAN_PAGE)

    async def _begin(self, caller: Caller, before: str) -> _Place:
        if not before:
            return _Place(records.NEWEST, "")
        if before.startswith(_TIME):
            digits = before.removeprefix(_TIME)
            if digits.isascii() and digits.isdigit() and len(digits) < len(str(records.NEWEST)):
                return _Place(int(digits) + 1, "")
        cursor = await self._stage.store.read(lambda reader: records.find(reader, before))
        if cursor is not None and self._reads(caller, cursor):
            return _Place(cursor.created_at, cursor.id)
        raise InstarError("unknown_cursor", f"there is no call {before!r}")

    def _answer(self, shown: "list[CallRecord]", next_before: str) -> CallList:
        living = self._stage.living
        views = [living[each.id].view() if each.id in living else each.view() for each in shown]
        return CallList(views, bool(next_before), next_before)

    async def _page(self, query: CallQuery, place: _Place, limit: int) -> "list[CallRecord]":
        state = CallState.DISPATCHED if query.state is CallState.STREAMING else query.state
        known = self._stage.targets.find(query.target) if query.target else None
        target = known.id if known else query.target
        return await self._stage.store.read(
            lambda reader: records.page(
                reader,
                room=query.room,
                target=target,
                state=state or "",
                is_live=query.live,
                created_before=place.created_at,
                before=place.id,
                limit=limit,
            )
        )
