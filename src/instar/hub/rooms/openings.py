"""Finding the conversation of a message; threads and direct conversations begin with their first one."""

from types import MappingProxyType

from instar.base.clock import now
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.hub.identity.missing import missing
from instar.store.seam import HOME, AppendResult, Conflict, Draft, Guard, GuardFailed, Transaction
from instar.wire.events import Event, RoomKey, message_event_id
from instar.wire.messages import Actor, Target, TargetKind
from instar.wire.names import Network, room_key
from instar.wire.rooms import DirectConversation, RoomKind, Thread

from .compose import ENCODER
from .content import refuse
from .directory import Directory
from .participants import canonical_dm_id, canonical_members, member_of
from .state import RoomState, Rules

INSERT_ROOM = (
    "INSERT INTO rooms (org, key, kind, id, name, parent, parent_message_id, visibility, write_policy, revision,"
    " created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
)
INSERT_MEMBER = "INSERT INTO members (org, room, member, since_seq) VALUES (?1, ?2, ?3, ?4)"


class DecideAnewError(Exception):
    """Inside a transaction: what was decided no longer holds; undo it and decide again."""


class Openings:
    """Finds conversations, and opens those that may begin by themselves."""

    def __init__(self, directory: Directory, network: Network) -> None:
        self._directory = directory
        self._network = network

    def find(self, target: Target, sender: Actor) -> tuple[RoomState, bool]:
        """Return the conversation of a checked target, and whether it is yet to be opened.

        Raises:
            InstarError: `not_found` for an unknown or removed room; `conflict` when a direct conversation has other
                participants; `unprocessable_entity` for a new one with less than two.
        """
        if target.kind is TargetKind.DM:
            return self._find_dm(target, sender)
        if target.kind is TargetKind.SESSION:
            return self._find_session(target), False
        room = self._directory.get(room_key("room", target.room_id))
        if room is None or room.is_removed:
            raise missing("room", target.room_id)
        if target.kind is TargetKind.ROOM:
            return room, False
        thread = self._directory.of(target)
        if thread is None:
            return self._draft_thread(room, target), True
        # A thread of another room is refused once the sender has proved the right to write here (`check_place`).
        return (thread if thread.parent_room is room else self._draft_thread(room, target)), False

    def _find_session(self, target: Target) -> RoomState:
        session = self._directory.of(target)
        if session is None or session.is_removed:
            raise missing("session", target.session_id)
        return session

    def check_place(self, room: RoomState, target: Target) -> None:
        """Refuse a thread that lives elsewhere or began at another message, after the sender was authorised.

        Raises:
            InstarError: `conflict`.
        """
        if room.kind is RoomKind.THREAD and (known := self._directory.get(room.key)) is not None:
            check_thread(known.parent, known.parent_message_id, room.parent, target)

    def _draft_thread(self, room: RoomState, target: Target) -> RoomState:
        return RoomState(
            room_key("thread", target.thread_id),
            target.thread_id,
            RoomKind.THREAD,
            self._network.id,
            now(),
            Rules(""),
            room,
            target.parent_message_id,
        )

    def _find_dm(self, target: Target, sender: Actor) -> tuple[RoomState, bool]:
        me = member_of(sender, self._network.id)
        named = canonical_members([*target.participant_ids, me], self._network.id)
        dm = self._directory.get(room_key("dm", target.dm_id or canonical_dm_id(named)))
        if dm is not None:
            return dm, False
        if not target.participant_ids:
            raise missing("dm", target.dm_id)
        return self.draft_dm(target.dm_id or canonical_dm_id(named), named), True

    def check_participants(self, room: RoomState, target: Target) -> None:
        """Refuse participants that a direct conversation does not have, after the sender was authorised.

        Raises:
            InstarError: `conflict`.
        """
        if room.kind is RoomKind.DM and target.participant_ids:
            named = canonical_members(target.participant_ids, self._network.id)
            if strangers := [member for member in named if not room.has_member(member)]:
                raise InstarError(
                    "conflict",
                    f"{', '.join(strangers)} takes no part in direct conversation {room.id!r}",
                    hint="Its participants are fixed; open another one with these.",
                )

    def draft_dm(self, dm_id: str, participants: list[str]) -> RoomState:
        """Return a direct conversation that is not stored yet.

        Raises:
            InstarError: `unprocessable_entity` with less than two participants.
        """
        if len(participants) < 2:
            raise refuse("a direct conversation needs two participants", "Name somebody besides the sender.")
        members = MappingProxyType(dict.fromkeys(participants, 0))
        key = room_key("dm", dm_id)
        return RoomState(key, dm_id, RoomKind.DM, self._network.id, now(), Rules("", members=members))


