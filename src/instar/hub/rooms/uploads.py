"""Files: uploaded first, named by a message later, read by who may read one of those messages."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from instar.base.clock import MICROS_PER_S, Micros, now
from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.principals import Caller
from instar.store.blobs import Blobs
from instar.store.seam import HOME, Reader, Row, Store, Transaction
from instar.wire.events import RoomKey
from instar.wire.messages import BlobContent, BlobRef, Upload, Uploaded

from .attachments import Reach, delete_unreferenced, named_in, reach_of
from .content import refuse
from .delegates import BlobFile
from .directory import Directory
from .policy import RoomPolicy
from .state import RoomState

_UNUSED = """
    SELECT digest FROM blobs WHERE org = ?1 AND created_at < ?2
    AND NOT EXISTS (SELECT 1 FROM uploads WHERE org = ?1 AND digest = blobs.digest AND created_at >= ?2)
    AND NOT EXISTS (SELECT 1 FROM artifacts WHERE org = ?1 AND blob = blobs.digest AND blob <> '')
    LIMIT ?3
"""
Place = tuple[RoomKey, int]
"""A room, and the `seq` of the last message there that names a file."""

_SWEEP_MAX = 500
"""Rows in one transaction, so that others need not wait."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file and the conversation through which the caller may read it; `Authority` decides on it as on a message."""

    content: BlobContent
    room: RoomState
    sender_id: str = ""
    """A file has no sender: many may have sent it."""

    @property
    def id(self) -> str:
        """Its digest."""
        return self.content.blob


