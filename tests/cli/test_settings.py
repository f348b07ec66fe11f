"""`instar config` and `instar logs` with a hub of their own, with none, and from a machine that is not the hub's."""

import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from instar.cli import settings
from instar.cli.main import main
from tests.doors.network.running import RunningHub

from .conftest import BIN, Done, environment

SECRET = "canary-" + "s" * 33


class Desk:
    """A person at a terminal on the hub's machine."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.data_dir = home / "hub"
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        for name in list(os.environ):
            if name.startswith(("INSTAR_", "XDG_", "CLAWDBOT_", "OPENCLAW_")):
                monkeypatch.delenv(name)
        self.set(HOME=str(home), INSTAR_DATA_DIR=str(self.data_dir))
        monkeypatch.chdir(home)

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def __call__(self, *argv: str, stdin: str = "") -> Done:
        self._capsys.readouterr()
        self._monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = main(argv)
        return Done(code, *self._capsys.readouterr())

    @property
    def file(self) -> str:
        return (self.data_dir / "instar.yaml").read_text()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys)


@pytest.fixture
def hub(desk: Desk) -> Iterator[RunningHub]:
    hub = RunningHub(desk.data_dir, "bearer")
    yield hub
    hub.stop()


def failure(done: Done) -> Any:
    return done.document["error"]


def test_without_a_hub_the_file_is_written(desk: Desk) -> None:
    done = desk("config", "set", "log.level", "debug", "--comment", "why", "--json")
    assert done.document["needs_restart"] == ["log.level"]
    assert desk.file == "log:\n  level: debug\n"
    assert desk("config", "get", "log.level").out == "debug\n"
    (version,) = desk("config", "history", "--json").document["versions"]
    assert (version["by"].partition(":")[0], version["comment"]) == ("os", "why")
    assert desk("config", "path").out == f"{desk.data_dir}/instar.yaml\n"
    assert desk("config", "unset", "log.level").code == 0
    assert desk.file == "log:\n"
    assert desk("config", "unset", "log.level").out == "Nothing changed.\n"
    assert desk("config", "rollback", "1").code == 0
    assert "debug" in desk.file


@pytest.mark.parametrize("verb", ["get", "set", "unset"])
def test_a_mistyped_key_names_a_near_one(desk: Desk, verb: str) -> None:
    done = desk("config", verb, "log.levle", *(["debug"] if verb == "set" else []), "--json")
    assert failure(done)["hint"] == "Did you mean log.level?"


def test_lists_take_several_values(desk: Desk) -> None:
    desk("config", "set", "listen.compat", "127.0.0.1:1", "127.0.0.1:2")
    assert desk("config", "get", "listen.compat", "--json").document["value"] == ["127.0.0.1:1", "127.0.0.1:2"]
    assert desk("config", "set", "listen.compat", "").code == 0
    assert desk("config", "get", "listen.compat").out == "-\n"


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (("log.level", "loud"), "bad_request", "it takes one of debug, info"),
        (("log.colour", "red"), "bad_request", "no setting"),
        (("log.level", "a", "b"), "usage", "takes one value"),
        (("log.level",), "usage", "takes one value"),
        (("limits.streams", "0"), "bad_request", "at least 1"),
        (("auth.token", SECRET), "usage", "any process can read a command line"),
        (("listen.address", "0.0.0.0:1"), "", ""),
    ],
)
def test_what_does_not_fit(desk: Desk, argv: tuple[str, ...], code: str, message: str) -> None:
    if not code:
        desk("config", "set", "auth.mode", "none")
        code, message = "forbidden", "would let anybody in"
    done = desk("config", "set", *argv, "--json")
    assert (failure(done)["code"], done.code == 0) == (code, False)
    assert message in failure(done)["message"]
    assert SECRET not in done.out + done.err


def test_a_secret_is_typed_or_read_from_a_private_file_and_never_shown(desk: Desk, tmp_path: Path) -> None:
    assert desk("config", "set", "auth.token", stdin=f"{SECRET}\n").code == 0
    assert SECRET in desk.file
    private = tmp_path / "secret"
    private.write_text("canary-of-file\n")
    assert (
        failure(desk("config", "set", "auth.password", "--from-file", str(private), "--json"))["code"] == "unauthorized"
    )
    private.chmod(0o600)
    assert desk("config", "set", "auth.password", "--from-file", str(private)).code == 0
    said = [
        desk(*argv) for argv in (("config", "show"), ("config", "get", "auth.token"), ("config", "history", "--json"))
    ]
    assert said[1].out == "(set)\n"
    assert not any("canary" in done.out + done.err for done in said)
    assert failure(desk("config", "set", "auth.token", "--json"))["code"] == "usage"


def test_validate(desk: Desk) -> None:
    assert desk("config", "validate", "--json").document == {"valid": True, "path": ""}
    Path("mine.yaml").write_text("log: {level: loud}")
    assert failure(desk("config", "validate", "mine.yaml", "--json"))["code"] == "bad_request"
    Path("mine.yaml").write_text("auth: {mode: none}\nlisten: ':1'")
    assert failure(desk("config", "validate", "mine.yaml", "--json"))["code"] == "forbidden"
    Path("mine.yaml").write_text("log: {level: info}")
    assert "in order" in desk("config", "validate", "mine.yaml").out


def test_the_schema(desk: Desk) -> None:
    assert json.loads(desk("config", "schema").out)["properties"]["log"]


def test_with_a_hub_live_settings_hold_at_once(desk: Desk, hub: RunningHub) -> None:
    done = desk("config", "set", "runs.budget_s", "5", "--json").document
    assert (done["applied"], done["needs_restart"]) == (["runs.budget_s"], [])
    assert desk("config", "set", "network.name", "Mine", "--json").document["needs_restart"] == ["network.name"]
    shown = desk("config", "show", "--changed")
    assert "The file says otherwise of network.name" in shown.err
    assert desk("config", "rollback", "1", "--json").document["needs_restart"] == ["network.name"]
    assert [row["by"] for row in desk("config", "history", "--json").document["versions"]] == ["operator"] * 3


def test_on_the_hubs_machine_the_files_owner_changes_what_no_door_does(desk: Desk, hub: RunningHub) -> None:
    done = desk("config", "set", "auth.public_read", "true", "--json").document
    assert (done["applied"], done["needs_restart"]) == ([], ["auth.public_read"])
    assert desk("config", "set", "auth.mode", "open", "--json").document["shadowed"] == ["auth.mode"]
    assert desk("config", "set", "runs.budget_s", "5").code == 0
    assert desk("config", "rollback", "1", "--json").document["needs_restart"] == ["runs.budget_s"]
    assert "public_read" in desk.file
    hub.stop()
    hub.start()
    assert hub.ask("GET", "/v1/rooms", token="")[0] == 200
    told = [
        event["audit"]
        for event in hub.ask("GET", "/v1/events?limit=500")[1]["events"]
        if event["type"] == "settings.changed"
    ]
    assert [(one["version"], one["by"].partition(":")[0]) for one in told] == [
        (1, "os"), (2, "os"), (3, "operator"), (4, "os"),
    ]  # fmt: skip


def test_from_another_machine_nothing_of_the_hosts_is_changed(
    desk: Desk, hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.socket, "gethostname", lambda: "elsewhere")
    error = failure(desk("config", "set", "auth.mode", "open", "--json"))
    assert error["code"] == "host_only"
    assert not (desk.data_dir / "instar.yaml").exists()


def test_a_key_without_the_right_changes_nothing(desk: Desk, hub: RunningHub) -> None:
    for scope in ("observe", "admin", "operate"):
        desk.set(INSTAR_TOKEN=hub.key("k", scope))
        assert failure(desk("config", "set", "log.level", "debug", "--json"))["code"] == "forbidden"
    assert not (desk.data_dir / "instar.yaml").exists()


def test_logs_of_a_hub_and_of_one_that_is_gone(desk: Desk, hub: RunningHub) -> None:
    desk("config", "set", "server.access_log", "true")
    hub.ask("GET", "/v1/me")
    entries = desk("logs", "--json").document["entries"]
    assert [one["path"] for one in entries if one.get("event") == "request"][-1] in (
        "/v1/me",
        "/v1/settings",
        "/v1/logs",
    )
    assert desk("logs", "--level", "error").out == "There is no such line.\n"
    assert "path=/v1/me" in desk("logs", "-n", "50").out
    hub.stop()
    last = desk("logs", "-n", "1")
    assert "stopping" in last.out
    hub.start()


def test_logs_are_followed(desk: Desk, hub: RunningHub, tmp_path: Path) -> None:
    desk("config", "set", "server.access_log", "true")
    argv = [str(BIN / "instar"), "logs", "-f", "--json"]
    env = {**environment(tmp_path), "INSTAR_DATA_DIR": str(desk.data_dir)}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        hub.ask("GET", "/v1/me?marker=1")
        while json.loads(process.stdout.readline()).get("path") != "/v1/me":
            pass
        process.terminate()


def test_without_a_log_that_is_said(desk: Desk) -> None:
    assert failure(desk("logs", "--json"))["code"] == "unreachable"


@pytest.mark.parametrize(
    "argv", [("start", "--token", SECRET), ("start", "--password=" + SECRET), ("send", "--token", "x")]
)
def test_no_secret_on_a_command_line(desk: Desk, argv: tuple[str, ...]) -> None:
    done = desk(*argv)
    assert done.code == 2
    assert "-file FILE" in done.err
    assert SECRET not in done.err


def test_start_takes_the_shared_secret_from_a_file_or_standard_input(desk: Desk, tmp_path: Path) -> None:
    private = tmp_path / "secret"
    private.touch(mode=0o600)
    private.write_text(SECRET + "\n")
    assert failure(desk("start", "--set", f"auth.token={SECRET}", "--json"))["code"] == "usage"
    assert failure(desk("start", "--token-file", "-", "--json"))["code"] == "usage"
    assert failure(desk("start", "--token-file", str(tmp_path / "none"), "--json"))["code"] == "unauthorized"
    hub = RunningHub(desk.data_dir, "bearer", "--token-file", str(private))
    try:
        shown = {row["key"]: row for row in hub.ask("GET", "/v1/settings")[1]["settings"]}
        assert (shown["auth.token"]["value"], shown["auth.token"]["origin"]) == ("(set)", "flag")
        argv = Path(f"/proc/{hub.process.pid}/cmdline").read_bytes()
        assert SECRET.encode() not in argv
    finally:
        hub.stop()
