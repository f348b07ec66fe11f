"""The inboxes in use: loaded when first asked for, and filled from the log without reading anything twice."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from instar.base.errors import InstarError
from instar.bus.fanout import Pump
from instar.hub.agents.registry import Registry
from instar.hub.agents.state import AgentState
from instar.hub.rooms.directory import Directory
from instar.store import log
from instar.store.seam import HOME, Reader, Store
from instar.wire.events import Event, RoomKey
from instar.wire.limits import CATCH_UP_PAGE

from .desk import Desk
from .items import read_desk
from .wake import policy_for, said, why


@dataclass(slots=True)
class OpenDesk:
    """An inbox with the lock that its changes take: memory follows the tables, one change at a time."""

    agent_id: str
    desk: Desk
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Found:
    """What one scan of the log brought."""

    events: Sequence[Event]
    through_seq: int
    reached_end: bool


class Desks:
    """Opens inboxes and scans the log for them.

    Args:
        unflushed: agent id → the acknowledged `seq` that is not in the table yet.
    """

    def __init__(
        self,
        store: Store,
        pump: Pump,
        registry: Registry,
        directory: Directory,
        unflushed: Callable[[str], int],
    ) -> None:
        self._store = store
        self._pump = pump
        self._registry = registry
        self._directory = directory
        self.unflushed = unflushed
        self._desks: dict[str, OpenDesk] = {}
        self._loading = asyncio.Lock()
        registry.on_removed(lambda agent_id: self._desks.pop(agent_id, None) and None)

    async def open(self, agent_id: str) -> OpenDesk:
        """Return the inbox of a registered agent.

        Raises:
            InstarError: `not_found`.
        """
        async with self._loading:
            if (known := self._desks.get(agent_id)) is not None:
                return known
            desk = await self._store.read(lambda reader: read_desk(reader, agent_id))
            if desk is None or self._registry.get(agent_id) is None:
                raise InstarError("not_found", f"there is no agent {agent_id!r}")
            if (acknowledged := self.unflushed(agent_id)) > desk.low_water:
                desk.settle_through(acknowledged)
            self._desks[agent_id] = opened = OpenDesk(agent_id, desk)
            return opened

    def acknowledged(self, agent_id: str, seq: int) -> None:
        """Settle an open inbox up to `seq`: its feed acknowledged."""
        if (opened := self._desks.get(agent_id)) is not None:
            opened.desk.settle_through(seq)

    def rooms(self, agent_id: str) -> dict[RoomKey, int]:
        """Return the rooms of an agent, each with the `seq` after which its membership begins."""
        found: dict[RoomKey, int] = {}
        for key in self._directory.of_member(agent_id):
            if (room := self._directory.get(key)) is not None:
                found[key] = room.members.get(agent_id, 0)
        return found

    async def scan(self, opened: OpenDesk) -> bool:
        """Read the next piece of the log for an inbox; return whether there is nothing further. Holds its lock.

        It reads up to where the pump has come, no further: memberships are known up to there.
        """
        agent = self._registry.get(opened.agent_id)
        if agent is None:
            raise InstarError("not_found", f"there is no agent {opened.agent_id!r}")
        rooms = self.rooms(agent.id)
        since_seq, end_seq = opened.desk.scanned_seq, self._pump.last_seq
        if since_seq >= end_seq:
            return True
        found = await self._store.read(lambda reader: _next_messages(reader, rooms, since_seq, end_seq))
        opened.desk.scanned((event.seq for event in found.events if self._wakes(agent, event)), found.through_seq)
        return found.reached_end

    async def scan_until(self, opened: OpenDesk, is_enough: Callable[[], bool]) -> None:
        """Scan piece by piece until it is enough or there is nothing further. The caller holds the lock."""
        while not is_enough():
            if await self.scan(opened):
                return

    def _wakes(self, agent: AgentState, event: Event) -> bool:
        message = said(event)
        return message is not None and bool(why(message, agent.fqid, policy_for(message, agent.wake, agent.wake_rooms)))


async def _next_messages(reader: Reader, rooms: dict[RoomKey, int], since_seq: int, end_seq: int) -> Found:
    """Read the next messages of these rooms, in order, at most about one page."""
    news = await reader.rows("SELECT room FROM heads WHERE org = ?1 AND seq > ?2", HOME, since_seq)
    through_seq = end_seq
    found: list[Event] = []
    reached_end = True
    for (key,) in news:
        if key not in rooms:
            continue
        begin = max(since_seq, rooms[key])
        page = await log.page_after(reader, key, begin, CATCH_UP_PAGE, kind="message.created")
        found.extend(page)
        if len(page) == CATCH_UP_PAGE and page[-1].seq < end_seq:
            reached_end = False
            through_seq = min(through_seq, page[-1].seq)
    found.sort(key=lambda event: event.seq)
    return Found([event for event in found if event.seq <= through_seq], through_seq, reached_end)
