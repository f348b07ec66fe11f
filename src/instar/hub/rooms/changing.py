"""Reading one message, editing it, and erasing it."""

import msgspec

from instar.base.clock import now, to_rfc3339
from instar.base.errors import InstarError
from instar.base.ids import derived_uuid, new_id
from instar.hub.act import Act
from instar.store.log import by_id
from instar.store.seam import HOME, Draft, Store, Transaction
from instar.wire.events import Event
from instar.wire.messages import Edit, EditMessage, Message, MessageRef, Part, Redaction, RedactMessage
from instar.wire.names import Network

from .attachments import check_blobs, delete_artifacts, delete_unreferenced, store_artifacts
from .compose import ENCODER
from .content import check_parts
from .folding import changes_of, fold, message_of
from .mentions import MemberNames, resolve
from .openings import append
from .stored import StoredMessage
from .uploads import Uploads

_EDIT = msgspec.json.Decoder(Edit)


class Changing:
    """Handlers on one message.

    Args:
        store: The log and its tables.
        network: The local network.
        uploads: Where the files of erased messages are deleted.
    """

    def __init__(self, store: Store, network: Network, uploads: Uploads) -> None:
        self._store = store
        self._network = network
        self._uploads = uploads

    async def get(self, act: Act[MessageRef, StoredMessage]) -> Message:
        """Return a message as it is read now."""
        return act.object.folded

    async def edit(self, act: Act[EditMessage, StoredMessage]) -> Message:
        """Replace a message's parts; what was said before stays in the log.

        Raises:
            InstarError: `unprocessable_entity` (parts), `conflict` (the message was redacted).
        """
        stored, parts, by = act.object, act.params.parts, act.caller.principal.id
        check_parts(parts)
        names = MemberNames(stored.room.members, self._network)
        mentions = resolve(act.params.mentions, parts, names)
        reach, at = self._uploads.reach(act.caller), now()
        edit = Edit(stored.message.id, by, to_rfc3339(at), parts, mentions)

        async def work(tx: Transaction) -> Message:
            event = await standing_message(tx, stored)
            await check_blobs(tx, parts, reach)
            number = await _edits(tx, edit.message_id) + 1
            event_id = edit_event_id(edit.message_id, number)
            await append(tx, Draft(event.room, event_id, "message.edited", ENCODER.encode(edit), at, by))
            await _store_edit(tx, edit, event.seq)
            await delete_artifacts(tx, stored.room, event.seq)
            await store_artifacts(tx, stored.room, event.seq, edit.message_id, parts, event.created_at)
            return fold(event, await changes_of(tx, edit.message_id))

        return await act.transact(work, Message)

    async def redact(self, act: Act[RedactMessage, StoredMessage]) -> Message:
        """Erase a message's content with that of its edits, its artifacts and its files that no other message has.

        The envelope stays, and the chain still verifies. A redacted message is answered as it is.
        """
        stored, by = act.object, act.caller.principal.id
        act.audit_subject = stored.message.id
        at = now()
        redaction = Redaction(stored.message.id, by, to_rfc3339(at), act.params.reason)
        freed: list[str] = []

        async def work(tx: Transaction) -> Message:
            event = await by_id(tx, stored.event.id)
            assert event is not None
            if event.redacted:
                return fold(event)
            freed.clear()
            freed.extend(await _erase(tx, stored, event, redaction))
            await append(tx, Draft(event.room, new_id("evt"), "message.redacted", ENCODER.encode(redaction), at, by))
            return tombstone(message_of(event), redaction, event.seq)

        answer = await act.transact(work, Message)
        await self._uploads.discard(freed)
        return answer


def edit_event_id(message_id: str, number: int) -> str:
    """Return the id of a message's n-th edit: so that redaction finds all of them without an index."""
    return "evt_" + derived_uuid(f"{message_id}\x1fedit\x1f{number}")


def tombstone(message: Message, redaction: Redaction, seq: int = 0) -> Message:
    """Return what is left of a redacted message."""
    return Message(
        id=message.id,
        network_id=message.network_id,
        origin=message.origin,
        target=message.target,
        from_=message.from_,
        parts=[],
        created_at=message.created_at,
        redaction=redaction,
        seq=seq,
    )


async def standing_message(tx: Transaction, stored: StoredMessage) -> Event:
    """Return the event of a message that was not redacted.

    Raises:
        InstarError: `conflict`.
    """
    event = await by_id(tx, stored.event.id)
    if event is None or event.redacted:
        raise InstarError("conflict", f"message {stored.message.id!r} was redacted", hint="Send a new message.")
    return event


async def _edits(tx: Transaction, message_id: str) -> int:
    """Return how many edits a message has, in logarithmically many look-ups."""
    count, step = 0, 1
    while await _has_edit(tx, message_id, count + step):
        count += step
        step *= 2
    while step > 1:
        step //= 2
        if await _has_edit(tx, message_id, count + step):
            count += step
    return count


async def _has_edit(tx: Transaction, message_id: str, number: int) -> bool:
    event_id = edit_event_id(message_id, number)
    return await tx.row("SELECT 1 FROM events WHERE org = ?1 AND id = ?2", HOME, event_id) is not None


async def _store_edit(tx: Transaction, edit: Edit, seq: int) -> None:
    await tx.execute(
        "INSERT INTO message_changes (org, message_id, seq, edit) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (org, message_id) DO UPDATE SET edit = excluded.edit",
        HOME,
        edit.message_id,
        seq,
        ENCODER.encode(edit).decode(),
    )


async def _erase(tx: Transaction, stored: StoredMessage, event: Event, redaction: Redaction) -> list[str]:
    """Erase the payloads of a message and its edits, and what was made of them; return the files that are free now."""
    message = message_of(event)
    files = _files(message.parts)
    await tx.erase(event.id, ENCODER.encode(tombstone(message, redaction)))
    for number in range(1, await _edits(tx, message.id) + 1):
        event_id = edit_event_id(message.id, number)
        edited = await by_id(tx, event_id)
        assert edited is not None
        edit = _EDIT.decode(edited.payload)
        files |= _files(edit.parts)
        await tx.erase(event_id, ENCODER.encode(Edit(edit.message_id, edit.by, edit.at, [], [])))
    await tx.execute("DELETE FROM message_changes WHERE org = ?1 AND message_id = ?2", HOME, message.id)
    await delete_artifacts(tx, stored.room, event.seq)
    return await delete_unreferenced(tx, files)


def _files(parts: list[Part]) -> set[str]:
    return {part.blob for part in parts if part.blob}
