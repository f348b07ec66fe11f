"""The checks of `doctor` that look at keys, certificates, settings and the running hub."""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from instar.cli.checks import configuration, running
from instar.cli.main import main
from instar.client import device
from instar.client.access import ADDRESS_FILE
from instar.client.pins import Pin, keep_pin
from instar.hub.settings.tree import Settings
from instar.server import tls

from .conftest import Cli, Hub


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that a hub left."""
    folder = tmp_path / "hub"
    folder.mkdir(mode=0o700)
    for name in list(os.environ):
        if name.startswith(("INSTAR_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INSTAR_DATA_DIR", str(folder))
    monkeypatch.setenv("INSTAR_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (folder / "hub-key").write_bytes(bytes(32))
    (folder / "hub-key").chmod(0o600)
    (folder / "instar.db").touch()
    return folder


def row(capsys: pytest.CaptureFixture[str], check: str, *argv: str) -> dict[str, Any]:
    main(["doctor", "--json", "--only", check, *argv])
    (row,) = json.loads(capsys.readouterr().out)["checks"]
    return row


def test_the_hubs_key(data_dir: Path, capsys: pytest.CaptureFixture[str]):
    key = data_dir / "hub-key"
    assert row(capsys, "identity.hub_key")["status"] == "ok"
    key.chmod(0o644)
    assert "others can read it" in row(capsys, "identity.hub_key")["cause"]
    assert row(capsys, "identity.hub_key", "--fix")["status"] == "mended"
    key.write_bytes(b"short")
    assert "it is no key" in row(capsys, "identity.hub_key", "--fix")["cause"]
    key.unlink()
    assert "devices will not know the hub again" in row(capsys, "identity.hub_key")["cause"]


def test_this_machines_key_and_what_it_remembers(data_dir: Path, capsys: pytest.CaptureFixture[str]):
    assert row(capsys, "identity.device_key")["status"] == "skipped"
    assert row(capsys, "identity.memory")["status"] == "skipped"
    device.own_seed(os.environ)
    keep_pin(os.environ, "https://hub", Pin("SHA256:x"))
    config = data_dir.parent / "home" / ".config" / "instar"
    for name, check in ((device.KEY_FILE, "identity.device_key"), ("hubs.json", "identity.memory")):
        assert row(capsys, check)["status"] == "ok"
        (config / name).chmod(0o644)
        assert row(capsys, check)["status"] == "found"
        assert [row(capsys, check, "--fix")["status"] for _ in range(2)] == ["mended", "ok"]


def test_the_certificate(data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    assert row(capsys, "tls.certificate")["status"] == "skipped"
    made = tls.make(Settings(), data_dir)
    assert row(capsys, "tls.certificate")["status"] == "ok"
    made.key.chmod(0o640)
    assert [row(capsys, "tls.key", *fix)["status"] for fix in ((), ("--fix",), ())] == ["found", "mended", "ok"]
    assert row(capsys, "tls.served")["status"] == "skipped"
    (data_dir / ADDRESS_FILE).write_text("https://127.0.0.1:1")
    assert "nobody speaks TLS" in row(capsys, "tls.served")["cause"]
    monkeypatch.setenv("INSTAR_TLS_CERTIFICATE", "none.pem")
    assert "tls.key" in row(capsys, "tls.certificate")["cause"]


def test_the_way_to_the_hub(data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    assert row(capsys, "tls.own_way")["status"] == "ok"
    monkeypatch.setenv("INSTAR_URL", "http://hub.example")
    assert "can be read on their way" in row(capsys, "tls.own_way")["cause"]


def test_settings(data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    assert row(capsys, "settings.valid")["status"] == row(capsys, "settings.bind")["status"] == "ok"
    monkeypatch.setenv("INSTAR_LISTEN", "0.0.0.0:1")
    monkeypatch.setenv("INSTAR_TLS_MODE", "off")
    assert "in the clear" in row(capsys, "settings.bind")["cause"]
    monkeypatch.setenv("INSTAR_TLS_MODE", "perhaps")
    assert "perhaps" in row(capsys, "settings.valid")["cause"]
    assert row(capsys, "settings.bind")["status"] == "skipped"


def test_the_log(data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    assert row(capsys, "log.writable")["status"] == "skipped"
    (data_dir / "logs").mkdir()
    (data_dir / "logs" / "instar.log").touch()
    assert row(capsys, "log.writable")["status"] == "ok"
    monkeypatch.setattr(configuration.os, "access", lambda path, mode: Path(path).is_dir())
    assert "instar.log cannot be written" in row(capsys, "log.writable")["cause"]
    monkeypatch.setenv("INSTAR_LOG_FILE", "false")
    assert row(capsys, "log.writable")["status"] == "skipped"


def test_backups(data_dir: Path, capsys: pytest.CaptureFixture[str]):
    assert row(capsys, "backup.age")["status"] == "ok"
    long_ago = time.time() - 30 * 86_400
    for name in ("instar.db", "hub-key"):
        os.utime(data_dir / name, (long_ago, long_ago))
    assert "30 days of data have no backup" in row(capsys, "backup.age")["cause"]
    (data_dir / "backups").mkdir()
    (data_dir / "backups" / "one").touch()
    assert row(capsys, "backup.age")["status"] == "ok"
    os.utime(data_dir / "backups" / "one", (long_ago, long_ago))
    assert "the last backup is 30 days old" in row(capsys, "backup.age")["cause"]


def test_who_holds_the_data(data_dir: Path, capsys: pytest.CaptureFixture[str]):
    assert row(capsys, "store.lock")["status"] == "ok"
    with (data_dir / "lock").open("w") as held:
        held.write('{"pid":1}')
        held.flush()
        assert row(capsys, "store.lock")["status"] == "ok"
        fcntl.flock(held, fcntl.LOCK_EX)
        assert '"pid":1' in row(capsys, "store.lock")["cause"]


def test_a_running_hub(cli: Cli, hub: Hub, monkeypatch: pytest.MonkeyPatch):
    rows = {row["id"]: row for row in cli("doctor", "--json", "--skip", "schedules").document["checks"]}
    for check in ("hub.clock", "hub.locked", "hub.audit", "gateway.health", "settings.pending", "store.lock"):
        assert rows[check]["status"] == "ok", rows[check]
    hub.client.invoke("pairing.open")
    assert cli("doctor", "--json", "--only", "pairing.window").document["checks"][0]["status"] == "found"
    hub.client.invoke("pairing.close")
    monkeypatch.setattr(running, "SKEW_MAX_S", -1.0)
    assert "behind this machine's" in cli("doctor", "--json", "--only", "hub.clock").document["checks"][0]["cause"]


def test_another_hub_than_the_paired_one(cli: Cli, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert cli("doctor", "--json", "--only", "identity.hub").document["checks"][0]["status"] == "skipped"
    keep_pin(os.environ, hub.client.url, Pin(hub_key="SHA256:other"))
    done = cli("doctor", "--json", "--only", "identity.hub")
    assert done.code == 8
    assert "SHA256:other" in done.document["checks"][0]["cause"]
