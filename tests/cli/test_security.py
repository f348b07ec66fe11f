"""`instar security audit`: each check over real files and a real hub."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from instar.cli.checks.check import Severity
from instar.cli.checks.security import exposure, grants
from instar.cli.checks.security.table import CHECKS
from instar.cli.checks.table import CHECKS as DOCTOR
from instar.cli.main import main
from instar.client.access import ADDRESS_FILE, GRANT_FILE

from .conftest import Cli, Hub

Audit = Callable[..., tuple[int, dict[str, dict[str, Any]]]]
CONTRACT = {
    "fs.data_dir.perms", "fs.config.perms", "fs.key_files.perms", "fs.synced_dir", "gateway.bind_no_auth",
    "gateway.loopback_no_auth", "gateway.token_too_short", "gateway.trusted_proxies_missing",
    "gateway.allowed_origins_wildcard", "tls.off_nonloopback", "tls.certificate_expiring", "pairing.window_open",
    "pairing.auto_approve_loopback", "devices.stale", "devices.wide_scopes", "keys.without_expiry", "keys.unused",
    "audit.chain", "settings.secret_in_file", "summary.attack_surface",
}  # fmt: skip
"""Ids that scripts rely on."""


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a hub that does not run."""
    folder = tmp_path / "hub"
    folder.mkdir(mode=0o700)
    for name in list(os.environ):
        if name.startswith(("INSTAR_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INSTAR_DATA_DIR", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (folder / ADDRESS_FILE).write_text("http://127.0.0.1:1")
    return folder


@pytest.fixture
def audit(capsys: pytest.CaptureFixture[str], data_dir: Path) -> Audit:
    def audit(*argv: str) -> tuple[int, dict[str, dict[str, Any]]]:
        code = main(["security", "audit", "--json", *argv])
        document = json.loads(capsys.readouterr().out)
        assert document["ok"] is (code == 0)
        return code, {row["id"]: row for row in document["checks"]}

    return audit


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_ids_are_stable_and_the_rows_complete():
    ids = [check.id for check in CHECKS]
    assert set(ids) >= CONTRACT
    assert len(set(ids)) == len(ids)
    assert len({check.id for check in DOCTOR}) == len(DOCTOR) >= 40
    for check in CHECKS:
        assert check.title
        assert check.fix
        assert isinstance(check.severity, Severity)


def test_a_fresh_folder_is_in_order(audit: Audit):
    code, rows = audit()
    assert code == 0
    found = {id_ for id_, row in rows.items() if row["status"] == "found"}
    assert found == {"summary.attack_surface"}
    assert "listens on 127.0.0.1:8787" in rows["summary.attack_surface"]["cause"]


@pytest.mark.parametrize(
    ("check", "name", "wrong"),
    [
        ("fs.data_dir.perms", "", 0o750),
        ("fs.key_files.perms", GRANT_FILE, 0o640),
        ("fs.key_files.perms", "hub-key", 0o604),
        ("fs.key_files.perms", "tls/key.pem", 0o644),
        ("fs.key_files.perms", "../home/.config/instar/device-key", 0o644),
        ("fs.backups.perms", "backups/a.backup", 0o644),
        ("fs.config.perms", "../instar.yaml", 0o664),
    ],
)
def test_modes_are_found_and_mended_once(audit: Audit, data_dir: Path, check: str, name: str, wrong: int):
    path = data_dir / name
    if name:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    path.chmod(wrong)
    code, rows = audit("--only", check)
    assert (code, rows[check]["status"], rows[check]["fixable"]) == (8, "found", True)
    assert mode_of(path) == wrong
    assert [audit("--only", check, "--fix")[1][check]["status"] for _ in range(2)] == ["mended", "ok"]
    assert not mode_of(path) & 0o077


def test_a_secret_in_a_readable_settings_file(audit: Audit, data_dir: Path):
    file = data_dir.parent / "instar.yaml"
    file.write_text("auth:\n  token: short\n")
    file.chmod(0o644)
    _, rows = audit("--only", "fs.config", "--only", "settings", "--only", "gateway.token_too_short")
    assert {id_: row["status"] for id_, row in rows.items()} == dict.fromkeys(rows, "found")
    assert "auth.token" in rows["settings.secret_in_file"]["cause"]
    assert all("short" not in row["cause"].replace("fewer", "") for row in rows.values())


@pytest.mark.parametrize("folder", ["Dropbox/hub", "OneDrive - Work/hub", "marked/hub"])
def test_a_folder_that_is_copied_elsewhere(audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str):
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "marked").mkdir(exist_ok=True)
    (tmp_path / "marked" / ".stfolder").mkdir()
    monkeypatch.setenv("INSTAR_DATA_DIR", str(tmp_path / folder))
    assert audit("--only", "fs.synced_dir")[1]["fs.synced_dir"]["status"] == "found"


PUBLIC = {"INSTAR_LISTEN": "0.0.0.0:8787"}


@pytest.mark.parametrize(
    ("check", "environ", "status"),
    [
        ("gateway.bind_no_auth", {**PUBLIC, "INSTAR_AUTH_MODE": "none"}, "found"),
        ("gateway.bind_no_auth", PUBLIC, "ok"),
        ("gateway.bind_no_auth", {"INSTAR_AUTH_MODE": "none"}, "skipped"),
        ("gateway.loopback_no_auth", {"INSTAR_AUTH_MODE": "none"}, "found"),
        ("gateway.loopback_no_auth", {}, "ok"),
        ("gateway.public_read", {**PUBLIC, "INSTAR_AUTH_PUBLIC_READ": "true"}, "found"),
        ("gateway.public_read", {"INSTAR_AUTH_PUBLIC_READ": "true"}, "skipped"),
        ("gateway.open_registration", {"INSTAR_AUTH_MODE": "open"}, "found"),
        ("gateway.token_too_short", {"INSTAR_AUTH_TOKEN": "x" * 31}, "found"),
        ("gateway.token_too_short", {"INSTAR_AUTH_TOKEN": "x" * 32}, "ok"),
        ("gateway.trusted_proxies_missing", {"INSTAR_SERVER_PUBLIC_URL": "https://hub.example"}, "found"),
        ("gateway.trusted_proxies_missing", {
            "INSTAR_SERVER_PUBLIC_URL": "https://hub.example", "INSTAR_SERVER_TRUSTED_PROXIES": "10.0.0.1",
        }, "ok"),
        ("gateway.trusted_proxies_wide", {"INSTAR_SERVER_TRUSTED_PROXIES": "0.0.0.0/0"}, "found"),
        ("gateway.trusted_proxies_wide", {"INSTAR_SERVER_TRUSTED_PROXIES": "10.0.0.0/24,::1"}, "ok"),
        ("gateway.allowed_origins_wildcard", {"INSTAR_SERVER_ALLOWED_ORIGINS": "*"}, "found"),
        ("gateway.allowed_origins_wildcard", {"INSTAR_SERVER_ALLOWED_ORIGINS": "http://a.example"}, "found"),
        ("gateway.allowed_origins_wildcard", {"INSTAR_SERVER_ALLOWED_ORIGINS": "https://a.example"}, "ok"),
        ("gateway.proxy_header_unused", {"INSTAR_AUTH_PROXY_HEADER": "x-user"}, "found"),
        ("tls.off_nonloopback", PUBLIC, "ok"),
        ("tls.off_nonloopback", {**PUBLIC, "INSTAR_TLS_MODE": "off"}, "found"),
        ("tls.off_nonloopback", {**PUBLIC, "INSTAR_SERVER_TRUSTED_PROXIES": "10.0.0.1"}, "found"),
        ("tls.off_nonloopback", {}, "skipped"),
        ("pairing.auto_approve_loopback", {"INSTAR_PAIRING_AUTO_APPROVE": "loopback"}, "found"),
        ("pairing.auto_approve_loopback", {}, "ok"),
    ],
)  # fmt: skip
def test_settings(audit: Audit, monkeypatch: pytest.MonkeyPatch, check: str, environ: dict[str, str], status: str):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert audit("--only", check)[1][check]["status"] == status


def test_a_certificate_that_ends(audit: Audit, data_dir: Path, monkeypatch: pytest.MonkeyPatch):
    from instar.hub.settings.tree import Settings
    from instar.server import tls

    check = "tls.certificate_expiring"
    assert audit("--only", check)[1][check]["status"] == "skipped"
    tls.make(Settings(), data_dir)
    assert audit("--only", check)[1][check]["status"] == "ok"
    monkeypatch.setattr(exposure, "CERTIFICATE_WARN_DAYS", 3_651)
    assert audit("--only", check)[0] == 8


def found(cli: Cli, check: str) -> str:
    """Return the cause that the audit of the running hub names for one check, or nothing."""
    (row,) = cli("security", "audit", "--json", "--only", check).document["checks"]
    assert row["status"] in ("ok", "found"), row
    return str(row["cause"])


def test_grants_of_a_running_hub(cli: Cli, hub: Hub, monkeypatch: pytest.MonkeyPatch):
    hub.client.invoke("pairing.open")
    assert "unknown devices may ask until" in found(cli, "pairing.window_open")
    hub.client.invoke("pairing.close")
    assert found(cli, "pairing.window_open") == ""
    hub.client.invoke("keys.create", {"name": "forever", "scopes": ["admin"]})
    hub.client.invoke("keys.create", {"name": "short", "scopes": ["write"], "expires_in_s": 60})
    assert "forever" in found(cli, "keys.without_expiry")
    assert "short" not in found(cli, "keys.without_expiry")
    kinds = {key["name"]: key.get("kind", "key") for key in cli("keys", "list", "--json").document["keys"]}
    assert (kinds["forever"], kinds["local"]) == ("key", "local")
    assert "forever" in found(cli, "keys.wide_scopes")
    assert found(cli, "keys.unused") == ""
    code = hub.client.invoke("pairing.code", {"scopes": ["admin"], "name": "copied"})["code"]
    hub.client.invoke("devices.use_code", {"code": code, "facts": {"name": "copied"}})
    assert "copied" in found(cli, "devices.wide_scopes")
    assert "copied have no key" in found(cli, "devices.keyless")
    hub.ensure("people.add", login="root-like", password="correct horse battery", scopes=["admin"])
    assert "root-like" in found(cli, "people.wide_scopes")
    assert not any("copied" in found(cli, check) for check in ("keys.without_expiry", "keys.wide_scopes"))
    assert "root-like" not in found(cli, "keys.wide_scopes")
    monkeypatch.setattr(grants, "IDLE", -grants.IDLE)
    assert "forever" in found(cli, "keys.unused")
    assert "copied" in found(cli, "devices.stale")
    assert "root-like" in found(cli, "people.unused")
    assert found(cli, "audit.chain") == ""
    assert "listens on 127.0.0.1" in found(cli, "summary.attack_surface")


def test_an_unknown_check_names_a_near_one(cli: Cli):
    wrong = cli("security", "audit", "--only", "fs.synced_dirs", "--json")
    assert (wrong.code, wrong.document["error"]["hint"]) == (2, "Did you mean fs.synced_dir?")
