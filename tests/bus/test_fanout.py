"""Fan-out: each reader gets what it may read, once, in order, rendered once per dialect."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from instar.base.clock import Micros
from instar.bus.fanout import Delivery, Fanout, Pump, SignalOut
from instar.wire.events import Event, RoomKey
from instar.wire.runs import PresenceSignal, Signal

A, B, C = RoomKey("room:a"), RoomKey("room:b"), RoomKey("room:c")
ROOMS = (A, B, C)


def event(seq: int, room: RoomKey = A, kind: str = "message.created") -> Event:
    return Event(seq, 0, "home", room, f"evt_{seq}", kind, "", Micros(0), b"{}", b"", b"")


class Renderer:
    def __init__(self) -> None:
        self.rendered = 0
        self.joined = 0
        self.signals = 0

    def render(self, each: Event) -> bytes:
        self.rendered += 1
        return b"%d," % each.seq

    def join(self, rendered: Sequence[bytes]) -> bytes:
        self.joined += 1
        return b"".join(rendered)

    def signal(self, signal: Signal) -> bytes:
        self.signals += 1
        return b"s"


class Reader:
    def __init__(self, renderer: Renderer) -> None:
        self.renderer = renderer
        self.seqs: list[int] = []
        self.writes: list[bytes] = []
        self.heard: list[bytes] = []

    def deliver(self, delivery: Delivery) -> None:
        self.seqs += [each.seq for each in delivery.events]
        assert delivery.last_seq == self.seqs[-1]
        self.writes.append(delivery.rendered(self.renderer))

    def signal(self, signal: SignalOut) -> None:
        self.heard.append(signal.rendered(self.renderer))


@given(
    rooms=st.lists(st.sampled_from(ROOMS), min_size=1, max_size=12),
    subscriptions=st.lists(st.sets(st.sampled_from(ROOMS)), max_size=6),
    excluded=st.sets(st.sampled_from(ROOMS)),
)
def test_each_reader_gets_its_rooms_in_order_in_one_write(
    rooms: list[RoomKey], subscriptions: list[set[RoomKey]], excluded: set[RoomKey]
) -> None:
    fanout, renderer = Fanout(), Renderer()
    readers = [Reader(renderer) for _ in subscriptions]
    for reader, mine in zip(readers, subscriptions, strict=True):
        fanout.subscribe(reader, mine)
    observer = Reader(renderer)
    fanout.subscribe_everywhere(observer, frozenset(excluded))
    events = [event(seq, room) for seq, room in enumerate(rooms, 1)]
    fanout.publish(events)
    for reader, mine in [*zip(readers, subscriptions, strict=True), (observer, set(ROOMS) - excluded)]:
        wanted = [each.seq for each in events if each.room in mine]
        assert reader.seqs == wanted
        assert reader.writes == ([b"".join(b"%d," % seq for seq in wanted)] if wanted else [])
    assert renderer.rendered <= len(events)
    assert fanout.deliveries == sum(len(reader.seqs) for reader in [*readers, observer])


def test_readers_of_the_same_rooms_share_the_bytes() -> None:
    fanout, renderer = Fanout(), Renderer()
    readers = [Reader(renderer) for _ in range(50)]
    for reader in readers:
        fanout.subscribe(reader, [A, B])
    fanout.publish([event(1, A), event(2, B), event(3, A)])
    assert renderer.rendered == 3
    assert renderer.joined == 1
    assert len({id(reader.writes[0]) for reader in readers}) == 1


def test_rooms_come_and_go() -> None:
    fanout, reader = Fanout(), Reader(Renderer())
    fanout.subscribe(reader, [A])
    fanout.add_room(reader, B)
    fanout.publish([event(1, B)])
    fanout.remove_room(reader, B)
    fanout.remove_room(reader, C)
    fanout.publish([event(2, B)])
    assert reader.seqs == [1]
    fanout.unsubscribe(reader)
    fanout.unsubscribe(reader)
    fanout.publish([event(3, A)])
    assert reader.seqs == [1]
    assert len(fanout) == 0


def test_an_observer_takes_no_single_rooms() -> None:
    fanout, observer = Fanout(), Reader(Renderer())
    fanout.subscribe_everywhere(observer, frozenset([B]))
    fanout.add_room(observer, B)
    fanout.remove_room(observer, A)
    fanout.publish([event(1, A), event(2, B)])
    assert observer.seqs == [1]


def test_signals_go_to_those_who_asked_and_may_read() -> None:
    fanout, renderer = Fanout(), Renderer()
    asked, elsewhere, silent, observer, blind = (Reader(renderer) for _ in range(5))
    fanout.subscribe(asked, [A], signals=True)
    fanout.subscribe(elsewhere, [B], signals=True)
    fanout.subscribe(silent, [A])
    fanout.subscribe_everywhere(observer, frozenset(), signals=True)
    fanout.subscribe_everywhere(blind, frozenset([A]), signals=True)
    fanout.signal(A, PresenceSignal("guide", "busy"))
    assert [reader.heard for reader in (asked, elsewhere, silent, observer, blind)] == [[b"s"], [], [], [b"s"], []]
    assert renderer.signals == 1


def test_the_pump_applies_at_the_place_of_the_event_then_publishes() -> None:
    fanout = Fanout()
    pump = Pump(fanout)
    member = Reader(Renderer())
    fanout.subscribe(member, [])
    order: list[object] = []
    pump.apply_with("room.members.updated", lambda each: (order.append(each.seq), fanout.add_room(member, A)))
    pump.watch(lambda batch: order.append([each.seq for each in batch]))
    pump([event(1), event(2, A, "room.members.updated"), event(3)])
    assert member.seqs == [2, 3]
    assert order == [2, [1, 2, 3]]
    assert pump.last_seq == 3
    pump([])
    assert pump.last_seq == 3
