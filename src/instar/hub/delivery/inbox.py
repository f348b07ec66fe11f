"""The inbox: the second view of delivery. Lease, settle, give back, replay; each answer comes when it is on disk."""

import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

import msgspec

from instar.base.clock import MICROS_PER_S, Micros, now, to_rfc3339
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.bus.fanout import Pump
from instar.hub.act import Act
from instar.hub.agents.state import AgentState
from instar.store import log
from instar.store.seam import HOME, Draft, Reader, Store, Transaction
from instar.wire.agents import Wake
from instar.wire.delivery import AckInbox, Inbox, InboxItem, ItemState, NackInbox, ReadInbox, ReplayInbox, Settled
from instar.wire.events import Event, EventView, RoomKey, render
from instar.wire.limits import UNREAD_COUNT_MAX
from instar.wire.names import Network, fqid

from .acknowledgements import WakeNote
from .bell import Bell, wait_until
from .desk import Item, check_lease, give_back, offer
from .desks import Desks, OpenDesk
from .items import put_items, put_low_water, put_settled, read_dead
from .items import settle_through as write_settled_through
from .policy import DeliveryPolicy
from .wake import Said, said, why

WakeDraft = Callable[[str, WakeNote, str, int], Draft]
"""(agent id, wake, error, attempt) → the event that says the wake failed."""
Within = Callable[[Transaction], Awaitable[None]]
"""What shall be written with a settlement, all or nothing."""


