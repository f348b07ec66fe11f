"""Delivery: feeds, acknowledgements and inboxes over one log, in one object."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from instar.base.clock import now
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.base.tasks import TaskScope
from instar.bus.fanout import Fanout, Pump, R, Renderer
from instar.hub.act import Bindings, bind
from instar.hub.agents.agents import Agents
from instar.hub.agents.state import AgentState
from instar.hub.identity.authority import Authority
from instar.hub.identity.principals import Caller, Grant
from instar.hub.rooms.directory import Directory
from instar.hub.rooms.state import RoomState
from instar.store.seam import Draft, Store
from instar.wire import agents as wire_agents
from instar.wire import delivery as wire
from instar.wire.events import Event
from instar.wire.names import Network

from .acknowledgements import Acknowledgements, WakeNote
from .bell import Bell
from .cursors import Cursors
from .desks import Desks
from .feed import Feed, Sink
from .feeds import Feeds
from .guard import LoopGuard
from .inbox import Inboxes
from .items import dead_seqs, put_cursor
from .policy import DeliveryPolicy
from .reading import EventReading
from .switch import StopSwitch
from .wake import addressed, may_address, said

REMOVED = "agent was removed from the network"
"""What its attachments are told (Moltnet attach.v1 §3.4)."""


class Grants(Protocol):
    """What delivery asks of `hub.identity`."""

    @property
    def authority(self) -> Authority:
        """Who may read what."""
        ...

    def holds(self, grant: Grant) -> bool:
        """Whether a grant holds still."""
        ...

    def on_ended(self, callback: Callable[[str], None]) -> None:
        """Call back with the id of each grant that ends."""
        ...


class Delivery:
    """The delivery engine.

    Args:
        scope: The parent of its tasks.
        guard: The rooms' admission, made before; it is connected to the agents here.
    """

    def __init__(
        self,
        store: Store,
        pump: Pump,
        fanout: Fanout,
        identity: Grants,
        directory: Directory,
        agents: Agents,
        network: Network,
        policy: DeliveryPolicy,
        *,
        scope: TaskScope,
        guard: LoopGuard,
    ) -> None:
        self._store = store
        self._pump = pump
        self._identity = identity
        self._agents = agents
        self._network = network
        self._scope = scope
        self._guard = guard
        self.bell = Bell()
        self.cursors = Cursors(store, pump)
        self.switch = StopSwitch(pump, self.bell.ring_all)
        authority = identity.authority
        self.feeds = Feeds(store, pump, fanout, authority, directory, scope, self._sent_from_log)
        self.desks = Desks(store, pump, agents.registry, directory, self._unflushed)
        self.acknowledgements = Acknowledgements(
            store, agents.registry, network, self.cursors, scope,
            on_acknowledged=self.desks.acknowledged, feeds_of=self.feeds.of_agent, end=self.feeds.end,
        )  # fmt: skip
        self.inboxes = Inboxes(
            store, pump, self.desks, self.bell, network, policy,
            is_stopped=lambda: self.switch.is_stopped, is_paused=self._is_paused, delivered=guard.delivered,
            failed_draft=self._failed_draft,
        )  # fmt: skip
        self._reading = EventReading(store, pump, authority, directory, self.cursors, self.bell, network)
        self._connect(directory)

    def _connect(self, directory: Directory) -> None:
        registry = self._agents.registry
        self._guard.agent_of = self._agents.get
        self._guard.is_stopped = lambda: self.switch.is_stopped
        self._guard.stop_reason = lambda: self.switch.reason
        self._agents.count_pending_with(self.inboxes.count)
        self._identity.on_ended(self.feeds.end_grant)
        registry.on_change(self.bell.ring)
        registry.on_removed(self._agent_removed)
        directory.on_change(self._room_changed)
        self._pump.watch(self._heard)

    def obey(self, policy: DeliveryPolicy) -> None:
        """Lease, retry and guard by this policy from now on; leases that are out stay as they are."""
        self._guard.obey(policy)
        self.inboxes.policy = policy

    async def load(self) -> None:
        """Read what outlives a restart, and begin to work. Call once, before anybody is served."""
        self._pump.last_seq = max(self._pump.last_seq, await self._store.last_seq())
        await self.switch.load(self._store)
        self._scope.start("acknowledgements", self.acknowledgements.run())

    async def close(self) -> None:
        """End every feed with its last cursor, and write what was acknowledged."""
        self.feeds.end_all("service_unavailable", "the hub shuts down")
        await self.acknowledgements.flush()

    def _unflushed(self, agent_id: str) -> int:
        return self.acknowledgements.unflushed(agent_id)

    def _room_changed(self, room: RoomState) -> None:  # noqa: ARG002 - the shape of a directory's listener
        self.bell.ring_all()

    def _is_paused(self, agent_id: str) -> bool:
        agent = self._agents.get(agent_id)
        return agent is not None and agent.paused

    def _agent_removed(self, agent_id: str) -> None:
        self._guard.forget(agent_id)
        self.feeds.end_agent(agent_id, REMOVED)
        self.bell.ring(agent_id)

    def _heard(self, events: Sequence[Event]) -> None:
        """Follow the pump: remember ids, causes and wakes, and wake who waits."""
        add = self.cursors.recent.add
        for event in events:
            add(event)
            if (message := said(event)) is not None:
                self._guard.heard(event, message)
                if may_address(event):
                    self.acknowledgements.sent(event, message)
        self.bell.heard(events)

    def _sent_from_log(self, feed: Feed, events: Sequence[Event]) -> None:
        if not feed.agent_id:
            return
        for event in events:
            if not may_address(event) or (message := said(event)) is None:
                continue
            if reason := addressed(message, self._network.id).get(feed.agent_id):
                note = WakeNote(event.seq, event.room, message.id, reason, message.target)
                self.acknowledgements.note(feed.agent_id, note)

    async def open_feed(
        self,
        caller: Caller,
        sink: Sink[R],
        renderer: Renderer[R],
        *,
        cursor: str = "",
        agent_id: str = "",
        signals: bool = False,
        from_start: bool = False,
    ) -> Feed:
        """Deliver to `sink` what `caller` may read.

        It begins after `cursor` (an event id or a `seq`); without one, where the agent `agent_id` stopped (or, when it
        never attached, before the first message that waits for it); else with what happens from now on. At an unknown
        cursor the sink is told of the gap, and the feed goes on from now.

        Raises:
            InstarError: `unauthorized` when the credential has ended meanwhile, `not_found` when the agent has.
        """
        try:
            start_seq = 0 if from_start else await self._start(sink, cursor, agent_id)
        except InstarError as error:
            if error.code == "not_found" and self._agents.get(agent_id) is None:
                raise InstarError("not_found", REMOVED) from None
            raise
        skipped = await self._store.read(lambda reader: dead_seqs(reader, agent_id)) if agent_id else frozenset[int]()
        if not self._identity.holds(caller.grant):
            raise InstarError("unauthorized", "the credential was revoked or has expired")
        if agent_id and self._agents.get(agent_id) is None:
            raise InstarError("not_found", REMOVED)
        if start_seq is None:
            start_seq = self._pump.last_seq
        return self.feeds.open(
            caller, sink, renderer, start_seq=start_seq, agent_id=agent_id, signals=signals, skipped=skipped
        )

    async def _start(self, sink: Sink[Any], cursor: str, agent_id: str) -> int | None:
        """Return where a feed begins; None: at the head, wherever that is when the feed opens."""
        agent = self._agents.get(agent_id) if agent_id else None
        if agent is not None and agent.cursor is None:
            await self._first_attachment(agent)
        if cursor:
            seq = await self.cursors.resolve(cursor)
            if seq is None:
                sink.gap(await self.cursors.gap(cursor))
            return seq
        return agent.cursor if agent is not None else None

    async def _first_attachment(self, agent: AgentState) -> None:
        """Give an agent its first stored cursor: from now on a disconnect loses nothing."""
        head = self._pump.last_seq
        first = await self.inboxes.first_pending_seq(agent.id)
        start_seq = head if first is None else min(head, first - 1)
        await self._store.transact(lambda tx: put_cursor(tx, agent.id, start_seq))
        known = self._agents.get(agent.id)
        if known is not None and known.cursor is None:
            known.cursor = start_seq

    def close_feed(self, feed: Feed) -> None:
        """Deliver nothing more to a feed. Twice is no error."""
        self.feeds.close(feed)

    def acknowledge(self, feed: Feed, agent_id: str, cursor: str) -> None:
        """Take everything up to `cursor` as handled by the agent; see `Acknowledgements.acknowledge`."""
        self.acknowledgements.acknowledge(feed, agent_id, cursor)

    def failed(self, agent_id: str, error: str) -> None:
        """Take note that an attachment could not handle what it was sent.

        The first message that it was sent and has not acknowledged counts a failed attempt, visible as
        `agent.wake.failed`; after the last attempt it is dead-lettered, and no attachment is sent it again.
        """
        self._scope.start("wake failed", self._record_failure(agent_id, error))

    async def _record_failure(self, agent_id: str, error: str) -> None:
        note = self.acknowledgements.first_unacknowledged(agent_id)
        seq = note.seq if note else await self.inboxes.first_pending_seq(agent_id)
        if seq is None or (not any(feed.sent_seq >= seq for feed in self.feeds.of_agent(agent_id)) and note is None):
            return
        await self.inboxes.give_back(agent_id, [seq], error)
        if note is not None and seq in (await self.desks.open(agent_id)).desk.items:
            # A dead letter has said so itself.
            draft = self.acknowledgements.wake_draft("agent.wake.failed", agent_id, note, error=error)
            await self._store.append([Draft(note.room, new_id("evt"), draft.type, draft.payload, now())])

    def _failed_draft(self, agent_id: str, note: WakeNote, error: str, attempt: int) -> Draft:
        return self.acknowledgements.wake_draft("agent.wake.failed", agent_id, note, error=error, attempt=attempt)

    def bindings(self) -> Bindings:
        """Return `inbox.*`, `events.read`, `agents.stop_all` and `agents.resume_all`."""
        locate = self._agents.locate
        return (
            bind(wire.INBOX, self.inboxes.read, locate),
            bind(wire.ACK, self.inboxes.ack, locate),
            bind(wire.NACK, self.inboxes.nack, locate),
            bind(wire.REPLAY, self.inboxes.replay, locate),
            bind(wire.EVENTS, self._reading.read),
            bind(wire_agents.STOP_ALL, self.switch.stop_all),
            bind(wire_agents.RESUME_ALL, self.switch.resume_all),
        )
