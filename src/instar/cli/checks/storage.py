"""Checks of the data directory: who may read it, whether this version knows its schema, whether its log holds."""

import fcntl
import os
import stat
from pathlib import Path

from instar.cli.texts import size
from instar.client.access import GRANT_FILE

from .check import NotApplicableError, Scene
from .files import folder, open_to_others
from .running import reachable

WAL_MAX_BYTES = 268_435_456
SAMPLE = 500
"""How many of the last events are verified; `Store.check` and the migrations see to the rest."""


def data_dir_private(scene: Scene) -> str:
    """Whether only the owner gets at the data."""
    return open_to_others(folder(scene), "directory")


def data_dir_writable(scene: Scene) -> str:
    """Whether the hub can write there."""
    path = folder(scene)
    mode = path.stat().st_mode
    return "" if mode & stat.S_IRWXU == stat.S_IRWXU else f"{path} is not writable for its owner"


def make_private(scene: Scene) -> None:
    """Give the data directory its mode."""
    scene.data_dir.chmod(0o700)


def grant_private(scene: Scene) -> str:
    """Whether only the owner can read the local grant."""
    return open_to_others(_grant(scene), "local grant")


def make_grant_private(scene: Scene) -> None:
    """Give the local grant its mode."""
    _grant(scene).chmod(0o600)


def grant_filled(scene: Scene) -> str:
    """Whether the local grant holds a token."""
    grant = _grant(scene)
    return "" if grant.read_text().strip() else f"{grant} is empty"


def schema(scene: Scene) -> str:
    """Whether this version knows the schema of the data."""
    from instar.store.sqlite import migrations  # noqa: PLC0415 - the store, only for this check
    from instar.store.sqlite.connections import open_reader  # noqa: PLC0415

    connection = open_reader(_database(scene))
    try:
        steps = migrations.shipped()
        found = migrations.check(connection, steps)
    finally:
        connection.close()
    newest = steps[-1].version
    return "" if found == newest else f"the data has schema {found}; the next start brings it to {newest}"


def chain(scene: Scene) -> str:
    """Whether the last events are what was appended, in the order that was appended; reading verifies payloads."""
    from instar.store.log import COLUMNS, event_of  # noqa: PLC0415 - the store, only for this check
    from instar.store.sqlite.connections import open_reader  # noqa: PLC0415
    from instar.wire.events import envelope_chain  # noqa: PLC0415

    connection = open_reader(_database(scene))
    try:
        rows = connection.execute(f"SELECT {COLUMNS} FROM events ORDER BY seq DESC LIMIT {SAMPLE}").fetchall()  # noqa: S608
        for event in map(event_of, rows):
            found = connection.execute("SELECT chain FROM events WHERE seq = ?1", (event.prev,)).fetchone()
            before = found[0] if found else b""
            fixed = (event.id, event.room, event.type, event.actor, event.created_at, event.digest)
            if event.chain != envelope_chain(before, *fixed):
                return f"event {event.seq} does not follow from event {event.prev} of its room"
    finally:
        connection.close()
    return ""


def _grant(scene: Scene) -> Path:
    grant = folder(scene) / GRANT_FILE
    if not grant.exists():
        raise NotApplicableError("there is no local grant")
    return grant


def _database(scene: Scene) -> Path:
    from instar.store.sqlite import DATABASE  # noqa: PLC0415 - the store, only where there is something to look at

    path = folder(scene) / DATABASE
    if not path.exists():
        raise NotApplicableError("there is no database yet")
    return path


def owner(scene: Scene) -> str:
    """Whether the data belongs to who runs this."""
    path = folder(scene)
    state = path.stat()
    return "" if state.st_uid == os.geteuid() else f"{path} belongs to user {state.st_uid}, and this is {os.geteuid()}"


def wal(scene: Scene) -> str:
    """Whether the write-ahead log is folded back into the database now and then."""
    path = _database(scene)
    path = path.with_name(path.name + "-wal")
    found = path.stat().st_size if path.exists() else 0
    return "" if found <= WAL_MAX_BYTES else f"{path} has {size(found)}"


def lock(scene: Scene) -> str:
    """Whether a hub that does not answer holds the data."""
    from instar.store.lock import LOCK_FILE  # noqa: PLC0415 - the store, only for this check

    path = folder(scene) / LOCK_FILE
    if not path.exists() or not reachable(scene):
        return ""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return f"a hub holds {folder(scene)} but does not answer: {file.read(200).strip() or 'it is starting'}"
    return ""
