"""The checks of `doctor`, each over a real folder and a real store."""

import json
import os
import socket
from pathlib import Path

import pytest

from instar.base.clock import Micros
from instar.cli.checks import machine
from instar.cli.checks.check import Severity
from instar.cli.checks.table import CHECKS
from instar.cli.main import main
from instar.client.access import ADDRESS_FILE, GRANT_FILE
from instar.store.seam import Draft
from instar.store.sqlite import DATABASE, open_store
from instar.wire.events import RoomKey


@pytest.fixture(autouse=True)
async def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hub"
    store = await open_store(folder)
    key = RoomKey("room:general")
    drafts = [Draft(key, f"evt_{n}", "message.created", b'{"n":%d}' % n, Micros(n)) for n in range(5)]
    await store.append(drafts)
    await store.close()
    grant = folder / GRANT_FILE
    grant.write_text("secret\n")
    grant.chmod(0o600)
    (folder / "hub-key").write_bytes(bytes(32))
    (folder / "hub-key").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in list(os.environ):
        if name.startswith("INSTAR_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INSTAR_DATA_DIR", str(folder))
    monkeypatch.setenv("INSTAR_URL", "http://127.0.0.1:1")
    return folder


def doctor(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, dict[str, object]]]:
    code = main(["doctor", "--json", *argv])
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is (code == 0)
    return code, {row["id"]: row for row in document["checks"]}


def test_all_is_well(capsys: pytest.CaptureFixture[str]):
    code, rows = doctor(capsys, "--skip", "console", "--skip", "disk")
    assert code == 0
    assert {row["status"] for row in rows.values()} == {"ok", "skipped", "found"}
    assert [id_ for id_, row in rows.items() if row["status"] == "found"] == ["hub.reachable"]
    assert rows["store.chain"]["status"] == "ok"


@pytest.mark.parametrize(("check", "name", "wrong", "right"), [
    ("data.private", "", 0o755, 0o700),
    ("grant.private", GRANT_FILE, 0o644, 0o600),
])  # fmt: skip
def test_permissions_are_found_and_mended(
    data_dir: Path, capsys: pytest.CaptureFixture[str], check: str, name: str, wrong: int, right: int
):
    path = data_dir / name
    path.chmod(wrong)
    code, rows = doctor(capsys, "--only", check)
    assert (code, rows[check]["status"], rows[check]["fixable"]) == (8, "found", True)
    assert path.stat().st_mode & 0o777 == wrong
    for expected in ("mended", "ok"):
        code, rows = doctor(capsys, "--only", check, "--fix")
        assert (code, rows[check]["status"]) == (0, expected)
    assert path.stat().st_mode & 0o777 == right


def test_an_empty_grant(data_dir: Path, capsys: pytest.CaptureFixture[str]):
    (data_dir / GRANT_FILE).write_text("")
    assert doctor(capsys, "--only", "grant.filled")[0] == 8


def tamper(data_dir: Path, sql: str) -> None:
    from instar.store.sqlite.connections import open_writer

    connection = open_writer(data_dir / DATABASE)
    connection.execute(sql)
    connection.close()


@pytest.mark.parametrize(("sql", "cause"), [
    ("UPDATE events SET payload = X'7b7d' WHERE id = 'evt_3'", "digest"),
    ("UPDATE events SET actor = 'mallory' WHERE id = 'evt_3'", "does not follow"),
])  # fmt: skip
def test_a_forged_log_is_found(data_dir: Path, capsys: pytest.CaptureFixture[str], sql: str, cause: str):
    tamper(data_dir, sql)
    code, rows = doctor(capsys, "--only", "store.chain")
    assert code == 8
    assert cause in str(rows["store.chain"]["cause"])


def test_a_newer_schema_is_found(data_dir: Path, capsys: pytest.CaptureFixture[str]):
    tamper(data_dir, "INSERT INTO schema_migrations VALUES (9999, 'future', '', 0)")
    code, rows = doctor(capsys, "--only", "store.schema")
    assert code == 8
    assert "9999" in str(rows["store.schema"]["cause"])


def test_nothing_was_started_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("INSTAR_DATA_DIR", str(tmp_path / "none"))
    code, rows = doctor(capsys, "--only", "data", "--only", "grant", "--only", "store")
    assert code == 0
    assert {row["status"] for row in rows.values()} == {"skipped"}


def test_a_stranger_on_the_port(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        monkeypatch.setattr("instar.cli.checks.check.PROBE_S", 0.05)
        monkeypatch.setenv("INSTAR_URL", f"http://127.0.0.1:{stranger.getsockname()[1]}")
        code, rows = doctor(capsys, "--only", "hub.port")
    assert (code, rows["hub.port"]["status"]) == (8, "found")


def test_a_stale_address_is_forgotten(data_dir: Path, capsys: pytest.CaptureFixture[str]):
    (data_dir / ADDRESS_FILE).write_text("http://127.0.0.1:1")
    code, rows = doctor(capsys, "--only", "hub.address", "--fix")
    assert (code, rows["hub.address"]["status"]) == (0, "mended")
    assert not (data_dir / ADDRESS_FILE).exists()


@pytest.mark.parametrize(("constant", "value", "check"), [
    ("PYTHON_MIN", (99, 0), "machine.python"),
    ("SQLITE_MIN", (99, 0, 0), "machine.sqlite"),
    ("DISK_LOW_BYTES", 1 << 62, "disk.space"),
    ("DISK_FULL_BYTES", 1 << 62, "disk.full"),
    ("CLOCK_EARLIEST", 1e12, "machine.clock"),
    ("CLOCK_SLACK_S", -1e12, "machine.clock"),
])  # fmt: skip
def test_an_unfit_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], constant: str, value: object, check: str
):
    monkeypatch.setattr(machine, constant, value)
    assert doctor(capsys, "--only", check)[0] == 8


def test_checks_are_complete_rows():
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        assert check.title
        assert check.fix.endswith((".", "--fix", "start", "apsw", "FILE", "--all", "console"))
        assert isinstance(check.severity, Severity)


def test_text(capsys: pytest.CaptureFixture[str]):
    main(["doctor", "--only", "hub.reachable"])
    out = capsys.readouterr().out
    assert "!!  hub.reachable" in out
    assert "Run: instar start" in out
    assert out.endswith("1 checks, 1 found something.\n")
