"""The service: unit texts by themselves, and installation with recorded commands."""

import plistlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.base.units import run_command
from instar.server.service import Service, launchd_plist, systemd_unit

ARGV = ("/opt/my apps/instar", "start", '--name=a"b', "100%", "$HOME", "back\\slash")


class Recorded:
    """Runs nothing; answers as told."""

    def __init__(self, **answers: tuple[int, str]) -> None:
        self.answers = answers
        self.commands: list[tuple[str, ...]] = []

    def __call__(self, command: Sequence[str]) -> tuple[int, str]:
        self.commands.append(tuple(command))
        return next((answer for word, answer in self.answers.items() if word in " ".join(command)), (0, ""))


def test_systemd_words_are_quoted() -> None:
    text = systemd_unit(ARGV, {"INSTAR_DATA_DIR": "/data $x 50%"})
    (start,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    assert start == r'ExecStart="/opt/my apps/instar" "start" "--name=a\"b" "100%%" "$$HOME" "back\\slash"'
    assert 'Environment="INSTAR_DATA_DIR=/data $x 50%%"' in text
    assert "WantedBy=default.target" in text
    with pytest.raises(InstarError):
        systemd_unit(("a\nExecStartPre=/bin/evil",), {})


def test_launchd_words_are_escaped() -> None:
    text = launchd_plist(("/opt/<a>&b", "start"), {"A": "<&>"}, Path("/tmp/log"))
    plist = plistlib.loads(text.encode())
    assert plist["ProgramArguments"] == ["/opt/<a>&b", "start"]
    assert plist["EnvironmentVariables"] == {"A": "<&>"}
    assert plist["KeepAlive"] == {"SuccessfulExit": False}


@pytest.mark.parametrize("key", ["INSTAR_TOKEN", "my_secret", "Password", "API_KEY"])
def test_secrets_are_refused(key: str) -> None:
    with pytest.raises(InstarError, match=key):
        Service(ARGV, {key: "x"}, platform="linux")


def test_systemd(tmp_path: Path) -> None:
    run = Recorded(show=(0, "no"), active=(3, "inactive"))
    service = Service(ARGV, {}, platform="linux", home=tmp_path, run=run)
    assert service.status().message == "not installed"
    installed = service.install()
    assert "enable-linger" in installed.hint
    assert service.path.read_text() == service.text()
    assert service.status().message == "installed, not running"
    run.answers = {"show": (0, "yes"), "active": (0, "active")}
    assert service.install().hint == ""
    assert service.status().is_running
    assert not service.remove().is_installed
    assert not service.path.exists()
    service.remove()
    assert ("systemctl", "--user", "enable", "instar.service") in run.commands


def test_launchd(tmp_path: Path) -> None:
    run = Recorded(print=(0, "\tstate = running\n"), bootout=(3, "no such process"))
    service = Service(ARGV, {}, platform="darwin", home=tmp_path, run=run)
    service.install()
    assert service.path.is_relative_to(tmp_path / "Library" / "LaunchAgents")
    assert service.status().is_running
    service.remove()
    assert not service.path.exists()


def test_a_system_that_refuses_is_named(tmp_path: Path) -> None:
    service = Service(ARGV, {}, platform="linux", home=tmp_path, run=Recorded(reload=(1, "no bus")))
    with pytest.raises(InstarError, match="no bus") as caught:
        service.install()
    assert str(service.path) in caught.value.hint


def test_a_platform_without_services() -> None:
    with pytest.raises(InstarError, match="win32"):
        Service(ARGV, {}, platform="win32")


def test_commands_are_run_without_a_shell() -> None:
    assert run_command(("printf", "%s", "$HOME")) == (0, "$HOME")
    assert run_command(("no-such-program-here",))[0] == 127


@pytest.mark.parametrize("name", ["INSTAR_AUTH_TOKEN", "INSTAR_AUTH_PASSWORD", "OPENCLAW_GATEWAY_TOKEN"])
def test_a_secret_setting_is_refused_with_the_way_to_keep_it(name: str) -> None:
    with pytest.raises(InstarError, match=f"{name} is a secret") as caught:
        Service(["x"], {name: "canary"}, platform="linux")
    assert "instar config set" in caught.value.hint
    assert "canary" not in caught.value.message + caught.value.hint


def test_a_setting_that_only_sounds_like_a_secret_is_none() -> None:
    assert "INSTAR_TLS_KEY=/k.pem" in Service(["x"], {"INSTAR_TLS_KEY": "/k.pem"}, platform="linux").text()
