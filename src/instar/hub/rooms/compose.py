"""Making the event of a message: its stored JSON, its ids, and what a repeat of it must match."""

import hashlib
from collections.abc import Sequence

import msgspec

from instar.base.clock import Micros, now, to_rfc3339
from instar.base.ids import derived_uuid, new_id
from instar.store.seam import Draft, Guard
from instar.wire.events import message_event_id
from instar.wire.messages import Actor, Artifact, Message, Origin, Part
from instar.wire.names import fqid

from .admission import Admitted
from .content import is_plain
from .state import RoomState

ENCODER = msgspec.json.Encoder()


class Words(msgspec.Struct, frozen=True):
    """What a sender says, checked: everything of a message but its place and time."""

    message_id: str
    sender: Actor
    parts: Sequence[Part]
    explicit: Sequence[str] = ()
    """The mentions that the sender listed."""
    mentions: Sequence[str] = ()
    """Everybody that it mentions, as FQIDs."""
    reply_to: str = ""
    run: str = ""
    origin: Origin | None = None
    """Where it was first stored, when that was another network."""


def message_id_for(principal: str, idempotency_key: str) -> str:
    """Return a fresh message id; with an idempotency key the one that every repeat of the request gets."""
    return "msg_" + derived_uuid(f"{principal}\x1f{idempotency_key}") if idempotency_key else new_id("msg")


def message_draft(room: RoomState, words: Words, admitted: Admitted, actor: str, guards: tuple[Guard, ...]) -> Draft:
    """Return the event of a message in `room`, dated now."""
    at = now()
    message = Message(
        words.message_id,
        room.network_id,
        words.origin or Origin(room.network_id, words.message_id),
        room.target,  # pyright: ignore[reportArgumentType] - only system rooms have none, and nobody may write there
        words.sender,
        words.parts,  # pyright: ignore[reportArgumentType] - encoded, never changed
        to_rfc3339(at),
        words.mentions,  # pyright: ignore[reportArgumentType]
        words.reply_to,
        admitted.cause,
        admitted.hops,
        words.run,
    )
    return Draft(
        room=room.key,
        id=message_event_id(words.message_id),
        type="message.created",
        payload=ENCODER.encode(message),
        created_at=at,
        actor=actor,
        counted=True,
        content=_content(room, words),
        guards=guards,
    )


def _content(room: RoomState, words: Words) -> bytes:
    """Return the digest of what the sender chose: a repeat may differ in time, cause and run only."""
    sender = words.sender
    chosen = (room.key, sender.type, sender.fqid, words.parts, words.explicit, words.reply_to, words.origin)
    return hashlib.sha256(ENCODER.encode(chosen)).digest()


def artifacts_of(room: RoomState, message_id: str, parts: Sequence[Part], at: Micros) -> list[Artifact]:
    """Return the artifacts of a message: one for each part that is not plain text."""
    return [
        Artifact(
            id=(artifact_id := f"art_{message_id}_{index}"),
            network_id=room.network_id,
            fqid=fqid(room.network_id, "artifacts", artifact_id),
            message_id=message_id,
            target=room.target,  # pyright: ignore[reportArgumentType] - see message_draft
            part_index=index,
            kind=part.kind,
            created_at=to_rfc3339(at),
            media_type=part.media_type,
            filename=part.filename,
            url=part.url,
            blob=part.blob,
        )
        for index, part in enumerate(parts)
        if not is_plain(part)
    ]
