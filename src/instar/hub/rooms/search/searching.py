"""The handler of searches: only in rooms that the caller reads, and messages as they are now."""

from collections.abc import Mapping, Sequence

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.authority import Authority
from instar.hub.rooms.directory import Directory
from instar.hub.rooms.folding import fold_all
from instar.hub.rooms.participants import canonical_member
from instar.store.log import by_id
from instar.store.seam import Reader, Store
from instar.wire.events import RoomKey, message_event_id
from instar.wire.messages import SearchHit, SearchQuery, SearchResult
from instar.wire.names import Network, room_key
from instar.wire.rooms import RoomKind

from .file import Found, Wanted
from .index import SearchIndex
from .query import to_fts5


class Searching:
    """Answers searches from the index and the log."""

    def __init__(
        self, store: Store, directory: Directory, authority: Authority, network: Network, index: SearchIndex
    ) -> None:
        self._store = store
        self._directory = directory
        self._authority = authority
        self._network = network
        self._index = index

    async def search(self, act: Act[SearchQuery, None]) -> SearchResult:
        """Return hits, newest first. A message sent a moment ago may be missing: see `indexed_seq`.

        Raises:
            InstarError: `unprocessable_entity` (no word, malformed sender), `not_found` (the conversation named).
        """
        query = act.params
        rooms, hidden = self._rooms(act)
        sender = canonical_member(query.from_, self._network.id) if query.from_ else ""
        match = to_fts5(query.q)
        found: list[Found] = []
        if rooms is None or rooms:
            found = await self._index.search(Wanted(match, rooms, hidden, sender, query.before, query.limit + 1))
        hits = await self._store.read(lambda reader: _hits(reader, found[: query.limit], self._directory.begun_anew))
        return SearchResult(hits, len(found) > query.limit, self._index.indexed_seq)

    def _rooms(self, act: Act[SearchQuery, None]) -> tuple[Sequence[RoomKey] | None, Sequence[RoomKey]]:
        """Return the rooms to search, or None with those to leave out."""
        query = act.params
        named = [
            room_key(kind, room_id)
            for kind, room_id in (
                (RoomKind.ROOM, query.room_id),
                (RoomKind.THREAD, query.thread_id),
                (RoomKind.DM, query.dm_id),
                (RoomKind.SESSION, query.session_id),
            )
            if room_id
        ]
        for key in named:
            room = self._directory.get(key)
            if room is None or not self._directory.may_read(act.caller, room):
                raise InstarError("not_found", f"there is no {key}")
        if named:
            return named, ()
        readable = self._directory.readable(act.caller)
        return (None if readable is None else sorted(readable)), sorted(self._directory.removed())


async def _hits(reader: Reader, found: Sequence[Found], begun_anew: Mapping[RoomKey, int]) -> list[SearchHit]:
    hits: list[SearchHit] = []
    for hit in found:
        event = await by_id(reader, message_event_id(hit.id))
        # Erased, or in a session that began anew, since it was indexed: the excerpt must not outlive it.
        if event is None or event.redacted or event.seq <= begun_anew.get(event.room, 0):
            continue
        (message,) = await fold_all(reader, [event])
        hits.append(SearchHit(message, hit.excerpt))
    return hits