def check_thread(parent: str, parent_message_id: str, wanted_parent: str, target: Target) -> None:
    """Refuse a target that contradicts where its thread lives or began.

    Raises:
        InstarError: `conflict`.
    """
    if parent != wanted_parent:
        raise InstarError("conflict", f"thread {target.thread_id!r} lives in another room", hint="Use a new thread id.")
    if target.parent_message_id and target.parent_message_id != parent_message_id:
        raise InstarError(
            "conflict",
            f"thread {target.thread_id!r} did not begin at message {target.parent_message_id!r}",
            hint="Leave out `parent_message_id` for a thread that exists.",
        )


async def open_thread(
    tx: Transaction, thread: RoomState, target: Target, actor: str, guards: tuple[Guard, ...]
) -> bool:
    """Store a thread and append `thread.created` to its room. False: somebody was quicker, it is there already.

    Raises:
        InstarError: `conflict` when it was opened elsewhere; `unprocessable_entity` when its parent message is none
            of the room's.
        DecideAnewError: A guard no longer holds.
    """
    row = await tx.row("SELECT parent, parent_message_id FROM rooms WHERE org = ?1 AND key = ?2", HOME, thread.key)
    if row is not None:
        check_thread(row[0], row[1], thread.parent, target)
        return False
    if thread.parent_message_id:
        await _check_parent(tx, thread)
    made = Thread(
        id=thread.id,
        network_id=thread.network_id,
        fqid=thread.fqid,
        room_id=target.room_id,
        message_count=0,
        last_message_at="",
        parent_message_id=thread.parent_message_id,
    )
    at = now()
    parent = RoomKey(thread.parent)
    await append(tx, Draft(parent, new_id("evt"), "thread.created", ENCODER.encode(made), at, actor, guards=guards))
    await tx.execute(
        INSERT_ROOM,
        HOME,
        thread.key,
        RoomKind.THREAD.value,
        thread.id,
        "",
        thread.parent,
        thread.parent_message_id,
        thread.own.visibility.value,
        thread.own.write_policy.value,
        1,
        at,
    )
    return True


async def _check_parent(tx: Transaction, thread: RoomState) -> None:
    row = await tx.row(
        "SELECT room FROM events WHERE org = ?1 AND id = ?2", HOME, message_event_id(thread.parent_message_id)
    )
    if row is None or row[0] != thread.parent:
        raise refuse(f"target.parent_message_id {thread.parent_message_id!r} is no message of the room")


async def open_dm(tx: Transaction, dm: RoomState, actor: str) -> bool:
    """Store a direct conversation and append `dm.created`. False: somebody was quicker, it is there already.

    Raises:
        DecideAnewError: It is there with other participants.
    """
    participants = sorted(dm.members)
    rows = await tx.rows("SELECT member FROM members WHERE org = ?1 AND room = ?2 ORDER BY member", HOME, dm.key)
    if rows:
        if [row[0] for row in rows] != participants:
            raise DecideAnewError
        return False
    at = now()
    made = DirectConversation(
        id=dm.id,
        network_id=dm.network_id,
        fqid=dm.fqid,
        participant_ids=participants,
        message_count=0,
        last_message_at="",
    )
    event = await append(tx, Draft(dm.key, new_id("evt"), "dm.created", ENCODER.encode(made), at, actor))
    await tx.execute(
        INSERT_ROOM,
        HOME,
        dm.key,
        RoomKind.DM.value,
        dm.id,
        "",
        "",
        "",
        dm.own.visibility.value,
        dm.own.write_policy.value,
        1,
        at,
    )
    for member in participants:
        await tx.execute(INSERT_MEMBER, HOME, dm.key, member, event.seq)
    return True


async def append(tx: Transaction, draft: Draft) -> Event:
    """Append within a transaction and return the event.

    Raises:
        DecideAnewError: A guard no longer holds.
        InstarError: `id_reused` when the id is taken by other content.
    """
    return settled(await tx.append(draft))


def settled(result: AppendResult) -> Event:
    """Return the event of an append, a repeated one included.

    Raises:
        DecideAnewError: A guard no longer holds.
        InstarError: `id_reused` when the id is taken by other content.
    """
    if isinstance(result, GuardFailed):
        raise DecideAnewError
    if isinstance(result, Conflict):
        raise id_reused(result.event)
    return result.event


def id_reused(first: Event) -> InstarError:
    """Return the error for an id that other content has, with what it first named."""
    return InstarError(
        "id_reused",
        f"event {first.id} was stored before with other content",
        detail={"event_id": first.id, "seq": first.seq},
    )
