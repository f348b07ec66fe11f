"""Fan-out: each event is rendered once per dialect, all frames of a batch are joined once per set of rooms,
and each subscriber gets one write. Subscribers are indexed by room, so nobody is sent what they may not read.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from instar.wire.events import Event, RoomKey
from instar.wire.runs import Signal

R = TypeVar("R")


class Renderer(Protocol[R]):
    """How a dialect writes events: as bytes, or as frames that each connection numbers for itself.

    One instance per dialect: it is a cache key.
    """

    def render(self, event: Event) -> R:
        """Return one event in this dialect."""
        ...

    def join(self, rendered: Sequence[R]) -> R:
        """Return what to write for several rendered events."""
        ...

    def signal(self, signal: Signal) -> R:
        """Return what to write for a signal."""
        ...


class Subscriber(Protocol):
    """A live feed. Its methods are called on the event loop, must not block and must not raise."""

    def deliver(self, delivery: "Delivery") -> None:
        """Take the events of one batch that this subscriber may read."""
        ...

    def signal(self, signal: "SignalOut") -> None:
        """Take a signal; only called on subscribers that asked for signals."""
        ...


class _Batch:
    """The events of one publication with what was rendered of them."""

    __slots__ = ("events", "rendered")

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.rendered: dict[Renderer[Any], list[Any]] = {}

    def frames(self, renderer: Renderer[R]) -> list[R]:
        frames = self.rendered.get(renderer)
        if frames is None:
            frames = self.rendered[renderer] = [renderer.render(event) for event in self.events]
        return frames


class Delivery:
    """The part of a batch that one set of rooms sees; shared by all subscribers with that set."""

    __slots__ = ("_batch", "_indices", "_joined", "last_seq", "size")

    def __init__(self, batch: _Batch, indices: Sequence[int] | None) -> None:
        self._batch = batch
        self._indices = indices
        self._joined: dict[Renderer[Any], Any] = {}
        self.last_seq = batch.events[-1 if indices is None else indices[-1]].seq
        self.size = len(batch.events if indices is None else indices)
        """How many events."""

    @property
    def events(self) -> Sequence[Event]:
        """The events, in order."""
        if self._indices is None:
            return self._batch.events
        return [self._batch.events[index] for index in self._indices]

    def rendered(self, renderer: Renderer[R]) -> R:
        """Return the events as this dialect writes them, in one piece."""
        joined = self._joined.get(renderer)
        if joined is None:
            frames = self._batch.frames(renderer)
            if self._indices is not None:
                frames = [frames[index] for index in self._indices]
            joined = self._joined[renderer] = renderer.join(frames)
        return joined


class SignalOut:
    """A signal on its way out, rendered once per dialect."""

    __slots__ = ("_rendered", "signal")

    def __init__(self, signal: Signal) -> None:
        self.signal = signal
        self._rendered: dict[Renderer[Any], Any] = {}

    def rendered(self, renderer: Renderer[R]) -> R:
        """Return the signal as this dialect writes it."""
        rendered = self._rendered.get(renderer)
        if rendered is None:
            rendered = self._rendered[renderer] = renderer.signal(self.signal)
        return rendered


class Fanout:
    """The index of live subscribers by room."""

    def __init__(self) -> None:
        self._by_room: dict[RoomKey, set[Subscriber]] = {}
        self._everywhere: dict[Subscriber, frozenset[RoomKey]] = {}
        self._rooms_of: dict[Subscriber, set[RoomKey]] = {}
        self._wants_signals: set[Subscriber] = set()
        self.deliveries = 0
        """Events handed to subscribers so far, each counted once for each of them."""

    def __len__(self) -> int:
        return len(self._rooms_of) + len(self._everywhere)

    @property
    def listeners(self) -> int:
        """How many subscribers asked for signals."""
        return len(self._wants_signals)

    def subscribe(self, subscriber: Subscriber, rooms: Iterable[RoomKey], *, signals: bool = False) -> None:
        """Deliver from now on what happens in `rooms`."""
        self._rooms_of[subscriber] = mine = set(rooms)
        for room in mine:
            self._by_room.setdefault(room, set()).add(subscriber)
        if signals:
            self._wants_signals.add(subscriber)

    def subscribe_everywhere(
        self, subscriber: Subscriber, excluded: frozenset[RoomKey], *, signals: bool = False
    ) -> None:
        """Deliver from now on what happens in every room but the `excluded`, rooms to come included."""
        self._everywhere[subscriber] = excluded
        if signals:
            self._wants_signals.add(subscriber)

    def add_room(self, subscriber: Subscriber, room: RoomKey) -> None:
        """Deliver `room` to a subscriber of single rooms as well."""
        if (mine := self._rooms_of.get(subscriber)) is not None:
            mine.add(room)
            self._by_room.setdefault(room, set()).add(subscriber)

    def remove_room(self, subscriber: Subscriber, room: RoomKey) -> None:
        """Deliver `room` to this subscriber no more."""
        if (mine := self._rooms_of.get(subscriber)) is not None and room in mine:
            mine.discard(room)
            self._discard(room, subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Deliver nothing to this subscriber any more. Unknown subscribers are no error."""
        self._everywhere.pop(subscriber, None)
        self._wants_signals.discard(subscriber)
        for room in self._rooms_of.pop(subscriber, ()):
            self._discard(room, subscriber)

    def _discard(self, room: RoomKey, subscriber: Subscriber) -> None:
        if subscribers := self._by_room.get(room):
            subscribers.discard(subscriber)
            if not subscribers:
                del self._by_room[room]

    def publish(self, events: Sequence[Event]) -> None:
        """Hand each subscriber the events of this run that it may read, in one delivery."""
        batch = _Batch(events)
        first = events[0].room
        if all(event.room == first for event in events):
            self._publish_room(batch, first)
            return
        indices: dict[RoomKey, list[int]] = {}
        for index, event in enumerate(events):
            indices.setdefault(event.room, []).append(index)
        touched: dict[Subscriber, list[RoomKey]] = {}
        for room in indices:
            for subscriber in self._by_room.get(room, ()):
                touched.setdefault(subscriber, []).append(room)
        for subscriber, excluded in self._everywhere.items():
            touched[subscriber] = [room for room in indices if room not in excluded]
        deliveries: dict[tuple[RoomKey, ...], Delivery] = {}
        for subscriber, rooms in touched.items():
            if not rooms:
                continue
            key = tuple(rooms)
            delivery = deliveries.get(key)
            if delivery is None:
                merged = sorted(index for room in key for index in indices[room])
                delivery = deliveries[key] = Delivery(batch, merged)
            self.deliveries += delivery.size
            subscriber.deliver(delivery)

    def _publish_room(self, batch: _Batch, room: RoomKey) -> None:
        delivery = Delivery(batch, None)
        readers = [*self._by_room.get(room, ())]
        readers += [subscriber for subscriber, excluded in self._everywhere.items() if room not in excluded]
        self.deliveries += delivery.size * len(readers)
        for subscriber in readers:
            subscriber.deliver(delivery)

    def signal(self, room: RoomKey, signal: Signal) -> None:
        """Hand a signal to the subscribers of `room` that asked for signals."""
        if not self._wants_signals:
            return
        out = SignalOut(signal)
        for subscriber in tuple(self._wants_signals):
            excluded = self._everywhere.get(subscriber)
            hears = room not in excluded if excluded is not None else room in self._rooms_of.get(subscriber, ())
            if hears:
                subscriber.signal(out)


