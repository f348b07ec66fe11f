"""Restoring a backup into a data directory: verified as a whole first, then put in place by one rename."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import apsw

from instar.base.clock import now
from instar.base.errors import InstarError

from .backup import CHUNK_BYTES, DATABASE_MEMBER, Content, Manifest, members_of, read_manifest
from .files import open_private, storage_fault, sync
from .lock import LOCK_FILE, DirectoryLock
from .sqlite import migrations
from .sqlite.connections import connect, fault_of
from .sqlite.copying import verify_database
from .sqlite.names import BACKUPS, BLOBS, DATABASE, SEARCH_INDEX

STAGING = "restoring"


def restore(archive: Path, data_dir: Path, *, force: bool = False) -> Manifest:
    """Verify a backup and make it the content of `data_dir`; blocks. Return its manifest.

    Nothing that is in use changes before the whole archive is verified and unpacked beside it. With `force`, a
    database that is there is kept as `backups/before-restore-TIME.db`; blobs that are there stay.

    Raises:
        InstarError: `conflict` (the directory is not empty), `storage_locked`, `data_corrupt`, `schema_too_new`,
            `storage_full`, `not_found` (no such archive), `internal_error`.
    """
    if not archive.is_file():
        raise InstarError("not_found", f"there is no backup {archive}", hint="Name an archive that `backup` wrote.")
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_empty(data_dir, force=force)
        lock = DirectoryLock(data_dir)
        try:
            return _restore(archive, data_dir)
        finally:
            shutil.rmtree(data_dir / STAGING, ignore_errors=True)
            lock.release()
    except OSError as error:
        raise storage_fault(error) from error
    except apsw.Error as error:
        raise fault_of(error) from error


def _check_empty(data_dir: Path, *, force: bool) -> None:
    found = sorted(path.name for path in data_dir.iterdir() if path.name not in {LOCK_FILE, STAGING})
    if found and not force:
        raise InstarError(
            "conflict",
            f"{data_dir} is not empty (it holds {found[0]})",
            hint="Choose an empty directory, or say --yes to replace what is there.",
        )


def _restore(archive: Path, data_dir: Path) -> Manifest:
    manifest = read_manifest(archive)
    staging = data_dir / STAGING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    for member, content in members_of(archive):
        target = staging / member.name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _unpack(content, target)
    _check_database(staging / DATABASE_MEMBER, migrations.shipped())
    _place_blobs(staging / BLOBS, data_dir / BLOBS)
    _place_database(staging / DATABASE_MEMBER, data_dir)
    return manifest


def _unpack(content: Content, target: Path) -> None:
    with open_private(target) as file:
        while chunk := content.read(CHUNK_BYTES):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _check_database(path: Path, steps: Sequence[migrations.Migration]) -> None:
    verify_database(path)
    connection = connect(path, apsw.SQLITE_OPEN_READONLY)
    try:
        migrations.check(connection, steps)
    finally:
        connection.close()


def _place_blobs(staged: Path, blobs: Path) -> None:
    """Move blobs in; what has the same name has the same content."""
    for path in sorted(staged.glob("*/*")):
        folder = blobs / path.parent.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.replace(folder / path.name)
        sync(folder)
    if blobs.is_dir():
        sync(blobs)


def _place_database(staged: Path, data_dir: Path) -> None:
    """Switch databases by one rename; the write-ahead log of the old one must be gone before."""
    database = data_dir / DATABASE
    for path in data_dir.glob(f"{SEARCH_INDEX}*"):
        path.unlink()
    if database.exists():
        _keep(database, data_dir / BACKUPS / f"before-restore-{now()}.db")
    staged.replace(database)
    sync(data_dir)


def _keep(database: Path, kept: Path) -> None:
    """Give the old database a second name, with its write-ahead log if that cannot be put into it."""
    kept.parent.mkdir(mode=0o700, exist_ok=True)
    _empty_wal(database)
    kept.hardlink_to(database)
    for suffix in ("-wal", "-shm"):
        beside = database.with_name(database.name + suffix)
        if beside.exists():
            beside.replace(kept.with_name(kept.name + suffix))
    sync(kept.parent)
    sync(database.parent)


def _empty_wal(database: Path) -> None:
    """Put the write-ahead log into the database; a damaged one keeps it."""
    try:
        connection = connect(database)
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            connection.close()
    except apsw.Error:
        return
