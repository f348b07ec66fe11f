"""The node as a service of this user: a systemd user unit (Linux) or a launchd agent (macOS).

It starts at boot, without anybody logged in, and comes back whenever it ends. No secret stands in its definition or its
arguments: the node finds its key in its folder.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from instar.base import units
from instar.base.errors import InstarError
from instar.base.units import Outcome, Run

from .config import FOLDER_VARIABLE, NodeFolder

LABEL = "dev.instar.node"
UNIT = "instar-node.service"
RESTART_S = 5
_BY_HAND = "Run `instar node run` under a supervisor of your own."


class Running(NamedTuple):
    """What the system says of the service."""

    state: str
    """`running`, `stopped`, `not installed`, or `unknown: …`."""
    pid: int = 0


def systemd_unit(argv: Sequence[str], environment: Mapping[str, str], log: Path) -> str:
    """Return the text of a systemd user unit that runs `argv` for ever.

    Raises:
        InstarError: `bad_request` for a word with a line break.
    """
    path = str(log).replace("%", "%%")
    return f"""[Unit]
Description=Instar node
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={units.systemd_command(argv)}
{units.systemd_environment(environment)}StandardOutput=append:{path}
StandardError=append:{path}
Restart=always
RestartSec={RESTART_S}
KillMode=mixed
TimeoutStopSec=20
UMask=0077

[Install]
WantedBy=default.target
"""


def launchd_plist(argv: Sequence[str], environment: Mapping[str, str], log: Path) -> str:
    """Return the text of a launchd agent that runs `argv` for ever."""
    path = escape(str(log))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{LABEL}</string>
  <key>ProgramArguments</key>
{units.plist_words(argv)}
  <key>EnvironmentVariables</key>
{units.plist_variables(environment)}
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>ThrottleInterval</key>
  <integer>{RESTART_S}</integer>
  <key>ProcessType</key>
  <string>Background</string>
  <key>Umask</key>
  <integer>63</integer>
  <key>StandardOutPath</key>
  <string>{path}</string>
  <key>StandardErrorPath</key>
  <string>{path}</string>
</dict>
</plist>
"""


def program() -> tuple[str, ...]:
    """Return how `instar` is run here, with absolute paths."""
    beside = Path(sys.executable).with_name("instar")
    if beside.is_file():
        return (str(beside),)
    return (sys.executable, "-c", "import sys; from instar.cli.main import main; sys.exit(main())")


