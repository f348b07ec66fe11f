"""The audit log: what it lists, and that whoever edits the database file behind the hub's back is found out."""

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from instar.base.clock import Micros
from instar.hub.act import Act
from instar.hub.identity.principals import Caller
from instar.hub.identity.roots import local_root
from instar.hub.operations.audit import Audit
from instar.hub.operations.recorder import AuditRecord, Recorder
from instar.store.seam import Draft
from instar.store.sqlite import SqliteStore, open_store
from instar.store.sqlite.names import DATABASE
from instar.wire import audit as wire
from instar.wire.events import AUDIT, RoomKey, envelope_chain

ENTRIES = 9
EDITED = "CAST(replace(payload, 'key_5', 'key_6') AS BLOB)"
DIGEST = f"x'{hashlib.sha256(b'{}').hexdigest()}'"
"""Of an empty object, as SQL."""


def entry(number: int) -> Draft:
    operation, who = ("keys.create", "operator") if number % 3 else ("keys.revoke", "key_1")
    payload = msgspec.json.encode(AuditRecord(operation, who, "local", f"key_{number}", f"req_{number}"))
    return Draft(AUDIT, f"evt_{number}", "audit.recorded", payload, Micros(number * 1_000_000), who)


async def ask(store: SqliteStore, operation: Any, /, **params: Any) -> Any:
    (binding,) = (one for one in Audit(store).bindings() if one.operation is operation)
    decoded = msgspec.convert(params, operation.params)
    return await binding.handler(Act(Caller(local_root()), operation, decoded, None, store, Recorder()))