class Inboxes:
    """Handlers of `inbox.*`, and the same for the runner.

    Args:
        is_stopped: Whether all agents are stopped.
        delivered: Told (agent id, room, seq) of what an agent has leased.
        failed_draft: Makes `agent.wake.failed`.
    """

    def __init__(
        self,
        store: Store,
        pump: Pump,
        desks: Desks,
        bell: Bell,
        network: Network,
        policy: DeliveryPolicy,
        *,
        is_stopped: Callable[[], bool],
        is_paused: Callable[[str], bool],
        delivered: Callable[[str, RoomKey, int], None],
        failed_draft: WakeDraft,
    ) -> None:
        self._store = store
        self._pump = pump
        self._desks = desks
        self._bell = bell
        self._network = network
        self.policy = policy
        self._is_stopped = is_stopped
        self._is_paused = is_paused
        self._delivered = delivered
        self._failed_draft = failed_draft

    async def read(self, act: Act[ReadInbox, AgentState]) -> Inbox:
        """Lease the next items, or look at items in one state.

        Raises:
            InstarError: `unprocessable_entity` for state `acked`: settled items are not kept.
        """
        params, agent_id = act.params, act.object.id
        if params.state is ItemState.PENDING and params.lease:
            return await self.take(agent_id, params.limit, params.wait)
        opened = await self._desks.open(agent_id)
        if params.state is ItemState.PENDING:
            items = await self._look(opened, params.limit)
        elif params.state is ItemState.DEAD:
            items = await self._store.read(lambda reader: read_dead(reader, agent_id, params.limit))
        elif params.state is ItemState.ACKED:
            raise InstarError(
                "unprocessable_entity", "acknowledged items are not listed", hint="Read the room instead."
            )
        else:
            items = [item for _, item in sorted(opened.desk.items.items()) if item.state is params.state]
        return await self._answer(opened, items[: params.limit])

    async def _look(self, opened: OpenDesk, limit: int) -> list[Item]:
        async with opened.lock:
            await self._fill(opened, limit)
            return opened.desk.free(now())

    async def take(self, agent_id: str, limit: int, wait_s: float = 0.0) -> Inbox:
        """Lease up to `limit` free items, waiting for the first. Paused or stopped agents are given none.

        Raises:
            InstarError: `not_found` when the agent is not registered.
        """
        opened = await self._desks.open(agent_id)
        deadline = time.monotonic() + wait_s
        while True:
            with self._bell.waiting(self._desks.rooms(agent_id), agent_id) as rung:
                items = await self._lease(opened, limit)
                left_s = deadline - time.monotonic()
                if items or left_s <= 0:
                    return await self._answer(opened, items)
                free_at = opened.desk.next_free_at()
                if free_at is not None and not self._rests(agent_id):
                    left_s = min(left_s, max(0.0, (free_at - now()) / MICROS_PER_S) + 0.001)
                await wait_until(rung, left_s)

    def _rests(self, agent_id: str) -> bool:
        return self._is_stopped() or self._is_paused(agent_id)

    async def _lease(self, opened: OpenDesk, limit: int) -> list[Item]:
        if self._rests(opened.agent_id):
            return []
        async with opened.lock:
            await self._fill(opened, limit)
            at = now()
            plan = offer(
                opened.desk,
                limit,
                at,
                lease=new_id("lease"),
                until=Micros(at + int(self.policy.lease_s * MICROS_PER_S)),
                attempts_max=self.policy.attempts,
            )
            if plan.leased or plan.dead:
                await self._store.transact(lambda tx: self._write(tx, opened.agent_id, plan.leased, plan.dead))
                opened.desk.put(plan.leased)
                opened.desk.settle([item.seq for item in plan.dead])
            return list(plan.leased)

    async def _write(
        self, tx: Transaction, agent_id: str, changed: Iterable[Item], dead: Sequence[Item], low_water: int = 0
    ) -> None:
        await put_items(tx, agent_id, changed)
        await put_items(tx, agent_id, dead)
        if low_water:
            await put_low_water(tx, agent_id, low_water)
        for item in dead:
            if (event := await _event(tx, item.seq)) is not None and (message := said(event)) is not None:
                reason = self._why(agent_id, message)
                note = WakeNote(item.seq, event.room, message.id, reason, message.target)
                await tx.append(self._failed_draft(agent_id, note, item.error, item.attempts))

    async def _fill(self, opened: OpenDesk, wanted: int) -> None:
        """Scan until enough items are free or the log ends; what is settled so far is remembered on disk."""
        desk = opened.desk
        await self._desks.scan_until(opened, lambda: len(desk.free(now())) >= wanted)
        low_water = desk.low_water_after(())
        if low_water > desk.low_water:
            first_scan = low_water - desk.low_water >= REMEMBER_EVERY
            desk.settle(())
            if first_scan:
                await self._store.transact(lambda tx: put_low_water(tx, opened.agent_id, low_water))

    async def count(self, agent_id: str) -> int:
        """Return how many items wait, are leased or failed, counted up to `UNREAD_COUNT_MAX`."""
        opened = await self._desks.open(agent_id)
        async with opened.lock:
            await self._desks.scan_until(opened, lambda: len(opened.desk.items) >= UNREAD_COUNT_MAX)
            return min(len(opened.desk.items), UNREAD_COUNT_MAX)

    async def first_pending_seq(self, agent_id: str) -> int | None:
        """Return the place of the first unsettled item, or None."""
        opened = await self._desks.open(agent_id)
        async with opened.lock:
            await self._fill(opened, 1)
            return min(opened.desk.items, default=None)

    async def ack(self, act: Act[AckInbox, AgentState]) -> Settled:
        """Settle items; settled ones are no error.

        Raises:
            InstarError: `lease_lost` when a lease is named that no longer holds; `unprocessable_entity` when nothing
                is named, or what lies beyond the log.
        """
        params = act.params
        if not params.items and not params.up_to:
            raise InstarError("unprocessable_entity", "neither `items` nor `up_to` says what is acknowledged")
        return await self.settle(act.object.id, params.items, up_to=params.up_to, lease=params.lease)

    async def settle(
        self, agent_id: str, seqs: Collection[int], *, up_to: int = 0, lease: str = "", within: Within | None = None
    ) -> Settled:
        """Settle items; see `ack`. `within` is done in the same transaction."""
        opened = await self._desks.open(agent_id)
        if max([up_to, *seqs]) > self._pump.last_seq:
            raise InstarError("unprocessable_entity", f"the log ends at seq {self._pump.last_seq}")
        async with opened.lock:
            desk = opened.desk
            gone = await self._known(opened, seqs) | {seq for seq in desk.items if seq <= up_to}
            if lease:
                check_lease(desk, gone, lease, now())
            # What an attachment acknowledged may not be on disk yet, but this answer says that it is.
            through_seq = max(up_to, self._desks.unflushed(agent_id))
            low_water = max(desk.low_water_after(gone), through_seq)

            async def write(tx: Transaction) -> None:
                if within is not None:
                    await within(tx)
                if through_seq:
                    await write_settled_through(tx, agent_id, through_seq)
                await put_settled(tx, agent_id, gone, low_water)

            if gone or within is not None or through_seq or low_water > desk.low_water:
                await self._store.transact(write)
                desk.settle(gone)
            if up_to > desk.low_water:
                desk.settle_through(up_to)
            return Settled(agent_id, len(gone), desk.low_water)

    async def _known(self, opened: OpenDesk, seqs: Collection[int]) -> set[int]:
        """Return the unsettled ones among `seqs`, the log scanned as far as the last of them."""
        last = max(seqs, default=0)
        await self._desks.scan_until(opened, lambda: opened.desk.scanned_seq >= last)
        return {seq for seq in seqs if seq in opened.desk.items}

    async def nack(self, act: Act[NackInbox, AgentState]) -> Settled:
        """Give items back with a reason; they come again after a pause, or are dead-lettered.

        Raises:
            InstarError: `lease_lost` when a lease is named that no longer holds.
        """
        params = act.params
        return await self.give_back(act.object.id, params.items, params.reason, lease=params.lease, final=params.final)

    async def give_back(
        self,
        agent_id: str,
        seqs: Collection[int],
        reason: str,
        *,
        lease: str = "",
        final: bool = False,
        within: Within | None = None,
    ) -> Settled:
        """Give items back; see `nack`. `within` is done in the same transaction."""
        opened = await self._desks.open(agent_id)
        async with opened.lock:
            known = await self._known(opened, seqs)
            at = now()
            if lease:
                check_lease(opened.desk, known, lease, at)
            given = give_back(opened.desk, known, reason, at, attempts_max=self.policy.attempts, final=final)
            dead = [item for item in given if item.state is ItemState.DEAD]
            failed = [item for item in given if item.state is ItemState.FAILED]
            low_water = opened.desk.low_water_after([item.seq for item in dead])

            async def write(tx: Transaction) -> None:
                if within is not None:
                    await within(tx)
                await self._write(tx, agent_id, failed, dead, low_water)

            if given or within is not None:
                await self._store.transact(write)
                opened.desk.put(failed)
                opened.desk.settle([item.seq for item in dead])
                self._bell.ring(agent_id)
            return Settled(agent_id, len(given), opened.desk.low_water)

    async def replay(self, act: Act[ReplayInbox, AgentState]) -> Settled:
        """Offer dead letters again, with all their attempts.

        Raises:
            InstarError: `not_found` when none of them is a dead letter.
        """
        agent_id, wanted = act.object.id, frozenset(act.params.items)
        act.audit_subject = agent_id
        opened = await self._desks.open(agent_id)
        async with opened.lock:
            revived: list[Item] = []

            async def write(tx: Transaction) -> Settled:
                dead = await read_dead(tx, agent_id, DEAD_MAX)
                revived.extend(Item(item.seq, error=item.error) for item in dead if item.seq in wanted)
                if not revived:
                    raise InstarError("not_found", "none of these items is a dead letter")
                await put_items(tx, agent_id, revived)
                return Settled(agent_id, len(revived), 0)

            answer = await act.transact(write, Settled)
            opened.desk.revive(revived)
            self._bell.ring(agent_id)
            return Settled(agent_id, answer.settled, opened.desk.low_water)

    async def _answer(self, opened: OpenDesk, items: Sequence[Item]) -> Inbox:
        if not items:
            return Inbox(opened.agent_id, [], opened.desk.low_water)
        events = await self._store.read(lambda reader: _events(reader, [item.seq for item in items]))
        rooms = self._desks.rooms(opened.agent_id)
        views: list[InboxItem] = []
        left: list[int] = []
        for item, event in zip(items, events, strict=True):
            if event is None or event.seq <= rooms.get(event.room, event.seq):
                # The agent has left the room, or the session began anew: what was said there is not its to read now.
                left.append(item.seq)
                continue
            if item.state is ItemState.LEASED:
                self._delivered(opened.agent_id, event.room, item.seq)
            views.append(self._view(opened.agent_id, item, event))
        if left and items[0].state is not ItemState.DEAD:
            await self.settle(opened.agent_id, left)
        return Inbox(opened.agent_id, views, opened.desk.low_water)

    def _why(self, agent_id: str, message: Said) -> str:
        """Return why a message that is in the inbox wakes its agent."""
        return why(message, fqid(self._network.id, "agents", agent_id), Wake.ALL)

    def _view(self, agent_id: str, item: Item, event: Event) -> InboxItem:
        message = said(event)
        is_leased, is_failed = item.state is ItemState.LEASED, item.state is ItemState.FAILED
        return InboxItem(
            item.seq,
            msgspec.json.decode(render(event, self._network.id), type=EventView),
            item.state,
            reason=self._why(agent_id, message) if message else "",
            attempts=item.attempts,
            lease=item.lease if is_leased else "",
            lease_until=to_rfc3339(item.until) if is_leased else "",
            retry_at=to_rfc3339(item.until) if is_failed else "",
            error=item.error,
        )


DEAD_MAX = 1_000_000
"""Dead letters of one agent that a replay looks at."""
REMEMBER_EVERY = 4_096
"""A scan that found nothing in this much of the log writes how far it came, so that no restart reads it again."""


async def _event(reader: Reader, seq: int) -> Event | None:
    sql = f"SELECT {log.COLUMNS} FROM events WHERE org = ?1 AND seq = ?2"  # noqa: S608
    row = await reader.row(sql, HOME, seq)
    return log.event_of(row) if row else None


async def _events(reader: Reader, seqs: Sequence[int]) -> list[Event | None]:
    return [await _event(reader, seq) for seq in seqs]
