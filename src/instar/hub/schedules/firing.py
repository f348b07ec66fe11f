"""Ending slots: event, row, message and `settled_until` in one transaction, so that each ends once, or not at all."""

from collections.abc import Sequence

from instar.base.clock import Micros
from instar.base.errors import InstarError
from instar.hub.identity.senders import SCHEDULE
from instar.hub.rooms.messages import Messages
from instar.store.seam import Store, Transaction
from instar.wire.messages import Actor
from instar.wire.names import Network, fqid
from instar.wire.schedules import Slot

from . import records, slots
from .obstacles import LocatedSchedule, Obstacles
from .records import ScheduleRecord
from .slots import SlotId
from .verdicts import Verdict

_LASTING = frozenset({"unprocessable_entity", "forbidden", "not_found"})
"""A message that is refused so will be refused again: its slot is missed. Any other fault is tried again."""


class Firing:
    """Ends slots and runs schedules by hand.

    Args:
        store: Where everything is written.
        messages: How what it says becomes a message.
        obstacles: What may stand in the way.
        network: The local network.
    """

    def __init__(self, store: Store, messages: Messages, obstacles: Obstacles, network: Network) -> None:
        self._store = store
        self._messages = messages
        self._obstacles = obstacles
        self._network = network

    async def settle(self, record: ScheduleRecord, verdicts: Sequence[Verdict], at: Micros) -> None:
        """End slots as judged; those that cannot fire are missed. A schedule that changed since is left as it is.

        Raises:
            DecideAnewError: The room's rules changed while it was decided.
            InstarError: What the store raises; nothing was written.
        """
        obstacle = self._obstacles.now(self._obstacles.locate(record)) if any(each.fires for each in verdicts) else ""
        try:
            await self._store.transact(lambda tx: self._end_all(tx, record, verdicts, obstacle, at))
        except InstarError as error:
            if error.code not in _LASTING:
                raise
            refusal = error.message
            await self._store.transact(lambda tx: self._end_all(tx, record, verdicts, refusal, at))

    async def run_now(self, tx: Transaction, schedule: LocatedSchedule, obstacle: str, at: Micros) -> Slot:
        """Fire a schedule besides its slots, or record that it could not.

        Raises:
            DecideAnewError: The room's rules changed while it was decided.
            InstarError: `not_found`: it was removed.
        """
        slot_id = await slots.next_manual(tx, schedule.id, at)
        slot = slot_id.ended(obstacle, at)
        await self._end(tx, schedule, slot_id, slot)
        return slot

    async def _end_all(
        self, tx: Transaction, record: ScheduleRecord, verdicts: Sequence[Verdict], obstacle: str, at: Micros
    ) -> None:
        stored = await records.find(tx, record.id)
        if stored is None or stored.revision != record.revision or stored.is_paused:
            return
        schedule = self._obstacles.locate(stored)
        has_fired = False
        for verdict in verdicts:
            if verdict.at <= stored.settled:
                continue
            slot_id = SlotId(record.id, verdict.at)
            slot = slot_id.ended(verdict.missed_for or obstacle, at)
            has_fired |= await self._end(tx, schedule, slot_id, slot) and not slot.reason
            await records.settle(tx, record.id, verdict.at)
            if has_fired and stored.is_once:
                await records.remove(tx, stored, "")
                return

    async def _end(self, tx: Transaction, schedule: LocatedSchedule, slot_id: SlotId, slot: Slot) -> bool:
        """Record a slot and, when it fires, say what it says. False: it had ended before."""
        record, room = schedule.record, schedule.room
        if not await slots.record(tx, slot_id, slot, record.owner):
            return False
        if room is not None and slot.message_id:
            sender = Actor(
                SCHEDULE, record.id, record.name, self._network.id, fqid(self._network.id, "agents", record.id)
            )
            mentions = [record.agent_id] if record.agent_id else []
            await self._messages.append_by(
                tx, room, sender, record.text, message_id=slot.message_id, mentions=mentions, by=record.owner
            )
        return True
