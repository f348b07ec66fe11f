"""The rows of artifacts: written with a message, replaced by an edit, deleted by a redaction."""

from collections.abc import Iterable, Sequence

import msgspec

from instar.base.clock import Micros
from instar.store.seam import HOME, Transaction
from instar.wire.messages import Part

from .compose import artifacts_of
from .content import refuse
from .state import RoomState


async def check_blobs(tx: Transaction, parts: Sequence[Part]) -> None:
    """Check that every uploaded file that the parts name exists.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    for index, part in enumerate(parts):
        if part.blob and not await tx.row("SELECT 1 FROM blobs WHERE org = ?1 AND digest = ?2", HOME, part.blob):
            raise refuse(f"parts[{index}].blob {part.blob!r} was never uploaded", "Upload it first: POST /v1/uploads.")


async def store_artifacts(
    tx: Transaction, room: RoomState, seq: int, message_id: str, parts: Sequence[Part], at: Micros
) -> None:
    """Write one row per part of a message that is not plain text."""
    for artifact in artifacts_of(room, message_id, parts, at):
        await tx.execute(
            "INSERT INTO artifacts (org, id, room, seq, part_index, message_id, body, blob)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            HOME,
            artifact.id,
            room.key,
            seq,
            artifact.part_index,
            message_id,
            msgspec.json.encode(artifact).decode(),
            artifact.blob,
        )


async def delete_artifacts(tx: Transaction, room: RoomState, seq: int) -> None:
    """Delete the rows of a message's artifacts."""
    await tx.execute("DELETE FROM artifacts WHERE org = ?1 AND room = ?2 AND seq = ?3", HOME, room.key, seq)


async def delete_unreferenced(tx: Transaction, digests: Iterable[str]) -> list[str]:
    """Delete the rows of those files that no artifact names any more, and return their digests."""
    deleted: list[str] = []
    for digest in sorted(set(digests)):
        if not await tx.row("SELECT 1 FROM artifacts WHERE org = ?1 AND blob = ?2 LIMIT 1", HOME, digest):
            await tx.execute("DELETE FROM blobs WHERE org = ?1 AND digest = ?2", HOME, digest)
            deleted.append(digest)
    return deleted
