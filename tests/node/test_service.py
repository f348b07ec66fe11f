"""The service of a node: what is written, what the system is asked, and what is said where there is none."""

import plistlib
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.node.config import NodeFolder
from instar.node.service import NodeService, launchd_plist, program, systemd_unit


class System:
    """What systemctl, loginctl and launchctl answer."""

    def __init__(self, *, has_session: bool = True, may_linger: bool = True, refuses: str = "") -> None:
        self.asked: list[str] = []
        self.is_active = self.lingers = False
        self._has_session = has_session
        self._may_linger = may_linger
        self._refuses = refuses

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        line = " ".join(command)
        self.asked.append(line)
        if not self._has_session or (self._refuses and self._refuses in line):
            return 1, "Failed to connect to bus: No medium found"
        if line == "loginctl enable-linger":
            self.lingers = self._may_linger
        if "Linger" in line:
            return 0, "yes" if self.lingers else "no"
        if "restart" in line or "bootstrap" in line:
            self.is_active = True
        if "disable" in line or "bootout" in line:
            self.is_active = False
        if " show " in line or "print" in line:
            state = "active" if self.is_active else "inactive"
            return 0, f"ActiveState={state}\nMainPID=41\n" if "show" in line else "state = running\npid = 41\n"
        return 0, ""


def service(home: Path, system: System, platform: str = "linux") -> NodeService:
    return NodeService(NodeFolder(home / "node"), {"HOME": str(home)}, platform=platform, run=system.run)


def test_the_command_line_of_the_service_is_one_that_instar_understands(tmp_path: Path):
    text = service(tmp_path, System()).text()
    (line,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    words = shlex.split(line.removeprefix("ExecStart="))
    assert words[-2:] == ["node", "run"]
    assert tuple(words) == (*program(), "node", "run")
    subprocess.run([*words, "--help"], check=True, capture_output=True)


def test_the_unit_runs_for_ever_from_boot_and_holds_no_secret(tmp_path: Path):
    text = service(tmp_path, System()).text()
    for line in ("Restart=always", "StartLimitIntervalSec=0", "After=network-online.target", "WantedBy=default.target"):
        assert line in text
    assert f'Environment="INSTAR_NODE_DIR={tmp_path / "node"}"' in text
    assert not any(word in text.lower() for word in ("token", "password", "secret"))


def test_words_are_quoted_for_both_systems(tmp_path: Path):
    words = ('/opt/a "b"/50% $HOME/instar', "<node>")
    unit = systemd_unit(words, {"X": "a&b %h"}, tmp_path / "50%.log")
    assert r'ExecStart="/opt/a \"b\"/50%% $$HOME/instar" "<node>"' in unit
    assert "50%%.log" in unit
    parsed = plistlib.loads(launchd_plist(words, {"X": "a&b"}, tmp_path / "<log>").encode())
    assert parsed["ProgramArguments"] == list(words)
    assert (parsed["KeepAlive"], parsed["RunAtLoad"], parsed["EnvironmentVariables"]) == (True, True, {"X": "a&b"})
    assert parsed["StandardErrorPath"].endswith("<log>")
    with pytest.raises(InstarError, match="line break"):
        systemd_unit(("a\nb",), {}, tmp_path)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_understands_the_unit(tmp_path: Path):
    path = tmp_path / "instar-node.service"
    path.write_text(systemd_unit(("/bin/true", 'a "b" $c %d'), {"X": 'y "z" %h'}, tmp_path / "log"))
    done = subprocess.run(["systemd-analyze", "verify", "--user", path], capture_output=True, text=True, check=False)
    assert "instar-node.service" not in done.stderr, done.stderr


def test_it_is_installed_with_linger_and_removed(tmp_path: Path):
    system = System()
    found = service(tmp_path, system)
    assert found.running().state == "not installed"
    done = found.install()
    assert (done.is_running, done.hint, system.lingers) == (True, "", True)
    assert found.path == tmp_path / ".config" / "systemd" / "user" / "instar-node.service"
    assert found.path.read_text() == found.text()
    assert found.running() == ("running", 41)
    found.restart()
    assert found.remove().message == "removed"
    assert not found.path.exists()
    assert found.remove().message == "not installed"
    assert "--user daemon-reload" in system.asked[-1]


def test_a_user_that_may_not_linger_is_told(tmp_path: Path):
    assert "enable-linger" in service(tmp_path, System(may_linger=False)).install().hint


def test_where_there_is_no_systemd_it_is_said_and_nothing_is_left(tmp_path: Path):
    found = service(tmp_path, System(has_session=False))
    assert "systemd runs no services" in found.why_not()
    with pytest.raises(InstarError) as refused:
        found.install()
    assert "instar node run" in refused.value.hint
    assert not found.path.exists()
    half = service(tmp_path, System(refuses="restart"))
    with pytest.raises(InstarError, match="failed"):
        half.install()
    assert not half.path.exists()
    with pytest.raises(InstarError, match="platform win32"):
        service(tmp_path, System(), "win32")


def test_launchd_is_asked_in_its_own_words(tmp_path: Path):
    system = System()
    found = service(tmp_path, system, "darwin")
    assert found.why_not() == ""
    assert found.install().is_running
    assert found.path == tmp_path / "Library" / "LaunchAgents" / "dev.instar.node.plist"
    assert found.running() == ("running", 41)
    found.remove()
    assert not found.path.exists()
    assert service(tmp_path, System(has_session=False), "darwin").why_not()
