"""Copies of a whole database: consistent, in steps, fsynced and verified before they get their name."""

import os
from pathlib import Path

import apsw

from instar.base.errors import InstarError
from instar.store.files import sync

from .connections import Database, connect

PAGES_PER_STEP = 1_024
"""Between steps other threads run."""


def copy_database(source: Database, target: Path) -> None:
    """Copy a database as `source` sees it now into the file `target`; an earlier file of that name is replaced.

    The source holds one read transaction all along, so writers go on beside it and the copy never starts over.

    Raises:
        apsw.Error: The source cannot be read or the disk is full.
        InstarError: `data_corrupt`: the copy fails SQLite's integrity check.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    try:
        _copy(source, unfinished)
        verify_database(unfinished)
        sync(unfinished)
        unfinished.replace(target)
        sync(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _copy(source: Database, target: Path) -> None:
    copy = connect(target)
    source.execute("BEGIN")
    try:
        source.execute("SELECT COUNT(*) FROM sqlite_schema").fetchall()  # a read is what takes the snapshot
        with copy.backup("main", source, "main") as steps:
            while not steps.done:
                steps.step(PAGES_PER_STEP)
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
    finally:
        source.execute("ROLLBACK")
        copy.close()


def verify_database(path: Path) -> None:
    """Check the structure of a database file from end to end.

    Raises:
        InstarError: `data_corrupt`, naming the first damage.
    """
    try:
        connection = connect(path, apsw.SQLITE_OPEN_READONLY)
        try:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()
        finally:
            connection.close()
    except apsw.Error as error:
        raise InstarError("data_corrupt", f"{path.name} is no sound database ({error})") from error
    if found != ("ok",):
        cause = found[0] if found else "no answer"
        raise InstarError("data_corrupt", f"{path.name} fails its integrity check ({cause})")
