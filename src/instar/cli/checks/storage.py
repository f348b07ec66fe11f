"""Checks of the data directory: who may read it, whether this version knows its schema, whether its log holds."""

import stat
from pathlib import Path

from instar.client.access import GRANT_FILE

from .check import NotApplicableError, Scene

SAMPLE = 500
"""How many of the last events are verified; `Store.check` and the migrations see to the rest."""


def data_dir_private(scene: Scene) -> str:
    """Whether only the owner gets at the data."""
    folder = _folder(scene)
    return _open_to_others(folder, "directory")


def data_dir_writable(scene: Scene) -> str:
    """Whether the hub can write there."""
    folder = _folder(scene)
    mode = folder.stat().st_mode
    return "" if mode & stat.S_IRWXU == stat.S_IRWXU else f"{folder} is not writable for its owner"


def make_private(scene: Scene) -> None:
    """Give the data directory its mode."""
    scene.data_dir.chmod(0o700)


def grant_private(scene: Scene) -> str:
    """Whether only the owner can read the local grant."""
    return _open_to_others(_grant(scene), "local grant")


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


def _folder(scene: Scene) -> Path:
    if not scene.data_dir.is_dir():
        raise NotApplicableError(f"no hub was started on {scene.data_dir} yet")
    return scene.data_dir


def _grant(scene: Scene) -> Path:
    grant = _folder(scene) / GRANT_FILE
    if not grant.exists():
        raise NotApplicableError("there is no local grant")
    return grant


def _database(scene: Scene) -> Path:
    from instar.store.sqlite import DATABASE  # noqa: PLC0415 - the store, only where there is something to look at

    path = _folder(scene) / DATABASE
    if not path.exists():
        raise NotApplicableError("there is no database yet")
    return path


def _open_to_others(path: Path, what: str) -> str:
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"the {what} {path} has mode {mode:o}: others get at it" if mode & 0o077 else ""