class Log:
    """A data directory with an audit log between other events, and hands on its file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def fill(self) -> "Log":
        store = await open_store(self.folder)
        for number in range(1, ENTRIES + 1):
            other = Draft(RoomKey("room:a"), f"evt_o{number}", "room.created", b"{}", Micros(number))
            await store.append([entry(number), other])
        self.head = (await ask(store, wire.VERIFY)).head
        await store.close()
        return self

    def edit(self, *statements: str) -> None:
        """Do what somebody with the file in hands does."""
        with sqlite3.connect(self.folder / DATABASE) as database:
            for statement in statements:
                assert database.execute(statement).rowcount > 0, statement
        database.close()

    def rows(self) -> list[tuple[Any, ...]]:
        database = sqlite3.connect(self.folder / DATABASE)
        found = database.execute(
            "SELECT seq, id, chain FROM events WHERE room = 'system:audit' ORDER BY seq"
        ).fetchall()
        database.close()
        return found

    async def proof(self, noted: str = "") -> wire.AuditProof:
        store = await open_store(self.folder)
        try:
            return await ask(store, wire.VERIFY, noted=noted)
        finally:
            await store.close()


@pytest.fixture
async def log(tmp_path: Path) -> Log:
    return await Log(tmp_path / "hub").fill()


async def test_a_whole_log(log: Log) -> None:
    last = log.rows()[-1]
    for noted in ("", log.head, log.rows()[3][2].hex()):
        proof = await log.proof(noted)
        assert (proof.is_whole, proof.entries, proof.problem, proof.broken_at) == (True, ENTRIES, "", 0)
        assert (proof.head_seq, proof.head) == (last[0], last[2].hex())


async def test_an_empty_log_is_whole(store: SqliteStore) -> None:
    proof = await ask(store, wire.VERIFY)
    assert (proof.is_whole, proof.entries, proof.head, proof.head_seq) == (True, 0, "", 0)
    assert not (await ask(store, wire.VERIFY, noted="ab" * 32)).is_whole


@pytest.mark.parametrize(
    ("statement", "broken", "problem"),
    [
        (f"UPDATE events SET payload = {EDITED} WHERE id = 'evt_5'", 5, "digest"),
        ("UPDATE events SET payload = x'7b7d', redacted = 1 WHERE id = 'evt_5'", 5, "erased"),
        (f"UPDATE events SET payload = x'7b7d', digest = {DIGEST} WHERE id = 'evt_5'", 5, "envelope"),
        ("UPDATE events SET actor = 'somebody' WHERE id = 'evt_2'", 2, "envelope"),
        ("UPDATE events SET type = 'auth.locked' WHERE id = 'evt_7'", 7, "envelope"),
        ("UPDATE events SET created_at = created_at - 1 WHERE id = 'evt_7'", 7, "envelope"),
        ("UPDATE events SET id = 'evt_x' WHERE id = 'evt_4'", 4, "envelope"),
        ("UPDATE events SET chain = zeroblob(32) WHERE id = 'evt_4'", 4, "envelope"),
        ("UPDATE events SET room = 'room:b' WHERE id = 'evt_4'", 5, "missing"),
        ("DELETE FROM events WHERE id = 'evt_1'", 2, "missing"),
        ("DELETE FROM events WHERE id = 'evt_5'", 6, "missing"),
        ("DELETE FROM events WHERE id = 'evt_9'", 9, "head"),
    ],
)
async def test_an_edit_is_found_at_its_place(log: Log, statement: str, broken: int, problem: str) -> None:
    seqs = {event_id: seq for seq, event_id, _ in log.rows()}
    log.edit(statement)
    proof = await log.proof()
    assert (proof.is_whole, proof.broken_at) == (False, seqs[f"evt_{broken}"])
    assert problem in proof.problem


@pytest.mark.parametrize(
    "column", ["payload, digest, content", "id", "actor, type, created_at, payload, digest, chain"]
)
async def test_two_entries_that_changed_places_are_found(log: Log, column: str) -> None:
    database = sqlite3.connect(log.folder / DATABASE)
    names = column.split(", ")
    read = f"SELECT {column} FROM events WHERE id = ?"
    former = database.execute(read, ["evt_3"]).fetchone()
    latter = database.execute(read, ["evt_6"]).fetchone()
    seqs = {event_id: seq for seq, event_id, _ in log.rows()}
    write = f"UPDATE events SET {', '.join(f'{name} = ?' for name in names)} WHERE seq = ?"
    if names == ["id"]:
        database.execute(write, ["evt_tmp", seqs["evt_6"]])
    database.execute(write, [*latter, seqs["evt_3"]])
    database.execute(write, [*former, seqs["evt_6"]])
    database.commit()
    database.close()
    proof = await log.proof()
    assert (proof.is_whole, proof.broken_at) == (False, seqs["evt_3"])


async def test_a_cut_off_end_shows_against_a_noted_head_alone(log: Log) -> None:
    seq, _, chain = log.rows()[-3]
    log.edit(
        "DELETE FROM events WHERE id IN ('evt_8', 'evt_9')",
        f"UPDATE heads SET seq = {seq}, chain = x'{chain.hex()}' WHERE room = 'system:audit'",
    )
    assert (await log.proof()).is_whole
    assert (await log.proof(chain.hex())).is_whole
    proof = await log.proof(log.head)
    assert (proof.is_whole, proof.broken_at, proof.entries) == (False, seq, ENTRIES - 2)
    assert "noted" in proof.problem


async def test_a_log_that_was_remade_from_an_edit_on_shows_against_a_noted_head(log: Log) -> None:
    database = sqlite3.connect(log.folder / DATABASE)
    payload = b'{"operation":"x","principal":"y","grant":"z"}'
    digest = hashlib.sha256(payload).digest()
    database.execute("UPDATE events SET payload = ?, digest = ? WHERE id = 'evt_5'", [payload, digest])
    chain = b""
    sql = "SELECT seq, id, room, type, actor, created_at, digest FROM events WHERE room = 'system:audit' ORDER BY seq"
    for seq, *envelope in database.execute(sql).fetchall():
        chain = envelope_chain(chain, *envelope)
        database.execute("UPDATE events SET chain = ? WHERE seq = ?", [chain, seq])
    database.execute("UPDATE heads SET chain = ? WHERE room = 'system:audit'", [chain])
    database.commit()
    database.close()
    assert (await log.proof()).is_whole
    assert not (await log.proof(log.head)).is_whole


async def test_the_log_goes_on_after_it_was_noted(log: Log) -> None:
    store = await open_store(log.folder)
    await store.append([entry(ENTRIES + 1)])
    proof = await ask(store, wire.VERIFY, noted=log.head)
    assert (proof.is_whole, proof.entries) == (True, ENTRIES + 1)
    assert proof.head != log.head
    await store.close()


@pytest.fixture
async def filled(log: Log, request: pytest.FixtureRequest) -> Any:
    store = await open_store(log.folder)
    yield store
    await store.close()


async def test_entries_are_listed_newest_first_page_by_page(filled: SqliteStore) -> None:
    newest = await ask(filled, wire.LIST, limit=4)
    assert [one.subject for one in newest.entries] == ["key_9", "key_8", "key_7", "key_6"]
    assert newest.has_more
    rest = await ask(filled, wire.LIST, before=newest.entries[-1].seq)
    assert [one.subject for one in rest.entries] == ["key_5", "key_4", "key_3", "key_2", "key_1"]
    assert not rest.has_more
    first = rest.entries[-1]
    assert (first.kind, first.operation, first.principal, first.grant, first.request_id, first.at) == (
        "audit.recorded", "keys.create", "operator", "local", "req_1", "1970-01-01T00:00:01Z",
    )  # fmt: skip
    assert len(bytes.fromhex(first.chain)) == 32


@pytest.mark.parametrize(
    ("wanted", "subjects"),
    [
        ({"principal": "key_1"}, ["key_9", "key_6", "key_3"]),
        ({"operation": "keys.revoke", "limit": 2}, ["key_9", "key_6"]),
        ({"operation": "keys.revoke", "principal": "operator"}, []),
    ],
)
async def test_entries_are_found_by_who_and_what(
    filled: SqliteStore, wanted: Any, subjects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("instar.hub.operations.audit.CATCH_UP_PAGE", 2)
    listed = await ask(filled, wire.LIST, **wanted)
    assert [one.subject for one in listed.entries] == subjects
    assert listed.has_more is ("limit" in wanted)


async def test_what_no_operation_left_is_listed_too(store: SqliteStore) -> None:
    payload = b'{"subject":"192.0.2.1","detail":"10 wrong credentials"}'
    await store.append([Draft(AUDIT, "evt_1", "auth.locked", payload, Micros(0))])
    (one,) = (await ask(store, wire.LIST)).entries
    assert (one.kind, one.subject, one.detail, one.operation) == (
        "auth.locked",
        "192.0.2.1",
        "10 wrong credentials",
        "",
    )


async def test_a_noted_head_is_hex(store: SqliteStore) -> None:
    for noted in ("abc", "AB" * 32, "zz" * 32):
        with pytest.raises(msgspec.ValidationError):
            await ask(store, wire.VERIFY, noted=noted)
