"""The inboxes of hosted agents: looked into, and settled in the very transaction that moves the run."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeVar

from instar.base.clock import Micros, now
from instar.base.errors import InstarError
from instar.hub.delivery.bell import Bell
from instar.hub.delivery.desks import Desks
from instar.hub.delivery.inbox import Inboxes
from instar.hub.delivery.items import put_items
from instar.store import log
from instar.store.seam import HOME, Reader, Store, Transaction
from instar.wire.delivery import ItemState
from instar.wire.events import Event

T = TypeVar("T")
Within = Callable[[Transaction], Awaitable[T]]
"""Work for the same transaction; when it raises, nothing of it and nothing of the inbox is written."""


class Wakes:
    """What wakes hosted agents."""

    def __init__(self, store: Store, inboxes: Inboxes, desks: Desks, bell: Bell) -> None:
        self._store = store
        self._inboxes = inboxes
        self._desks = desks
        self._bell = bell

    def waiting(self, agent_id: str) -> AbstractContextManager[asyncio.Event]:
        """Give an event that is set when something may have changed for the agent; enter before you look."""
        return self._bell.waiting(self._desks.rooms(agent_id), agent_id)

    def ring(self, agent_id: str) -> None:
        """Say that something may have changed for the agent."""
        self._bell.ring(agent_id)

    async def pending(self, agent_id: str, limit: int) -> Sequence[Event]:
        """Return the events that wake the agent and are offered now, in order; nothing changes.

        Raises:
            InstarError: `not_found` when the agent is not registered.
        """
        opened = await self._desks.open(agent_id)
        async with opened.lock:
            while len(opened.desk.free(now())) < limit:
                if await self._desks.scan(opened):
                    break
            seqs = [item.seq for item in opened.desk.free(now())[:limit]]
        return await self._store.read(lambda reader: _events(reader, seqs)) if seqs else []

    async def next_free_at(self, agent_id: str, after: Micros) -> Micros | None:
        """Return when, later than `after`, the next leased or failed item is offered again; None: there is none."""
        items = (await self._desks.open(agent_id)).desk.items.values()
        return min((item.until for item in items if not item.is_free(after)), default=None)

    async def lease(self, agent_id: str, seq: int, lease: str, until: Micros, within: Within[T]) -> T | None:
        """Lease one item and return what `within` does; None, and nothing done: it is settled, or another's."""
        opened = await self._desks.open(agent_id)
        async with opened.lock:
            item = opened.desk.items.get(seq)
            if item is None or not item.is_free(now()):
                return None
            leased = replace(item, state=ItemState.LEASED, attempts=item.attempts + 1, lease=lease, until=until)

            async def write(tx: Transaction) -> T:
                await put_items(tx, agent_id, [leased])
                return await within(tx)

            answer = await self._store.transact(write)
            opened.desk.put([leased])
            return answer

    async def ack(self, agent_id: str, seqs: Sequence[int], within: Within[None]) -> None:
        """Settle items, and do `within`; those that are settled already are no error."""
        if await self._has_inbox(agent_id):
            await self._inboxes.settle(agent_id, seqs, within=within)
        else:
            await self._store.transact(within)

    async def nack(self, agent_id: str, seq: int, reason: str, within: Within[None], *, final: bool) -> None:
        """Give an item back, and do `within`: it comes again later, or is dead-lettered (`final`)."""
        if await self._has_inbox(agent_id):
            await self._inboxes.give_back(agent_id, [seq], reason, final=final, within=within)
        else:
            await self._store.transact(within)

    async def _has_inbox(self, agent_id: str) -> bool:
        """Whether the agent is still registered: the runs of a removed one must end as well."""
        try:
            await self._desks.open(agent_id)
        except InstarError as error:
            if error.code == "not_found":
                return False
            raise
        return True


async def _events(reader: Reader, seqs: Sequence[int]) -> list[Event]:
    marks = ", ".join(f"?{at}" for at in range(2, len(seqs) + 2))
    sql = f"SELECT {log.COLUMNS} FROM events WHERE org = ?1 AND seq IN ({marks}) ORDER BY seq"  # noqa: S608 - marks
    return [log.event_of(row) for row in await reader.rows(sql, HOME, *seqs)]
