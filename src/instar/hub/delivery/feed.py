"""A feed: the events that one caller may read, in order, from a cursor on; the IO-free decisions are in `course`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from instar.base.errors import InstarError
from instar.bus.fanout import Delivery, Renderer, SignalOut
from instar.hub.identity.principals import Caller
from instar.wire.events import Event, ReplayGap, RoomKey
from instar.wire.limits import LAG_MAX_S, LAG_POLL_S, SEND_BUFFER_MAX_BYTES

from .course import Held, LogPage, Pace, Phase, Step, join

R_contra = TypeVar("R_contra", contravariant=True)


class Sink(Protocol[R_contra]):
    """Where a feed writes: a carrier's socket or stream. Its methods must not block, raise, or call the feed back."""

    def write(self, frames: R_contra) -> None:
        """Send what the feed's renderer made."""
        ...

    def buffered_bytes(self) -> int:
        """Return how many bytes wait in the carrier."""
        ...

    def gap(self, gap: ReplayGap) -> None:
        """Say that the stream cannot resume at the cursor that was asked for."""
        ...

    def ended(self, code: str, message: str, cursor: str) -> None:
        """Say that the feed is over, why, and where to resume; then close."""
        ...


ReadPage = Callable[["Feed"], Awaitable[LogPage]]


class Feed:
    """One subscriber of the fan-out. `Feeds.open` makes it.

    It ends by `close`, by revocation (`unauthorized`), by a reader that takes nothing (`lagging`), or when its agent
    is removed; the sink is told of every end but `close`.
    """

    __slots__ = (
        "_buffered_bytes", "_drained", "_held", "_is_live", "_on_sent", "_pace", "_phase", "_renderer",
        "_sink", "_start_reader", "_write", "agent_id", "caller", "excluded", "reads_everywhere", "rooms",
        "sent_seq", "since", "skipped",
    )  # fmt: skip

    def __init__(
        self,
        caller: Caller,
        sink: Sink[Any],
        renderer: Renderer[Any],
        *,
        agent_id: str,
        start_seq: int,
        start_reader: Callable[["Feed"], None],
        on_sent: Callable[["Feed", Sequence[Event]], None],
    ) -> None:
        self.caller = caller
        self.agent_id = agent_id
        self.sent_seq = start_seq
        """Everything up to here that the caller may read was written to the sink."""
        self.reads_everywhere = False
        self.rooms: set[RoomKey] = set()
        """The rooms it reads, unless it reads everywhere but in `excluded`."""
        self.excluded: frozenset[RoomKey] = frozenset()
        self.since: dict[RoomKey, int] = {}
        """Rooms that it reads from a place of the log on, not from their beginning."""
        self.skipped: frozenset[int] = frozenset()
        """Dead letters of its agent: they are not offered again."""
        self._sink = sink
        self._write = sink.write
        self._buffered_bytes = sink.buffered_bytes
        self._renderer = renderer
        self._start_reader = start_reader
        self._on_sent = on_sent
        self._is_live = True
        self._phase = Phase.LIVE
        self._pace = Pace()
        self._held: Held | None = None
        self._drained: asyncio.Event | None = None

    @property
    def cursor(self) -> str:
        """Where to resume."""
        return str(self.sent_seq)

    @property
    def phase(self) -> Phase:
        """Where the feed stands."""
        return self._phase

    def deliver(self, delivery: Delivery) -> None:
        """Write a delivery, or hold it while the log is read. The hot path: one write."""
        if self._is_live:
            self.sent_seq = delivery.last_seq
            self._write(delivery.rendered(self._renderer))
            if self._buffered_bytes() > SEND_BUFFER_MAX_BYTES:
                self._fall_behind(Phase.LAGGING)
        elif self._held is not None:
            self._held.add(delivery)

    def signal(self, signal: SignalOut) -> None:
        """Write a signal; a feed that is behind, or whose reader is, drops it, as something else replaces it."""
        if self._is_live and self._buffered_bytes() <= SEND_BUFFER_MAX_BYTES:
            self._write(signal.rendered(self._renderer))

    def writable(self) -> None:
        """Take note that the carrier has drained."""
        if self._drained is not None:
            self._drained.set()

    def catch_up(self) -> None:
        """Begin by reading the log; called once, right after the feed was subscribed."""
        self._fall_behind(Phase.CATCHING_UP)

    def may_send(self, event: Event) -> bool:
        """Whether an event of the log belongs into this feed."""
        if event.seq in self.skipped or event.seq <= self.since.get(event.room, 0):
            return False
        return event.room not in self.excluded if self.reads_everywhere else event.room in self.rooms

    def stop(self) -> None:
        """Deliver nothing more, silently."""
        self._is_live = False
        self._phase = Phase.ENDED
        self._held = None
        self.writable()

    def end(self, code: str, message: str) -> None:
        """End the feed and tell the sink why and where to resume."""
        if self._phase is not Phase.ENDED:
            self.stop()
            self._sink.ended(code, message, self.cursor)

    def _fall_behind(self, phase: Phase) -> None:
        self._is_live = False
        self._phase = phase
        self._pace.fell_behind(self._buffered_bytes(), time.monotonic())
        self._start_reader(self)

    async def read_until_live(self, read_page: ReadPage) -> None:
        """Feed the sink from the log until it is live again or ended. One such task runs at a time.

        Raises:
            InstarError: `lagging` when the reader takes nothing for too long, or what reading the log raises.
        """
        self._drained = asyncio.Event()
        while self._phase is not Phase.ENDED:
            step = self._pace.step(self._buffered_bytes(), time.monotonic())
            if step is Step.GIVE_UP:
                raise InstarError("lagging", f"the reader took nothing for {LAG_MAX_S:.0f} s")
            if step is Step.WAIT:
                await self._wait_for_drain(self._drained)
            else:
                self._phase = Phase.CATCHING_UP
                self._held = held = Held()
                page = await read_page(self)
                if self._phase is Phase.CATCHING_UP and self._take(page, held):
                    break
        self._drained = None

    async def _wait_for_drain(self, drained: asyncio.Event) -> None:
        self._held = None
        self._phase = Phase.LAGGING
        drained.clear()
        try:
            async with asyncio.timeout(LAG_POLL_S):
                await drained.wait()
        except TimeoutError:
            return

    def _take(self, page: LogPage, held: Held) -> bool:
        """Send what a page brought; return whether the feed is live now. It has no await: that is the guarantee."""
        joined = join(self.sent_seq, page, held)
        self._held = None
        self.sent_seq = joined.sent_seq
        if joined.events:
            self._write(self._renderer.join([self._renderer.render(event) for event in joined.events]))
            self._on_sent(self, joined.events)
        for delivery in joined.deliveries:
            self._write(delivery.rendered(self._renderer))
            self._on_sent(self, delivery.events)
        if not joined.goes_live:
            return False
        self._phase = Phase.LIVE
        self._is_live = True
        if self._buffered_bytes() <= SEND_BUFFER_MAX_BYTES:
            return True
        self._is_live = False
        self._phase = Phase.LAGGING
        self._pace.fell_behind(self._buffered_bytes(), time.monotonic())
        return False
