"""Migrations only go forward, after a verified copy, each whole or not at all."""

import asyncio
import os
import signal
import subprocess
import sys

import apsw
import pytest

from instar.base.errors import InstarError
from instar.store import log
from instar.store.sqlite import migrations, open_store
from instar.store.sqlite.copying import verify_database

SHIPPED = migrations.shipped()
NEWEST = SHIPPED[-1].version
NEXT = migrations.Migration(
    NEWEST + 1, "next", "CREATE TABLE extra (org TEXT NOT NULL) STRICT; INSERT INTO extra (org) SELECT org FROM events;"
)


def stored(folder, sql):
    connection = apsw.Connection(str(folder / "instar.db"))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


async def refusal(folder, steps):
    with pytest.raises(InstarError) as caught:
        await open_store(folder, steps=steps)
    return caught.value.code


@pytest.fixture
async def folder(store, draft):
    """A directory that a first version wrote."""
    await store.append([draft()])
    await store.close()
    return store.folder


def test_shipped_ones_are_numbered_without_a_gap():
    assert [step.version for step in SHIPPED] == list(range(1, len(SHIPPED) + 1))
    assert SHIPPED[0].name == "foundation"


async def test_each_step_is_recorded(folder):
    assert stored(folder, "SELECT version, name, checksum FROM schema_migrations") == [
        (step.version, step.name, step.checksum) for step in SHIPPED
    ]


async def test_every_table_is_strict_and_has_an_org(folder):
    tables = stored(folder, "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    assert all("STRICT" in sql for _, sql in tables)
    assert all("org TEXT NOT NULL" in sql for name, sql in tables if name not in {"orgs", "schema_migrations"})


async def test_a_further_step_runs_after_a_verified_copy(folder):
    store = await open_store(folder, steps=[*SHIPPED, NEXT])
    assert (await store.check())["schema"] == str(NEXT.version)
    assert await store.read(lambda reader: reader.rows("SELECT org FROM extra")) == [("home",)]
    await store.close()
    copy = folder / "backups" / f"before-migration-{NEXT.version}.db"
    verify_database(copy)
    assert copy.stat().st_mode & 0o77 == 0
    before = apsw.Connection(str(copy))
    assert before.execute("SELECT MAX(version) FROM schema_migrations").fetchall() == [(NEWEST,)]
    assert before.execute("SELECT COUNT(*) FROM events").fetchall() == [(1,)]
    before.close()
    again = await open_store(folder, steps=[*SHIPPED, NEXT])
    await again.close()
    assert sorted(path.name for path in copy.parent.iterdir()) == [copy.name]


async def test_a_new_directory_needs_no_copy(folder):
    assert not (folder / "backups").exists()


async def test_a_newer_schema_is_refused_untouched(folder):
    await (await open_store(folder, steps=[*SHIPPED, NEXT])).close()
    before = (folder / "instar.db").read_bytes()
    assert await refusal(folder, SHIPPED) == "schema_too_new"
    assert (folder / "instar.db").read_bytes() == before


async def test_another_content_of_an_applied_step_is_refused(folder):
    changed = SHIPPED[0]._replace(sql=SHIPPED[0].sql + "-- changed")
    assert await refusal(folder, [changed, *SHIPPED[1:]]) == "data_corrupt"


async def test_a_failing_step_changes_nothing(folder):
    broken = NEXT._replace(sql="CREATE TABLE extra (org TEXT) STRICT; INSERT INTO nowhere VALUES (1);")
    assert await refusal(folder, [*SHIPPED, broken]) == "internal_error"
    assert stored(folder, "SELECT MAX(version) FROM schema_migrations") == [(NEWEST,)]
    assert stored(folder, "SELECT name FROM sqlite_schema WHERE name = 'extra'") == []
    await (await open_store(folder)).close()


KILLED = """
import asyncio, os, pathlib, signal, sys
import apsw
from instar.store.sqlite import connections, migrations, open_store
step = migrations.Migration(len(migrations.shipped()) + 1, "next", "CREATE TABLE extra (org TEXT NOT NULL) STRICT;"
    "INSERT INTO extra VALUES ('x'); SELECT die();")
connect = connections.connect
def dying(path, *flags):
    connection = connect(path, *flags)
    connection.create_scalar_function("die", lambda: os.kill(os.getpid(), signal.SIGKILL), 0)
    return connection
connections.connect = dying
asyncio.run(open_store(pathlib.Path(sys.argv[1]), steps=[*migrations.shipped(), step]))
"""


async def test_kill_in_the_middle_of_a_step_leaves_the_step_before(folder, draft):
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, str(folder)], check=False, env=os.environ, timeout=30
    )
    assert ended.returncode == -signal.SIGKILL
    store = await open_store(folder, steps=[*SHIPPED, NEXT])
    assert await store.read(lambda reader: reader.rows("SELECT org FROM extra")) == [("home",)]
    assert len(await store.read(lambda reader: log.after(reader, 0, 10))) == 1
    await store.close()
