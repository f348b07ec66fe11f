"""An agent's message inside somebody else's transaction: judged by the tables, for it runs beside the event loop."""

import msgspec

from instar.base.errors import InstarError
from instar.store.log import by_id
from instar.store.seam import Appended, Guard, Transaction
from instar.wire.events import Event, RoomKey
from instar.wire.messages import Message
from instar.wire.names import Network
from instar.wire.rooms import RoomKind, WritePolicy

from .admission import Admitted
from .attachments import EVERY_FILE, check_blobs, store_artifacts
from .compose import Words, message_draft
from .content import check_message_id, check_parts
from .load import read_room
from .mentions import MemberNames, resolve
from .openings import settled
from .replies import check_reply
from .state import RoomState


async def speak(tx: Transaction, network: Network, key: RoomKey, words: Words, cause: str) -> Event:
    """Append `words` to the room of this key; see `Messages.append_as`."""
    room = await read_room(tx, key, network)
    if room is None or room.is_removed or room.kind is RoomKind.SYSTEM:
        raise InstarError("not_found", f"there is no conversation {key!r}")
    _check_membership(room, words.sender.id)
    admitted = Admitted(await _hops_after(tx, cause), cause)
    return await say(tx, network, room, words, admitted, words.sender.id)


async def say(
    tx: Transaction,
    network: Network,
    room: RoomState,
    words: Words,
    admitted: Admitted,
    actor: str,
    guards: tuple[Guard, ...] = (),
) -> Event:
    """Append `words` to a room whose rules admit them."""
    check_message_id(words.message_id)
    is_plain = check_parts(words.parts)
    await check_blobs(tx, words.parts, EVERY_FILE)
    if words.reply_to:
        await check_reply(tx, room, words.reply_to)
    mentions = resolve(words.explicit, words.parts, MemberNames(room.members, network))
    said = msgspec.structs.replace(words, mentions=mentions)
    draft = message_draft(room, said, admitted, actor, guards)
    result = await tx.append(draft)
    event = settled(result)
    if not is_plain and isinstance(result, Appended) and not result.is_duplicate:
        await store_artifacts(tx, room, event.seq, words.message_id, words.parts, draft.created_at)
    return event


def _check_membership(room: RoomState, agent_id: str) -> None:
    is_open = room.kind is not RoomKind.DM and room.write_policy is WritePolicy.REGISTERED_AGENTS
    if not is_open and (room.write_policy is WritePolicy.OPERATORS or not room.has_member(agent_id)):
        raise InstarError("forbidden", f"agent {agent_id!r} may not write in {room.key}")


async def _hops_after(tx: Transaction, cause: str) -> int:
    """Return the hops of an answer to `cause`: one more than the message's; 1 when it is no message."""
    event = await by_id(tx, cause) if cause else None
    if event is None:
        return 0
    return msgspec.json.decode(event.payload, type=Message).hops + 1 if event.type == "message.created" else 1