class Uploads:
    """Handlers of uploads and downloads.

    Args:
        store: Where the facts of files are.
        blobs: Where their bytes are.
        directory: The rooms.
        policy: Which files are accepted.
    """

    def __init__(self, store: Store, blobs: Blobs, directory: Directory, policy: RoomPolicy) -> None:
        self._store = store
        self._blobs = blobs
        self._directory = directory
        self.policy = policy
        self._changing = asyncio.Lock()
        """Held while bytes and row of a file must agree."""

    async def upload(self, act: Act[Upload, None]) -> Uploaded:
        """Store the request's body under its digest.

        Raises:
            InstarError: `unsupported_media_type`, `too_large`, `unprocessable_entity` (file name), `bad_request`
                (no body), `storage_full`.
        """
        media_type = act.params.media_type.partition(";")[0].strip().lower() or "application/octet-stream"
        self._check_type(media_type)
        check_filename(act.params.filename)
        if act.body is None:
            raise InstarError("bad_request", "the upload has no body", hint="Send the file as the request's body.")
        stored = await self._blobs.put(act.body(), self.policy.max_bytes)
        uploaded = Uploaded(stored.digest, stored.size_bytes, media_type, act.params.filename)
        uploader = act.caller.principal.id

        async def work(tx: Transaction) -> None:
            await tx.execute(
                "INSERT INTO blobs (org, digest, size_bytes, media_type, filename, created_at)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (org, digest) DO NOTHING",
                HOME, uploaded.blob, uploaded.size_bytes, uploaded.media_type, uploaded.filename, now(),
            )  # fmt: skip
            await tx.execute(
                "INSERT INTO uploads (org, digest, principal, created_at) VALUES (?1, ?2, ?3, ?4)"
                " ON CONFLICT (org, digest, principal) DO UPDATE SET created_at = excluded.created_at",
                HOME, uploaded.blob, uploader, now(),
            )  # fmt: skip

        async with self._changing:
            if await self._path(uploaded.blob) is None:
                raise InstarError(
                    "service_unavailable", "the same file was erased while it was uploaded", hint="Upload it again."
                )
            await self._store.transact(work)
        return uploaded

    async def get(self, act: Act[BlobRef, StoredFile | None]) -> BlobFile:
        """Return a file's facts and place.

        Raises:
            InstarError: `not_found` when no message that the caller may read names it and it uploaded it not itself.
        """
        content = act.object.content if act.object else (await self._facts(act.params.blob))[0]
        path = await self._path(content.blob)
        if path is None:
            raise InstarError("data_corrupt", f"the bytes of {content.blob} are missing")
        return BlobFile.at(path, content)

    def reach(self, caller: Caller) -> Reach:
        """Return which files the caller may put into a message."""
        return reach_of(caller, self._directory)

    async def locate(self, caller: Caller, blob: str) -> StoredFile | None:
        """Return a file with a conversation that lets the caller read it; None when the caller uploaded it.

        Raises:
            InstarError: `not_found`.
        """
        content, uploaders, places = await self._facts(blob)
        for key, seq in places:
            room = self._directory.at(key, seq)
            if room is not None and self._directory.may_read(caller, room):
                return StoredFile(content, room)
        if not caller.is_anonymous and caller.principal.id in uploaders:
            return None
        raise _missing(blob)

    async def discard(self, digests: Iterable[str]) -> None:
        """Delete the bytes of files whose rows a transaction deleted, unless they were uploaded again since."""
        for digest in digests:
            async with self._changing:
                if await self._store.read(lambda reader, digest=digest: _row_of(reader, digest)) is None:
                    await self._blobs.delete(digest)

    async def sweep(self, before: Micros) -> int:
        """Delete files that no message names and nobody has uploaded since `before`; return how many.

        Bytes without a row, which a crash leaves, are among them.
        """
        swept: set[str] = set()
        while forgotten := await self._forget_unused(before):
            swept.update(forgotten)
        known = await self._store.read(_digests)
        swept.update(await self._blobs.orphans(known, older_than_s=(now() - before) / MICROS_PER_S))
        await self.discard(sorted(swept))
        return len(swept)

    async def _forget_unused(self, before: Micros) -> list[str]:
        """Delete the rows of some unused files; an upload of the same content waits meanwhile."""
        async with self._changing:
            unused = await self._store.read(lambda reader: reader.rows(_UNUSED, HOME, before, _SWEEP_MAX))
            if not unused:
                return []
            return await self._store.transact(lambda tx: delete_unreferenced(tx, [digest for (digest,) in unused]))

    async def _path(self, blob: str) -> Path | None:
        path = self._blobs.open(blob)
        return path if await asyncio.to_thread(path.is_file) else None

    def _check_type(self, media_type: str) -> None:
        patterns = self.policy.media_types
        if patterns and not any(fnmatchcase(media_type, pattern.lower()) for pattern in patterns):
            raise InstarError(
                "unsupported_media_type",
                f"{media_type} is not accepted; accepted are {', '.join(patterns)}",
            )

    async def _facts(self, blob: str) -> tuple[BlobContent, Sequence[str], Sequence[Place]]:
        async def read(reader: Reader) -> tuple[Row | None, list[Place], list[Row]]:
            who = "SELECT principal FROM uploads WHERE org = ?1 AND digest = ?2"
            return await _row_of(reader, blob), await named_in(reader, blob), await reader.rows(who, HOME, blob)

        row, places, uploads = await self._store.read(read)
        if row is None:
            raise _missing(blob)
        return BlobContent(blob, row[0], row[1], row[2]), [one for (one,) in uploads], places


def check_filename(filename: str) -> None:
    """Check that a file name is one name without path or control characters.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    if not filename.isprintable() or "/" in filename or "\\" in filename or filename in {".", ".."}:
        raise refuse(f"filename {filename!r} is not one plain name", "Leave out folders and control characters.")


async def _digests(reader: Reader) -> list[str]:
    return [digest for (digest,) in await reader.rows("SELECT digest FROM blobs WHERE org = ?1", HOME)]


async def _row_of(reader: Reader, digest: str) -> Row | None:
    return await reader.row(
        "SELECT size_bytes, media_type, filename FROM blobs WHERE org = ?1 AND digest = ?2", HOME, digest
    )


def _missing(blob: str) -> InstarError:
    return InstarError("not_found", f"there is no file {blob}", hint="Upload it first: POST /v1/uploads.")
