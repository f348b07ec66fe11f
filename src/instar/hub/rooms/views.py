"""Rooms as callers see them."""

from instar.base.clock import to_rfc3339
from instar.hub.identity.authority import Authority
from instar.hub.identity.principals import Caller
from instar.wire.names import fqid
from instar.wire.operation import ObjectKind, Verb
from instar.wire.rooms import Access, DirectConversation, Room, RoomKind, Thread, Visibility

from .counts import NO_HEAD, NO_MARKER, Head, Unread
from .state import RoomState


def room_view(room: RoomState, head: Head = NO_HEAD, unread: Unread = NO_MARKER, access: Access | None = None) -> Room:
    """Return a room; without `access` it is what events and the answers to changes carry."""
    return Room(
        id=room.id,
        network_id=room.network_id,
        fqid=room.fqid,
        name=room.name,
        visibility=room.visibility,
        write_policy=room.write_policy,
        created_at=to_rfc3339(room.created_at),
        members=sorted(room.members),
        access=access,
        message_count=head.messages,
        last_message_at=head.last_message_text,
        unread_count=unread.messages,
        last_read_seq=unread.last_read_seq,
        last_seq=head.seq,
    )


def thread_view(thread: RoomState, head: Head = NO_HEAD) -> Thread:
    """Return a thread."""
    return Thread(
        id=thread.id,
        network_id=thread.network_id,
        fqid=thread.fqid,
        room_id=thread.parent_room.id if thread.parent_room else "",
        message_count=head.messages,
        last_message_at=head.last_message_text,
        parent_message_id=thread.parent_message_id,
    )


def dm_view(dm: RoomState, head: Head = NO_HEAD, unread: Unread = NO_MARKER) -> DirectConversation:
    """Return a direct conversation, or a session as Moltnet's clients know it: its key is its id."""
    is_session = dm.kind is RoomKind.SESSION
    return DirectConversation(
        id=dm.key if is_session else dm.id,
        network_id=dm.network_id,
        fqid=fqid(dm.network_id, "dms", dm.key) if is_session else dm.fqid,
        participant_ids=sorted(dm.members),
        message_count=head.messages,
        last_message_at=head.last_message_text,
        unread_count=unread.messages,
        last_read_seq=unread.last_read_seq,
    )


def access_of(authority: Authority, caller: Caller, room: RoomState) -> Access:
    """Return what `caller` may do in `room`, and by which rule."""
    reading = "public-read" if room.visibility is Visibility.PUBLIC else "private"
    return Access(
        authority.may(caller, Verb.READ, ObjectKind.ROOM, room).allowed,
        authority.may(caller, Verb.SEND, ObjectKind.ROOM, room).allowed,
        f"{reading}/{room.write_policy}-write",
    )
