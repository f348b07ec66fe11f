"""Backups: one tar archive with a manifest, the database and the blobs; verified before it gets its name."""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

import msgspec

from instar.base.clock import now, to_rfc3339
from instar.base.errors import InstarError

from .files import open_private, storage_fault, sync
from .seam import BackupResult

FORMAT = "instar-backup/1"
MANIFEST = "manifest.json"
DATABASE_MEMBER = "instar.db"
BLOB_FOLDER = "blobs"
MANIFEST_MAX_BYTES = 268_435_456
CHUNK_BYTES = 1_048_576


class Member(msgspec.Struct, frozen=True):
    """A file of an archive."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """The first file of an archive: what else is in it."""

    format: str
    schema: int
    last_seq: int
    created_at: str
    members: list[Member]
    """The database first, then the blobs."""


def blob_member(value: str) -> str:
    """Return the name of a blob's member, given the hex of its digest."""
    return f"{BLOB_FOLDER}/{value[:2]}/{value}"


def write_archive(
    folder: Path, name: str, database: Path, blobs: dict[str, Path], *, schema: int, last_seq: int
) -> BackupResult:
    """Write `folder/name` from a finished copy of the database and blobs (hex → path), and verify it.

    A blob whose file is gone was erased while the backup ran; it is left out.

    Raises:
        InstarError: `conflict` (there is a file of that name), `storage_full`, `data_corrupt` (a blob does not match
            its digest, or the archive does not read back), `internal_error`. No file is left then.
    """
    target = folder / name
    if target.exists():
        raise InstarError("conflict", f"{target} exists", hint="Choose another name.")
    unfinished = folder / f".{name}.unfinished"
    try:
        unfinished.unlink(missing_ok=True)
        with open_private(unfinished) as file:
            _write(file, database, blobs, schema, last_seq)
            file.flush()
            os.fsync(file.fileno())
        verify_archive(unfinished)
        digest = _digest(unfinished)
        size_bytes = unfinished.stat().st_size
        unfinished.replace(target)
        sync(folder)
    except OSError as error:
        raise storage_fault(error) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return BackupResult(str(target), last_seq, size_bytes, digest)


def _write(file: BinaryIO, database: Path, blobs: dict[str, Path], schema: int, last_seq: int) -> None:
    members = [Member(DATABASE_MEMBER, database.stat().st_size, _digest(database))]
    paths = {DATABASE_MEMBER: database}
    for value, path in sorted(blobs.items()):
        try:
            found = _digest(path)
            size_bytes = path.stat().st_size
        except FileNotFoundError:
            continue
        if found != value:
            raise InstarError("data_corrupt", f"blob {path} does not match its digest")
        members.append(Member(blob_member(value), size_bytes, value))
        paths[blob_member(value)] = path
    manifest = msgspec.json.encode(Manifest(FORMAT, schema, last_seq, to_rfc3339(now()), members))
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(_header(MANIFEST, len(manifest)), io.BytesIO(manifest))
        for member in members:
            with paths[member.name].open("rb") as content:
                archive.addfile(_header(member.name, member.size_bytes), content)


def _header(name: str, size_bytes: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size_bytes, 0o600
    return header


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_archive(path: Path) -> Manifest:
    """Read a whole archive against its manifest and return that.

    Raises:
        InstarError: `data_corrupt`, naming what is wrong.
        OSError: The file cannot be read.
    """
    for _, content in members_of(path):
        while content.read(CHUNK_BYTES):
            pass
    return read_manifest(path)


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of an archive without reading the rest.

    Raises:
        InstarError: `data_corrupt`: this is no backup of Instar.
        OSError: The file cannot be read.
    """
    try:
        with tarfile.open(path, mode="r:") as archive:
            return _manifest(archive, path)
    except tarfile.TarError as error:
        raise _corrupt(path, f"it is no tar archive ({error})") from error


class Content:
    """A member's content, hashed as it is read."""

    def __init__(self, path: Path, content: IO[bytes]) -> None:
        self._path = path
        self._content = content
        self.digest = hashlib.sha256()
        self.size_bytes = 0

    def read(self, size: int) -> bytes:
        """Return up to `size` further bytes; none at the end.

        Raises:
            InstarError: `data_corrupt`: the archive ends too soon.
        """
        try:
            chunk = self._content.read(size)
        except (tarfile.TarError, EOFError) as error:
            raise _corrupt(self._path, f"it does not read to its end ({error})") from error
        self.digest.update(chunk)
        self.size_bytes += len(chunk)
        return chunk


def members_of(path: Path) -> Iterator[tuple[Member, Content]]:
    """Yield each member with its content, which must be read before the next; what was read is checked.

    Names come from the manifest and are checked there: the database, or a blob below its folder.

    Raises:
        InstarError: `data_corrupt`: a member is missing, foreign, no plain file, or not what the manifest says.
        OSError: The file cannot be read.
    """
    try:
        with tarfile.open(path, mode="r:") as archive:
            for member in _manifest(archive, path).members:
                header = archive.next()
                if header is None or header.name != member.name or not header.isreg():
                    raise _corrupt(path, f"{member.name} is not where the manifest says")
                content = archive.extractfile(header)
                assert content is not None
                checked = Content(path, content)
                yield member, checked
                if checked.size_bytes != member.size_bytes or checked.digest.hexdigest() != member.sha256:
                    raise _corrupt(path, f"{member.name} does not match its checksum")
            if archive.next() is not None:
                raise _corrupt(path, "it holds more than its manifest says")
    except (tarfile.TarError, EOFError) as error:
        raise _corrupt(path, f"it does not read to its end ({error})") from error


def _manifest(archive: tarfile.TarFile, path: Path) -> Manifest:
    header = archive.next()
    if header is None or header.name != MANIFEST or not header.isreg() or header.size > MANIFEST_MAX_BYTES:
        raise _corrupt(path, "it does not begin with a manifest")
    content = archive.extractfile(header)
    assert content is not None
    try:
        manifest = msgspec.json.decode(content.read(), type=Manifest)
    except msgspec.DecodeError as error:
        raise _corrupt(path, f"its manifest cannot be read ({error})") from error
    expected = [DATABASE_MEMBER, *(blob_member(member.sha256) for member in manifest.members[1:])]
    if manifest.format != FORMAT or [member.name for member in manifest.members] != expected:
        raise _corrupt(path, f"its manifest is not one of {FORMAT}")
    if any(not _is_digest(member.sha256) for member in manifest.members):
        raise _corrupt(path, "its manifest names something that is no digest")
    return manifest


def _is_digest(text: str) -> bool:
    return len(text) == 64 and frozenset("0123456789abcdef").issuperset(text)


def _corrupt(path: Path, cause: str) -> InstarError:
    return InstarError("data_corrupt", f"{path} is no sound backup: {cause}", hint="Use another backup.")
