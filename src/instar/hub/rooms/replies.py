"""Replies: a message may answer another one of its own conversation, or of a thread's room."""

from instar.store.seam import HOME, Reader
from instar.wire.events import message_event_id

from .content import refuse
from .state import RoomState


async def check_reply(reader: Reader, room: RoomState, reply_to: str) -> None:
    """Check that `reply_to` is a message of this conversation, or of its room.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    event_id = message_event_id(reply_to)
    row = await reader.row("SELECT room, seq FROM events WHERE org = ?1 AND id = ?2", HOME, event_id)
    if row is None or row[0] not in {room.key, room.parent} or row[1] <= room.begins_after:
        raise refuse(f"reply_to {reply_to!r} is no message of this conversation")
