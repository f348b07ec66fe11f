"""The rooms of the org in memory, changed only by the pump, so that decisions follow the order of the log."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

import msgspec

from instar.base.clock import Micros
from instar.bus.fanout import Pump
from instar.hub.identity.authority import Authority
from instar.hub.identity.principals import Caller
from instar.wire.events import SYSTEM_ROOMS, Event, RoomKey
from instar.wire.messages import Target, TargetKind
from instar.wire.names import Network, room_key, split_key
from instar.wire.operation import ObjectKind, Verb
from instar.wire.rooms import DirectConversation, Room, RoomKind, Thread, Visibility, WritePolicy
from instar.wire.sessions import SessionEvent

from .state import RoomState, Rules


class Directory:
    """The projection of tables `rooms` and `members`.

    Args:
        network: The local network.
        authority: Decides which rooms a caller reads.
    """

    def __init__(self, network: Network, authority: Authority) -> None:
        self._network = network
        self._authority = authority
        self._rooms: dict[RoomKey, RoomState] = {}
        self._of_member: dict[str, set[RoomKey]] = {}
        self._threads: dict[RoomKey, list[RoomState]] = {}
        self._public: set[RoomKey] = set()
        self._begun_anew: dict[RoomKey, int] = {}
        self._sorted: dict[RoomKind, list[RoomState]] = {}
        self._listeners: list[Callable[[RoomState], None]] = []
        for key in SYSTEM_ROOMS:
            rules = Rules("", Visibility.PRIVATE, WritePolicy.OPERATORS)
            self._rooms[key] = RoomState(key, split_key(key)[1], RoomKind.SYSTEM, network.id, Micros(0), rules)

    def connect(self, pump: Pump) -> None:
        """Follow the log's changes of rooms from now on."""
        pump.apply_with("room.created", self._room_created)
        pump.apply_with("room.updated", self._room_updated)
        pump.apply_with("room.members.updated", self._members_updated)
        pump.apply_with("room.removed", self._room_removed)
        pump.apply_with("thread.created", self._thread_created)
        pump.apply_with("dm.created", self._dm_created)
        pump.apply_with("session.opened", self._session_begun)
        pump.apply_with("session.reset", self._session_begun)
        pump.apply_with("session.updated", self._session_updated)
        pump.apply_with("session.removed", self._room_removed)

    def on_change(self, listener: Callable[[RoomState], None]) -> None:
        """Call `listener` after a room was created or changed, at that event's place in the order.

        A change of a room is reported for each of its threads as well. It must be quick and must not raise.
        """
        self._listeners.append(listener)

    def get(self, key: RoomKey) -> RoomState | None:
        """Return the room of this key, a removed one included, or None."""
        return self._rooms.get(key)

    def at(self, key: RoomKey, seq: int) -> RoomState | None:
        """Return the room as it is to who asks for what has this `seq`; see `RoomState.at`."""
        room = self._rooms.get(key)
        return None if room is None else room.at(seq)

    @property
    def begun_anew(self) -> Mapping[RoomKey, int]:
        """Sessions of a later generation, each with the `seq` after which that begins."""
        return self._begun_anew

    def of(self, target: Target) -> RoomState | None:
        """Return the existing conversation that `target` names, or None. A thread is found by its id alone."""
        if target.kind is TargetKind.ROOM:
            return self._rooms.get(room_key("room", target.room_id))
        if target.kind is TargetKind.THREAD:
            return self._rooms.get(room_key("thread", target.thread_id))
        if target.kind is TargetKind.SESSION:
            return self._rooms.get(room_key("session", target.session_id))
        return self._rooms.get(room_key("dm", target.dm_id))

    def of_member(self, member: str) -> frozenset[RoomKey]:
        """Return every conversation that this canonical member is in, removed ones not."""
        return self._with_threads(self._of_member.get(member, ()))

    def readable(self, caller: Caller) -> frozenset[RoomKey] | None:
        """Return the rooms that `caller` reads; None: all but the authority's hidden system rooms."""
        if self._authority.reads_everywhere(caller):
            return None
        near: set[RoomKey] = set(self._public)
        near.update(SYSTEM_ROOMS)
        for member in self._authority.identities(caller):
            near.update(self._of_member.get(member, ()))
        return self._with_threads(key for key in near if self.may_read(caller, self._rooms[key]))

    def may_read(self, caller: Caller, room: RoomState) -> bool:
        """Whether `caller` reads `room`."""
        return self._authority.may(caller, Verb.READ, ObjectKind.ROOM, room).allowed

    def all(self, kind: RoomKind) -> list[RoomState]:
        """Return the rooms of one kind that are not removed, sorted by id."""
        if kind not in self._sorted:
            self._sorted[kind] = sorted(
                (room for room in self._rooms.values() if room.kind is kind and not room.is_removed),
                key=lambda room: room.id,
            )
        return self._sorted[kind]

    def threads_of(self, key: RoomKey) -> list[RoomState]:
        """Return the threads of a room, sorted by id."""
        return sorted(self._threads.get(key, ()), key=lambda thread: thread.id)

    def removed(self) -> frozenset[RoomKey]:
        """Return every room that was removed, and their threads."""
        return frozenset(room.key for room in self._rooms.values() if room.is_removed)

    def add(self, room: RoomState) -> None:
        """Enter a room that the tables already hold; used by `load`."""
        self._rooms[room.key] = room
        if room.parent_room is not None:
            self._threads.setdefault(room.parent_room.key, []).append(room)
        self._index(room, Rules(""))

    def _with_threads(self, keys: Iterable[RoomKey]) -> frozenset[RoomKey]:
        found: set[RoomKey] = set()
        for key in keys:
            found.add(key)
            found.update(thread.key for thread in self._threads.get(key, ()))
        return frozenset(found)

    def _index(self, room: RoomState, before: Rules) -> None:
        """Bring the indexes from the rules `before` to the room's own."""
        now = room.own
        members = frozenset(now.members if now.removed_at is None else ())
        for member in before.members.keys() - members:
            self._of_member.get(member, set()).discard(room.key)
        for member in members:
            self._of_member.setdefault(member, set()).add(room.key)
        is_public = now.visibility is Visibility.PUBLIC and now.removed_at is None and room.parent_room is None
        (self._public.add if is_public else self._public.discard)(room.key)
        if now.begins_after:
            self._begun_anew[room.key] = now.begins_after
        self._sorted.clear()

    def _enter(self, room: RoomState) -> None:
        self.add(room)
        self._tell(room)

    def _replace(self, key: RoomKey, rules: Rules) -> None:
        room = self._rooms[key]
        before = room.own
        room.become(rules)
        self._index(room, before)
        self._tell(room)
        for thread in self._threads.get(key, ()):
            self._tell(thread)

    def _tell(self, room: RoomState) -> None:
        for listener in self._listeners:
            listener(room)

    def _room_created(self, event: Event) -> None:
        made = msgspec.json.decode(event.payload, type=Room)
        members = MappingProxyType(dict.fromkeys(made.members, event.seq))
        rules = Rules(made.name, made.visibility, made.write_policy, members)
        self._enter(RoomState(event.room, made.id, RoomKind.ROOM, self._network.id, event.created_at, rules))

    def _room_updated(self, event: Event) -> None:
        made = msgspec.json.decode(event.payload, type=Room)
        own = self._rooms[event.room].own
        rules = replace(own, name=made.name, visibility=made.visibility, write_policy=made.write_policy)
        self._replace(event.room, rules.next())

    def _members_updated(self, event: Event) -> None:
        made = msgspec.json.decode(event.payload, type=Room)
        self._replace(event.room, self._rooms[event.room].own.with_members(made.members, event.seq))

    def _room_removed(self, event: Event) -> None:
        self._replace(event.room, replace(self._rooms[event.room].own, removed_at=event.created_at).next())

    def _thread_created(self, event: Event) -> None:
        made = msgspec.json.decode(event.payload, type=Thread)
        key = room_key("thread", made.id)
        parent = self._rooms[event.room]
        thread = RoomState(
            key, made.id, RoomKind.THREAD, self._network.id, event.created_at, Rules(""), parent, made.parent_message_id
        )
        self._enter(thread)

    def _dm_created(self, event: Event) -> None:
        made = msgspec.json.decode(event.payload, type=DirectConversation)
        members = MappingProxyType(dict.fromkeys(made.participant_ids, event.seq))
        rules = Rules("", members=members)
        self._enter(RoomState(event.room, made.id, RoomKind.DM, self._network.id, event.created_at, rules))

    def _session_begun(self, event: Event) -> None:
        made = msgspec.json.decode(event.payload, type=SessionEvent)
        known = self._rooms.get(event.room)
        if known is None:
            rules = Rules(made.label, members=MappingProxyType(dict.fromkeys(made.members, event.seq)))
            session = RoomState(event.room, made.id, RoomKind.SESSION, self._network.id, event.created_at, rules)
            self._enter(session)
            return
        known.created_at = event.created_at
        self._replace(event.room, known.own.begun_anew(made.label, made.members, made.generation, event.seq))

    def _session_updated(self, event: Event) -> None:
        made = msgspec.json.decode(event.payload, type=SessionEvent)
        own = replace(self._rooms[event.room].own, name=made.label)
        self._replace(event.room, own.with_members(made.members, event.seq))
