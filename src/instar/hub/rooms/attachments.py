"""The rows of artifacts: written with a message, replaced by an edit, deleted by a redaction."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from instar.base.clock import Micros
from instar.hub.identity.principals import Caller
from instar.store.seam import HOME, Reader, Transaction
from instar.wire.events import RoomKey
from instar.wire.messages import Part

from .compose import artifacts_of
from .content import refuse
from .directory import Directory
from .state import RoomState


class Reach(NamedTuple):
    """Which files an author may put into a message: to know a file's digest is no right to it."""

    principal: str
    """It uploaded them …"""
    rooms: frozenset[RoomKey] | None
    """… or reads them in one of these; None: in any."""
    begun_anew: Mapping[RoomKey, int] = MappingProxyType({})
    """In these only past this `seq`."""


EVERY_FILE = Reach("", None)
"""The reach of the hub's own agents."""


def reach_of(caller: Caller, directory: Directory) -> Reach:
    """Return which files the caller may put into a message."""
    return Reach(caller.principal.id, directory.readable(caller), directory.begun_anew)


async def check_blobs(tx: Transaction, parts: Sequence[Part], reach: Reach) -> None:
    """Check that every uploaded file that the parts name is within the author's reach.

    Raises:
        InstarError: `unprocessable_entity`, the same for a file of others and for none.
    """
    for index, part in enumerate(parts):
        if part.blob and not await _reaches(tx, part.blob, reach):
            raise refuse(f"parts[{index}].blob {part.blob!r} was never uploaded", "Upload it first: POST /v1/uploads.")


async def _reaches(tx: Transaction, digest: str, reach: Reach) -> bool:
    if reach.rooms is None:
        return await tx.row("SELECT 1 FROM blobs WHERE org = ?1 AND digest = ?2", HOME, digest) is not None
    own = "SELECT 1 FROM uploads WHERE org = ?1 AND digest = ?2 AND principal = ?3"
    if await tx.row(own, HOME, digest, reach.principal):
        return True
    return any(room in reach.rooms and seq > reach.begun_anew.get(room, 0) for room, seq in await named_in(tx, digest))


async def named_in(reader: Reader, digest: str) -> list[tuple[RoomKey, int]]:
    """Return the rooms where a message names this file, each with the `seq` of the last one."""
    rows = await reader.rows(
        "SELECT room, MAX(seq) FROM artifacts WHERE org = ?1 AND blob = ?2 AND blob <> '' GROUP BY room", HOME, digest
    )
    return [(RoomKey(room), seq) for room, seq in rows]


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
            await tx.execute("DELETE FROM uploads WHERE org = ?1 AND digest = ?2", HOME, digest)
            deleted.append(digest)
    return deleted
