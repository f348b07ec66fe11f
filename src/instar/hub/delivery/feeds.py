"""All open feeds: what each may read, and what changes or ends it."""

from collections.abc import Callable, Sequence

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.bus.fanout import Fanout, Pump, R, Renderer
from instar.hub.identity.authority import Authority
from instar.hub.identity.principals import Caller
from instar.hub.rooms.directory import Directory
from instar.hub.rooms.state import RoomState
from instar.store import log
from instar.store.seam import Store
from instar.wire.events import Event
from instar.wire.limits import CATCH_UP_PAGE, SEND_BUFFER_MAX_BYTES

from .course import LogPage, Phase
from .feed import Feed, Sink


def cut(page: LogPage) -> LogPage:
    """Shorten a page of large events, so that one page never overfills a socket's buffer."""
    size_bytes = 0
    for index, event in enumerate(page.events):
        size_bytes += len(event.payload)
        if size_bytes > SEND_BUFFER_MAX_BYTES and index + 1 < len(page.events):
            return LogPage(page.events[: index + 1], event.seq, reached_end=False)
    return page


class Feeds:
    """Opens feeds, keeps their rooms true to what their callers may read, and ends them.

    A feed gains and loses rooms at the place in the log where the membership or visibility changed. Reading a removed
    room goes on: nothing follows its removal.

    Args:
        on_sent: Told of events that a feed sent from the log, not of live ones.
    """

    def __init__(
        self,
        store: Store,
        pump: Pump,
        fanout: Fanout,
        authority: Authority,
        directory: Directory,
        scope: TaskScope,
        on_sent: Callable[[Feed, Sequence[Event]], None],
    ) -> None:
        self._store = store
        self._pump = pump
        self._fanout = fanout
        self._authority = authority
        self._directory = directory
        self._scope = scope
        self._on_sent = on_sent
        self._feeds: dict[Feed, None] = {}
        self._of_grant: dict[str, set[Feed]] = {}
        self._of_agent: dict[str, set[Feed]] = {}
        self.lag_closes = 0
        """Feeds ended because their reader took nothing."""
        directory.on_change(self._room_changed)

    def __len__(self) -> int:
        return len(self._feeds)

    def of_agent(self, agent_id: str) -> Sequence[Feed]:
        """Return the feeds of an agent's attachments."""
        return tuple(self._of_agent.get(agent_id, ()))

    def open(
        self,
        caller: Caller,
        sink: Sink[R],
        renderer: Renderer[R],
        *,
        start_seq: int,
        agent_id: str = "",
        signals: bool = False,
        skipped: frozenset[int] = frozenset(),
    ) -> Feed:
        """Subscribe `sink` to what `caller` may read after `start_seq`; it has no await, so nothing slips between."""
        feed = Feed(
            caller,
            sink,
            renderer,
            agent_id=agent_id,
            start_seq=start_seq,
            start_reader=self._start_reader,
            on_sent=self._on_sent,
        )
        feed.skipped = skipped
        self._subscribe(feed, signals=signals)
        self._feeds[feed] = None
        self._of_grant.setdefault(caller.grant.id, set()).add(feed)
        if agent_id:
            self._of_agent.setdefault(agent_id, set()).add(feed)
        if start_seq < self._pump.last_seq:
            feed.catch_up()
        return feed

    def _subscribe(self, feed: Feed, *, signals: bool) -> None:
        rooms = self._directory.readable(feed.caller)
        if rooms is None:
            feed.reads_everywhere = True
            feed.excluded = self._authority.hidden_system_rooms(feed.caller)
            self._fanout.subscribe_everywhere(feed, feed.excluded, signals=signals)
        else:
            feed.rooms = set(rooms)
            self._fanout.subscribe(feed, rooms, signals=signals)
        for key, begins_after in self._directory.begun_anew.items():
            # An earlier generation of a session is no part of what its members read.
            if key in feed.rooms and begins_after > feed.sent_seq:
                feed.since[key] = begins_after
        if feed.agent_id:
            # An agent's memberships begin where it joined: older messages were never for it.
            for key in self._directory.of_member(feed.agent_id):
                room = self._directory.get(key)
                since_seq = room.members.get(feed.agent_id, 0) if room else 0
                if since_seq > feed.sent_seq:
                    feed.since[key] = max(since_seq - 1, feed.since.get(key, 0))

    def close(self, feed: Feed) -> None:
        """Forget a feed; its sink hears nothing more. Closing twice is no error."""
        feed.stop()
        self._fanout.unsubscribe(feed)
        self._feeds.pop(feed, None)
        _discard(self._of_grant, feed.caller.grant.id, feed)
        _discard(self._of_agent, feed.agent_id, feed)

    def end(self, feed: Feed, code: str, message: str) -> None:
        """End a feed and tell its sink why."""
        feed.end(code, message)
        self.close(feed)

    def end_grant(self, grant_id: str) -> None:
        """End the feeds that were opened with a grant which holds no more."""
        for feed in tuple(self._of_grant.get(grant_id, ())):
            self.end(feed, "unauthorized", "the credential of this feed was revoked or has expired")

    def end_agent(self, agent_id: str, message: str) -> None:
        """End the feeds of an agent's attachments."""
        for feed in self.of_agent(agent_id):
            self.end(feed, "unauthorized", message)

    def end_all(self, code: str, message: str) -> None:
        """End every feed, with its last cursor."""
        for feed in tuple(self._feeds):
            self.end(feed, code, message)

    def _room_changed(self, room: RoomState) -> None:
        if room.is_removed:
            return
        for feed in self._feeds:
            if feed.reads_everywhere:
                continue
            may_read = self._directory.may_read(feed.caller, room)
            if may_read and room.key not in feed.rooms:
                feed.rooms.add(room.key)
                feed.since[room.key] = self._pump.last_seq
                self._fanout.add_room(feed, room.key)
            elif not may_read and room.key in feed.rooms:
                feed.rooms.discard(room.key)
                self._fanout.remove_room(feed, room.key)
            elif may_read and room.begins_after > feed.since.get(room.key, 0):
                feed.since[room.key] = room.begins_after

    def _start_reader(self, feed: Feed) -> None:
        self._scope.start("feed", self._read(feed))

    async def _read(self, feed: Feed) -> None:
        try:
            await feed.read_until_live(self._read_page)
        except InstarError as error:
            self.lag_closes += error.code == "lagging"
            feed.end(error.code, error.message)
        if feed.phase is Phase.ENDED:
            self.close(feed)

    async def _read_page(self, feed: Feed) -> LogPage:
        rooms = None if feed.reads_everywhere else sorted(feed.rooms)
        after_seq, end_seq = feed.sent_seq, self._pump.last_seq
        events = await self._store.read(lambda reader: log.after(reader, after_seq, CATCH_UP_PAGE, rooms=rooms))
        reached_end = len(events) < CATCH_UP_PAGE or events[-1].seq >= end_seq
        allowed = [event for event in events if event.seq <= end_seq and feed.may_send(event)]
        return cut(LogPage(allowed, end_seq if reached_end else events[-1].seq, reached_end))


def _discard(index: dict[str, set[Feed]], key: str, feed: Feed) -> None:
    if feeds := index.get(key):
        feeds.discard(feed)
        if not feeds:
            del index[key]
