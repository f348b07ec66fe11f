"""A room as the hub decides with it: a stable object whose rules are replaced as a whole, never changed in place."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from instar.base.clock import Micros
from instar.store.seam import Guard
from instar.wire.events import RoomKey
from instar.wire.messages import Target, TargetKind
from instar.wire.names import fqid
from instar.wire.rooms import RoomKind, Visibility, WritePolicy

_NOBODY: Mapping[str, int] = MappingProxyType({})
_PLURALS = {RoomKind.ROOM: "rooms", RoomKind.THREAD: "threads", RoomKind.DM: "dms"}


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may read and write a room at one moment; a new revision is a new object."""

    name: str
    visibility: Visibility = Visibility.PRIVATE
    write_policy: WritePolicy = WritePolicy.MEMBERS
    members: Mapping[str, int] = field(default_factory=lambda: _NOBODY)
    """Canonical member → the `seq` after which its inbox begins."""
    revision: int = 1
    removed_at: Micros | None = None
    generation: int = 1
    """Of a session: rises when it begins anew."""
    begins_after: int = 0
    """What has no greater `seq` is no part of the conversation: it belongs to an earlier generation."""

    def with_members(self, members: list[str], since_seq: int) -> "Rules":
        """Return the next revision with exactly these members; who was one before keeps its beginning."""
        kept = {member: self.members.get(member, since_seq) for member in members}
        return replace(self, members=MappingProxyType(kept)).next()

    def next(self) -> "Rules":
        """Return these rules as the next revision."""
        return replace(self, revision=self.revision + 1)

    def begun_anew(self, label: str, members: list[str], generation: int, seq: int) -> "Rules":
        """Return the next revision of a session whose event `seq` began another generation with these members."""
        since: Mapping[str, int] = MappingProxyType(dict.fromkeys(members, seq))
        anew = replace(self, name=label, members=since, generation=generation, begins_after=seq - 1, removed_at=None)
        return anew.next()


@dataclass(slots=True, eq=False)
class RoomState:
    """One room, thread, direct conversation or system room. Threads answer with their parent's rules.

    The object of a key is the same for the life of the hub, so it may be kept and compared by identity.
    """

    key: RoomKey
    id: str
    kind: RoomKind
    network_id: str
    created_at: Micros
    own: Rules
    parent_room: "RoomState | None" = None
    parent_message_id: str = ""
    fqid: str = field(init=False)
    target: Target | None = field(init=False)
    """The target that its messages carry; None for system rooms."""

    def __post_init__(self) -> None:
        self.fqid = fqid(self.network_id, _PLURALS[self.kind], self.id) if self.kind in _PLURALS else ""
        self.target = self._target()

    def _target(self) -> Target | None:
        if self.kind is RoomKind.ROOM:
            return Target(TargetKind.ROOM, room_id=self.id)
        if self.kind is RoomKind.THREAD and self.parent_room is not None:
            return Target(TargetKind.THREAD, self.parent_room.id, self.id, self.parent_message_id)
        if self.kind is RoomKind.DM:
            return Target(TargetKind.DM, dm_id=self.id, participant_ids=sorted(self.own.members))
        if self.kind is RoomKind.SESSION:
            return Target(TargetKind.SESSION, session_id=self.id, participant_ids=sorted(self.own.members))
        return None

    def become(self, rules: Rules) -> None:
        """Take other rules."""
        self.own = rules
        self.target = self._target()

    def at(self, seq: int) -> "RoomState":
        """Return the room as it is to who asks for what has this `seq`.

        An earlier generation of a session has no members: who may observe every room reads it, and nobody else.
        """
        own = self.own
        if seq > own.begins_after:
            return self
        return replace(self, own=Rules(own.name, revision=own.revision, removed_at=own.removed_at))

    @property
    def parent(self) -> str:
        """The key of a thread's room; empty for others."""
        return "" if self.parent_room is None else self.parent_room.key

    @property
    def rules(self) -> Rules:
        """The rules in force: one consistent snapshot."""
        return self.own if self.parent_room is None else self.parent_room.own

    @property
    def guard(self) -> Guard:
        """The condition that the rules in force have not changed."""
        holder = self if self.parent_room is None else self.parent_room
        return Guard("rooms", holder.key, holder.own.revision)

    @property
    def name(self) -> str:
        """The display name; the id when none was given."""
        return self.own.name or self.id

    @property
    def visibility(self) -> Visibility:
        """Who may read it besides members and observers."""
        return self.rules.visibility

    @property
    def write_policy(self) -> WritePolicy:
        """Who may send into it."""
        return self.rules.write_policy

    @property
    def is_removed(self) -> bool:
        """Whether it, or a thread's room, was removed."""
        return self.rules.removed_at is not None

    @property
    def members(self) -> Mapping[str, int]:
        """Canonical member → the `seq` after which its inbox begins."""
        return self.rules.members

    @property
    def begins_after(self) -> int:
        """What has no greater `seq` is no part of the conversation; 0 for all but sessions that began anew."""
        return self.own.begins_after

    @property
    def revision(self) -> int:
        """The revision of the rules in force."""
        return self.rules.revision

    def has_member(self, member: str) -> bool:
        """Whether this canonical member (plain id, or `net:id`) is in it."""
        return member in self.rules.members
