"""Acknowledgements of attachments: cumulative, folded in memory, written for all agents together within 100 ms.

An attachment that acknowledges an event has handled everything before it. This moves the agent's feed cursor, settles
its inbox up to there, and records which events that address the agent were delivered.
"""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from instar.base.clock import now
from instar.base.errors import InstarError
from instar.base.ids import derived_uuid
from instar.base.tasks import TaskScope
from instar.hub.agents.registry import Registry
from instar.store.seam import Draft, Store, Transaction
from instar.wire.agents import AgentEvent
from instar.wire.events import Event, RoomKey
from instar.wire.limits import CURSOR_FLUSH_S, WAKES_UNACKED_MAX
from instar.wire.messages import Target
from instar.wire.names import Network, fqid

from .cursors import Cursors, seq_of
from .feed import Feed
from .items import put_cursor, settle_through
from .wake import Said, addressed


class WakeNote(NamedTuple):
    """An event that addresses an agent and was sent to one of its attachments."""

    seq: int
    room: RoomKey
    message_id: str
    reason: str
    target: Target


class Acknowledgements:
    """Takes the acknowledgements of attachments.

    Args:
        on_acknowledged: Told (agent id, seq) at once, before it is written.
        feeds_of: The feeds of an agent.
        end: Ends a feed with a code and a message.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        network: Network,
        cursors: Cursors,
        scope: TaskScope,
        *,
        on_acknowledged: Callable[[str, int], None],
        feeds_of: Callable[[str], Sequence[Feed]],
        end: Callable[[Feed, str, str], None],
    ) -> None:
        self._store = store
        self._registry = registry
        self._network = network
        self._cursors = cursors
        self._scope = scope
        self._on_acknowledged = on_acknowledged
        self._feeds_of = feeds_of
        self._end = end
        self._waiting: dict[str, int] = {}
        self._writing: dict[str, int] = {}
        self._unacknowledged: dict[str, list[WakeNote]] = {}
        self._delivered: list[tuple[str, WakeNote]] = []
        self._wanted = asyncio.Event()
        self._flushing = asyncio.Lock()
        registry.on_removed(self._forget)

    def acknowledge(self, feed: Feed, agent_id: str, cursor: str) -> None:
        """Take an acknowledgement up to `cursor`, an event id or a `seq`. O(1), no query for recent events.

        The id of an older event is looked up in the log; if it is not there, the feed ends with `unknown_cursor`.

        Raises:
            InstarError: `unknown_cursor` when this feed was not sent that far.
        """
        seq = self._cursors.known(cursor)
        if seq is None:
            self._scope.start("acknowledge", self._look_up(feed, agent_id, cursor))
        elif seq > feed.sent_seq:
            raise _unexpected(cursor)
        else:
            self.settle(agent_id, seq)

    async def _look_up(self, feed: Feed, agent_id: str, cursor: str) -> None:
        seq = await self._cursors.resolve(cursor)
        if seq is None or seq > feed.sent_seq:
            self._end(feed, "unknown_cursor", _unexpected(cursor).message)
        else:
            self.settle(agent_id, seq)

    def settle(self, agent_id: str, seq: int) -> None:
        """Note that an agent has handled everything up to `seq`."""
        agent = self._registry.get(agent_id)
        if agent is None or seq <= (agent.cursor or 0):
            return
        agent.cursor = seq
        agent.low_water = max(agent.low_water, seq)
        self._waiting[agent_id] = seq
        self._on_acknowledged(agent_id, seq)
        notes = self._unacknowledged.get(agent_id)
        while notes and notes[0].seq <= seq:
            self._delivered.append((agent_id, heapq.heappop(notes)))
        self._wanted.set()

    def unflushed(self, agent_id: str) -> int:
        """Return the acknowledged `seq` of an agent that may not be on disk yet, else 0."""
        return self._waiting.get(agent_id, self._writing.get(agent_id, 0))

    def sent(self, event: Event, message: Said) -> None:
        """Note a live message: attachments of the agents that it addresses have it to acknowledge now."""
        for agent_id, reason in addressed(message, self._network.id).items():
            if any(feed.sent_seq >= event.seq for feed in self._feeds_of(agent_id)):
                self.note(agent_id, WakeNote(event.seq, event.room, message.id, reason, message.target))

    def note(self, agent_id: str, note: WakeNote) -> None:
        """Remember a wake that was sent, until it is acknowledged; the oldest `WAKES_UNACKED_MAX` of an agent."""
        agent = self._registry.get(agent_id)
        notes = self._unacknowledged.setdefault(agent_id, [])
        if agent is None or note.seq <= (agent.cursor or 0) or len(notes) >= WAKES_UNACKED_MAX:
            return
        if all(known.seq != note.seq for known in notes):
            heapq.heappush(notes, note)

    def first_unacknowledged(self, agent_id: str) -> WakeNote | None:
        """Return the first wake that was sent to the agent and not acknowledged."""
        notes = self._unacknowledged.get(agent_id)
        return notes[0] if notes else None

    def _forget(self, agent_id: str) -> None:
        self._waiting.pop(agent_id, None)
        self._unacknowledged.pop(agent_id, None)

    async def run(self) -> None:
        """Write what was acknowledged, at most every `CURSOR_FLUSH_S`. Runs until cancelled."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(CURSOR_FLUSH_S)
            try:
                await self.flush()
            except InstarError:
                # Nothing was written and everything is still noted: the next turn writes it.
                self._wanted.set()

    async def flush(self) -> None:
        """Write everything that was acknowledged until now, in one transaction.

        Raises:
            InstarError: The store's; everything stays noted.
        """
        async with self._flushing:
            self._wanted.clear()
            settled, self._waiting = self._waiting, {}
            delivered, self._delivered = self._delivered, []
            if not settled and not delivered:
                return
            self._writing = settled
            drafts = [self.wake_draft("agent.wake.delivered", agent_id, note) for agent_id, note in delivered]

            async def write(tx: Transaction) -> None:
                for agent_id, seq in settled.items():
                    await put_cursor(tx, agent_id, seq)
                    await settle_through(tx, agent_id, seq)
                for draft in drafts:
                    await tx.append(draft)

            try:
                await self._store.transact(write)
            except InstarError:
                self._waiting = settled | self._waiting
                self._delivered = delivered + self._delivered
                raise
            finally:
                self._writing = {}

    def wake_draft(self, kind: str, agent_id: str, note: WakeNote, *, error: str = "", attempt: int = 0) -> Draft:
        """Return the event that says what became of a wake; the same wake is said to be delivered once."""
        agent = self._registry.get(agent_id)
        event = AgentEvent(
            agent_id,
            self._network.id,
            fqid(self._network.id, "agents", agent_id),
            agent.name if agent else "",
            note.message_id,
            note.reason,
            note.target,
            error,
        )
        uid = agent.actor_uid if agent else agent_id
        event_id = f"evt_{derived_uuid(f'{kind} {uid} {note.message_id} {attempt}')}"
        return Draft(note.room, event_id, kind, msgspec.json.encode(event), now())


def _unexpected(cursor: str) -> InstarError:
    what = "seq" if seq_of(cursor) is not None else "event"
    return InstarError(
        "unknown_cursor",
        f"unexpected ACK cursor: {what} {cursor!r} was not sent on this attachment",
        hint="Acknowledge the cursor of an event that this attachment received.",
    )
