"""The schema: numbered SQL files that only go forward, each in one transaction, after a verified backup."""

import importlib.resources
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import apsw

from instar.base.clock import now
from instar.base.errors import InstarError

from .connections import Database
from .copying import copy_database

_CREATE = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        checksum TEXT NOT NULL,
        applied_at INTEGER NOT NULL
    ) STRICT
"""


class Migration(NamedTuple):
    """One step of the schema."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the SQL in hex: what was applied must be what is shipped."""
        return sha256(self.sql.encode()).hexdigest()


def shipped() -> list[Migration]:
    """Return the migrations that this version carries, ascending."""
    folder = importlib.resources.files(__package__ or "").joinpath("migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [Migration(int(file.name[:4]), file.name[5:-4], file.read_text(encoding="utf-8")) for file in files]


def version_of(connection: Database) -> int:
    """Return the schema version of a database, 0 for an empty one."""
    if not connection.table_exists("main", "schema_migrations"):
        return 0
    return (connection.execute("SELECT COALESCE(MAX(version), 0) FROM schema_migrations").fetchone() or (0,))[0]


def check(connection: Database, steps: Sequence[Migration]) -> int:
    """Return the schema version of a database that these steps fit.

    Raises:
        InstarError: `schema_too_new`, or `data_corrupt` when an applied step is not the shipped one.
    """
    version = version_of(connection)
    newest = steps[-1].version
    if version > newest:
        raise InstarError(
            "schema_too_new", f"the database has schema {version}; this version of Instar knows up to {newest}"
        )
    known = {step.version: step for step in steps}
    applied = connection.execute("SELECT version, checksum FROM schema_migrations").fetchall() if version else []
    for applied_version, checksum in applied:
        if applied_version not in known or known[applied_version].checksum != checksum:
            raise InstarError("data_corrupt", f"migration {applied_version} was applied with other content")
    return version


def migrate(connection: Database, backups: Path, steps: Sequence[Migration]) -> int:
    """Bring the database to the last step and return its version.

    Before an existing database is changed, a verified copy is written to `backups/before-migration-N.db`.

    Raises:
        InstarError: `schema_too_new` or `data_corrupt` before anything is touched; `internal_error` when a step fails,
            which leaves the database at the step before it.
    """
    version = check(connection, steps)
    due = [step for step in steps if step.version > version]
    if version and due:
        copy_database(connection, backups / f"before-migration-{due[0].version}.db")
    for step in due:
        _apply(connection, step)
    return steps[-1].version


def _apply(connection: Database, step: Migration) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_CREATE)
        connection.execute(step.sql)
        connection.execute(
            "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
            (step.version, step.name, step.checksum, now()),
        )
        connection.execute("COMMIT")
    except apsw.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise InstarError("internal_error", f"migration {step.version} ({step.name}) failed: {error}") from error