class NodeService:
    """The node's service.

    Args:
        folder: Where the node keeps its files; named to the service.
        environ: Environment variables, for the user's own paths.
        platform: `sys.platform`, for tests.
        run: Asks systemctl, loginctl and launchctl, for tests.

    Raises:
        InstarError: `service_unavailable` where there is neither systemd nor launchd.
    """

    def __init__(
        self, folder: NodeFolder, environ: Mapping[str, str], *, platform: str = sys.platform, run: Run | None = None
    ) -> None:
        self._folder = folder
        self._home = Path(environ.get("HOME") or Path.home())
        self._config_home = Path(environ.get("XDG_CONFIG_HOME") or self._home / ".config")
        self._run = run or partial(units.run_command, environment=_with_session(environ))
        self._is_macos = platform == "darwin"
        if not self._is_macos and not platform.startswith("linux"):
            raise InstarError(
                "service_unavailable",
                f"there is no service for the platform {platform}",
                hint=_BY_HAND,
            )

    @property
    def path(self) -> Path:
        """Where the definition stands."""
        if self._is_macos:
            return self._home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        return self._config_home / "systemd" / "user" / UNIT

    def text(self) -> str:
        """Return what `install` writes."""
        argv = (*program(), "node", "run")
        environment = {FOLDER_VARIABLE: str(self._folder.path.absolute())}
        write = launchd_plist if self._is_macos else systemd_unit
        return write(argv, environment, self._folder.log.absolute())

    def why_not(self) -> str:
        """Return why this machine cannot run a service for this user, in words; empty when it can."""
        if self._is_macos:
            code, said = self._run(("launchctl", "print", f"gui/{_uid()}"))
            return "" if code == 0 else f"launchd has no session for this user ({_first_line(said)})"
        self._linger()
        code, said = self._run(("systemctl", "--user", "show-environment"))
        return "" if code == 0 else f"systemd runs no services for this user ({_first_line(said)})"

    def install(self) -> Outcome:
        """Write the definition and start it, now and at every boot. Installing again replaces it.

        Raises:
            InstarError: `service_unavailable` when the system refuses; then nothing is left behind.
        """
        if reason := self.why_not():
            raise InstarError("service_unavailable", reason, hint=_BY_HAND)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(self.text(), encoding="utf-8")
        fresh.replace(self.path)
        try:
            return self._started()
        except InstarError:
            self.path.unlink(missing_ok=True)
            raise

    def remove(self) -> Outcome:
        """Stop the service and delete its definition; what is not there is no error."""
        if not self.path.is_file():
            return Outcome(str(self.path), False, False, "not installed")
        if self._is_macos:
            self._run(("launchctl", "bootout", self._target()))
        else:
            self._run(("systemctl", "--user", "disable", "--now", UNIT))
        self.path.unlink(missing_ok=True)
        if not self._is_macos:
            self._run(("systemctl", "--user", "daemon-reload"))
        return Outcome(str(self.path), False, False, "removed")

    def restart(self) -> None:
        """Start the service anew, if it is installed.

        Raises:
            InstarError: `service_unavailable` when the system refuses.
        """
        if self.path.is_file():
            self._started()

    def running(self) -> Running:
        """Ask the system how the service is."""
        if not self.path.is_file():
            return Running("not installed")
        if self._is_macos:
            code, said = self._run(("launchctl", "print", self._target()))
            pid = _number_after(said, "pid = ")
            return Running("running" if code == 0 and "state = running" in said else "stopped", pid)
        asked = ("systemctl", "--user", "show", UNIT, "--property=ActiveState", "--property=MainPID")
        code, said = self._run(asked)
        if code != 0:
            return Running(f"unknown: {_first_line(said)}")
        is_active = "ActiveState=active" in said
        return Running("running" if is_active else "stopped", _number_after(said, "MainPID=") if is_active else 0)

    def _started(self) -> Outcome:
        if self._is_macos:
            self._run(("launchctl", "bootout", self._target()))
            self._must(("launchctl", "bootstrap", f"gui/{_uid()}", str(self.path)))
            return Outcome(str(self.path), True, True, "installed and started")
        self._must(("systemctl", "--user", "daemon-reload"))
        self._must(("systemctl", "--user", "enable", UNIT))
        self._must(("systemctl", "--user", "restart", UNIT))
        lingers = self._linger()
        hint = "" if lingers else "It stops when you log out: let it stay with `sudo loginctl enable-linger $USER`."
        return Outcome(str(self.path), True, True, "installed and started", hint)

    def _linger(self) -> bool:
        """Let this user's services run without anybody logged in; return whether they do."""
        asked = ("loginctl", "show-user", str(_uid()), "--property=Linger", "--value")
        if self._run(asked)[1] == "yes":
            return True
        self._run(("loginctl", "enable-linger"))
        return self._run(asked)[1] == "yes"

    def _target(self) -> str:
        return f"gui/{_uid()}/{LABEL}"

    def _must(self, command: Sequence[str]) -> None:
        code, said = self._run(command)
        if code != 0:
            raise InstarError(
                "service_unavailable",
                f"`{' '.join(command)}` failed: {said or f'exit code {code}'}",
                hint=_BY_HAND,
            )


def _with_session(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the address of the user's own systemd, which `su` and `ssh` may leave out."""
    runtime = Path(f"/run/user/{_uid()}")
    found = dict(environ)
    if "XDG_RUNTIME_DIR" not in found and runtime.is_dir():
        found["XDG_RUNTIME_DIR"] = str(runtime)
    return found


def _number_after(said: str, mark: str) -> int:
    digits = said.partition(mark)[2].split("\n", 1)[0].strip()
    return int(digits) if digits.isdigit() else 0


def _first_line(said: str) -> str:
    return said.split("\n", 1)[0].strip() or "no answer"


def _uid() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
