"""Content-addressed files: what is stored under a digest is that content, whole, or nothing."""

import asyncio
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterable, Callable, Collection
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

import msgspec

from instar.base.errors import InstarError

from .files import open_private, storage_fault, sync

P = ParamSpec("P")
T = TypeVar("T")

UNFINISHED = "unfinished"
"""Folder of uploads under way; what is found in it at start is rubbish of a crash."""
_HEX = frozenset("0123456789abcdef")


class StoredBlob(msgspec.Struct, frozen=True):
    """Content that is on disk."""

    digest: str
    """`sha256-HEX`"""
    size_bytes: int


class Blobs:
    """The blobs below one folder. Methods do their file work off the event loop.

    Args:
        folder: Where they are; made (0700) when the first one is put.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def put(self, chunks: AsyncIterable[bytes], max_bytes: int) -> StoredBlob:
        """Store a stream and return its digest once it is on disk; putting the same content again changes nothing.

        Raises:
            InstarError: `too_large`, `storage_full` or `internal_error`; nothing of the stream is left then.
        """
        unfinished, file = await _on_disk(self._begin)
        digest, size_bytes = hashlib.sha256(), 0
        try:
            async for chunk in chunks:
                size_bytes += len(chunk)
                if size_bytes > max_bytes:
                    raise InstarError("too_large", f"the file is larger than {max_bytes} bytes")
                digest.update(chunk)
                await _on_disk(file.write, chunk)
            name = f"sha256-{digest.hexdigest()}"
            await _on_disk(self._finish, unfinished, file, name)
        finally:
            await asyncio.shield(asyncio.to_thread(_abandon, unfinished, file))
        return StoredBlob(name, size_bytes)

    def open(self, digest: str) -> Path:
        """Return the path at which a blob is, if it is there at all: the disk is not asked.

        Raises:
            InstarError: `not_found`: this is no digest.
        """
        path = self._path(digest)
        if path is None:
            raise InstarError("not_found", f"there is no blob {digest[:80]!r}")
        return path

    async def delete(self, digest: str) -> bool:
        """Delete a blob from disk. Return whether it was there."""
        path = self._path(digest)
        return path is not None and await asyncio.to_thread(_delete, path)

    async def orphans(self, known: Collection[str], *, older_than_s: float = 0.0) -> list[str]:
        """Return the digests on disk that are not among `known`, sorted.

        Args:
            known: Digests that a table refers to.
            older_than_s: Leave out what is younger: its upload may not have reached the table yet.
        """
        return await asyncio.to_thread(self._orphans, frozenset(known), older_than_s)

    async def clear_unfinished(self) -> int:
        """Delete what a crash left of uploads; only while none is under way. Return how many."""
        return await asyncio.to_thread(self._clear_unfinished)

    def _path(self, digest: str) -> Path | None:
        algorithm, _, value = digest.partition("-")
        if algorithm != "sha256" or len(value) != 64 or not _HEX.issuperset(value):
            return None
        return self.folder / value[:2] / value

    def _begin(self) -> tuple[Path, BinaryIO]:
        folder = self.folder / UNFINISHED
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / secrets.token_hex(16)
        return path, open_private(path)

    def _finish(self, unfinished: Path, file: BinaryIO, digest: str) -> None:
        file.flush()
        os.fsync(file.fileno())
        path = self._path(digest)
        assert path is not None
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            sync(self.folder)
        unfinished.replace(path)
        sync(path.parent)

    def _orphans(self, known: frozenset[str], older_than_s: float) -> list[str]:
        latest = time.time() - older_than_s
        found = (path for path in self.folder.glob("[0-9a-f][0-9a-f]/*") if path.stat().st_mtime <= latest)
        return sorted({f"sha256-{path.name}" for path in found} - known)

    def _clear_unfinished(self) -> int:
        left = list((self.folder / UNFINISHED).glob("*"))
        for path in left:
            path.unlink()
        return len(left)


async def _on_disk(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do file work in a thread. Only its own failures are the disk's: those of the stream stay what they are."""
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except OSError as error:
        raise storage_fault(error) from error


def _abandon(unfinished: Path, file: BinaryIO) -> None:
    file.close()
    unfinished.unlink(missing_ok=True)


def _delete(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    sync(path.parent)
    return True
