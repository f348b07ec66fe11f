"""Messages as they are read: edits, reactions and redactions folded into what was stored."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from instar.store.seam import HOME, Reader
from instar.wire.events import Event
from instar.wire.messages import Edit, Message, Reaction

from .placeholders import numbered

_MESSAGE = msgspec.json.Decoder(Message)
_EDIT = msgspec.json.Decoder(Edit)
_REACTIONS = msgspec.json.Decoder(list[Reaction])


class Changes(NamedTuple):
    """What happened to a message after it was sent. Of a redacted message only the tombstone is left."""

    edit: Edit | None = None
    reactions: tuple[Reaction, ...] = ()


UNCHANGED = Changes()


def message_of(event: Event) -> Message:
    """Return a message as it was stored, or the tombstone that replaced it."""
    return _MESSAGE.decode(event.payload)


def fold(event: Event, changes: Changes = UNCHANGED) -> Message:
    """Return the message of an event as it is read now."""
    return _folded(message_of(event), event.seq, changes)


def _folded(message: Message, seq: int, changes: Changes) -> Message:
    if message.redaction is not None or changes is UNCHANGED:
        return msgspec.structs.replace(message, seq=seq)
    reactions = list(changes.reactions)
    if (edit := changes.edit) is None:
        return msgspec.structs.replace(message, seq=seq, reactions=reactions)
    return msgspec.structs.replace(
        message, seq=seq, reactions=reactions, parts=edit.parts, mentions=edit.mentions, edited_at=edit.at
    )


async def changes_of(reader: Reader, message_id: str) -> Changes:
    """Return what happened to one message."""
    row = await reader.row(
        "SELECT edit, reactions FROM message_changes WHERE org = ?1 AND message_id = ?2", HOME, message_id
    )
    return _changes(row[0], row[1]) if row else UNCHANGED


async def fold_all(reader: Reader, events: Sequence[Event]) -> list[Message]:
    """Return the messages of these events as they are read now, in their order."""
    if not events:
        return []
    messages = [message_of(event) for event in events]
    # By id, not by `seq`: only so does SQLite take the primary key to its end instead of scanning the org.
    rows = await reader.rows(
        f"SELECT message_id, edit, reactions FROM message_changes"  # noqa: S608
        f" WHERE org = ?1 AND message_id IN ({numbered(len(messages), 2)})",
        HOME,
        *(message.id for message in messages),
    )
    changed = {row[0]: _changes(row[1], row[2]) for row in rows}
    return [
        _folded(message, event.seq, changed.get(message.id, UNCHANGED))
        for event, message in zip(events, messages, strict=True)
    ]


def _changes(edit: str | None, reactions: str | None) -> Changes:
    return Changes(
        _EDIT.decode(edit) if edit else None,
        tuple(_REACTIONS.decode(reactions)) if reactions else (),
    )
