"""What a backup takes of a SQLite store that is being written to."""

import shutil
import tempfile
from pathlib import Path

import apsw

from instar.base.errors import InstarError
from instar.store.backup import DATABASE_MEMBER, write_archive
from instar.store.files import storage_fault
from instar.store.seam import BackupResult

from .appender import last_seq_of
from .connections import connect, fault_of, open_reader
from .copying import copy_database
from .migrations import version_of
from .names import BLOBS, DATABASE


def backup_sqlite(data_dir: Path, folder: Path, name: str) -> BackupResult:
    """Copy the database as of now, then the blobs it names, into the archive `folder/name`; blocks.

    Raises:
        InstarError: `unprocessable_entity` (the name is no plain file name), `conflict`, `storage_full`,
            `data_corrupt` or `internal_error`. Nothing is left then.
    """
    if not name or Path(name).name != name or name.startswith("."):
        raise InstarError("unprocessable_entity", f"{name!r} is no plain file name")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".backup-", dir=folder))
        try:
            return _backup(data_dir, staging / DATABASE_MEMBER, folder, name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise storage_fault(error) from error
    except apsw.Error as error:
        raise fault_of(error) from error


def _backup(data_dir: Path, copy: Path, folder: Path, name: str) -> BackupResult:
    source = open_reader(data_dir / DATABASE)
    try:
        copy_database(source, copy)
    finally:
        source.close()
    copied = connect(copy, apsw.SQLITE_OPEN_READONLY)
    try:
        digests = [str(row[0]) for row in copied.execute("SELECT digest FROM blobs ORDER BY digest").fetchall()]
        schema, last_seq = version_of(copied), last_seq_of(copied)
    finally:
        copied.close()
    values = [digest.removeprefix("sha256-") for digest in digests]
    blobs = {value: data_dir / BLOBS / value[:2] / value for value in values}
    return write_archive(folder, name, copy, blobs, schema=schema, last_seq=last_seq)