class Pump:
    """Takes each commit in order: applies what it changes, then publishes it. Waiters are answered after that.

    Args:
        fanout: Where events go.
    """

    def __init__(self, fanout: Fanout) -> None:
        self._fanout = fanout
        self._appliers: dict[str, list[Callable[[Event], None]]] = {}
        self._watchers: list[Callable[[Sequence[Event]], None]] = []
        self.last_seq = 0

    def apply_with(self, kind: str, applier: Callable[[Event], None]) -> None:
        """Call `applier` for each committed event of this type, at its place in the order, before it is published."""
        self._appliers.setdefault(kind, []).append(applier)

    def watch(self, watcher: Callable[[Sequence[Event]], None]) -> None:
        """Call `watcher` with each batch after it was published: to wake followers. It must be quick."""
        self._watchers.append(watcher)

    def __call__(self, events: Sequence[Event]) -> None:
        """Apply and publish one commit."""
        if not events:
            return
        start = 0
        for index, event in enumerate(events):
            if (appliers := self._appliers.get(event.type)) is None:
                continue
            if index > start:
                self._fanout.publish(events[start:index])
            for applier in appliers:
                applier(event)
            start = index
        self._fanout.publish(events[start:])
        self.last_seq = events[-1].seq
        for watcher in self._watchers:
            watcher(events)
