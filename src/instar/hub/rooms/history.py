"""Pages of a conversation's messages, by keyset over the log (Moltnet http.v1 §2.3)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from instar.hub.act import Act
from instar.store.log import before, by_id, page_after
from instar.store.seam import Reader, Store
from instar.wire.events import Event, RoomKey, message_event_id
from instar.wire.messages import MessagePage, Page, PageQuery
from instar.wire.rooms import RoomKind
from instar.wire.sessions import as_direct

from .folding import fold_all
from .paging import check_cursors, limit_of, unknown_cursor
from .state import RoomState

KIND = "message.created"
_SEQ_DIGITS = 18
_END = 2**62
"""A `seq` past every event."""


class History:
    """Handlers of the message lists; a thread's messages are not among its room's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(self, act: Act[Any, RoomState]) -> MessagePage:
        """Return a page in ascending order. No cursor: the latest; `before`: the older ones; `after`: the newer ones.

        Raises:
            InstarError: `unprocessable_entity` for two cursors, or one that is no message of this conversation.
        """
        query: PageQuery = act.params
        check_cursors(query)
        room, limit = act.object, limit_of(query)

        async def read(reader: Reader) -> MessagePage:
            events, page = await _window(reader, room, query, limit)
            return MessagePage(await fold_all(reader, events), page)

        return await self._store.read(read)

    async def direct(self, act: Act[Any, RoomState]) -> MessagePage:
        """Return a page of a direct conversation, or of the session that its id stands for; see `page`."""
        found = await self.page(act)
        if act.object.kind is not RoomKind.SESSION:
            return found
        told = [msgspec.structs.replace(message, target=as_direct(message.target)) for message in found.messages]
        return MessagePage(told, found.page)


async def _window(reader: Reader, room: RoomState, query: PageQuery, limit: int) -> tuple[Sequence[Event], Page]:
    key = room.key
    if query.after:
        seq = max(await position_of(reader, key, query.after), room.begins_after)
        events = await page_after(reader, key, seq, limit + 1, kind=KIND)
        has_more, events = len(events) > limit, events[:limit]
        return events, Page(has_more, next_after=_message_id(events[-1]) if has_more else "")
    seq = await position_of(reader, key, query.before) if query.before else _END
    older = await before(reader, seq, limit + 1, rooms=[key], kind=KIND)
    events = [event for event in older if event.seq > room.begins_after]
    has_more, events = len(events) > limit, events[-limit:]
    return events, Page(has_more, next_before=_message_id(events[0]) if has_more else "")


async def position_of(reader: Reader, key: RoomKey, cursor: str) -> int:
    """Return the `seq` that a cursor stands for: a message id of this conversation, or a decimal `seq`.

    Raises:
        InstarError: `unprocessable_entity` for a message of another conversation, or an unknown one.
    """
    event = await by_id(reader, message_event_id(cursor))
    if event is not None and event.room == key:
        return event.seq
    if event is None and cursor.isascii() and cursor.isdigit() and len(cursor) <= _SEQ_DIGITS:
        return int(cursor)
    raise unknown_cursor(cursor)


class _MessageId(msgspec.Struct):
    id: str


_ID = msgspec.json.Decoder(_MessageId)


def _message_id(event: Event) -> str:
    return _ID.decode(event.payload).id
