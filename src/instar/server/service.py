"""`instar service`: run the hub at login as a systemd user unit (Linux) or a launchd agent (macOS).

The texts are pure functions. No secret is ever written into them: the hub finds its key file in its data directory.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from instar.base.errors import InstarError
from instar.base.units import (
    Outcome,
    Run,
    plist_variables,
    plist_words,
    run_command,
    systemd_command,
    systemd_environment,
)
from instar.hub.settings.keys import ENV_KEYS, SECRETS

LABEL = "dev.instar.hub"
UNIT = "instar.service"


def systemd_unit(argv: Sequence[str], environment: dict[str, str]) -> str:
    """Return the text of a systemd user unit that runs `argv`."""
    return f"""[Unit]
Description=Instar, the hub for AI agents
After=network-online.target
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=exec
ExecStart={systemd_command(argv)}
{systemd_environment(environment)}Restart=on-failure
RestartSec=2
KillSignal=SIGTERM
TimeoutStopSec=20
LimitNOFILE=65536
NoNewPrivileges=yes
UMask=0077

[Install]
WantedBy=default.target
"""


def launchd_plist(argv: Sequence[str], environment: dict[str, str], log: Path) -> str:
    """Return the text of a launchd agent that runs `argv`."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{LABEL}</string>
  <key>ProgramArguments</key>
{plist_words(argv)}
  <key>EnvironmentVariables</key>
{plist_variables(environment)}
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ExitTimeOut</key>
  <integer>20</integer>
  <key>Umask</key>
  <integer>63</integer>
  <key>StandardErrorPath</key>
  <string>{escape(str(log))}</string>
</dict>
</plist>
"""


def _is_secret(name: str) -> bool:
    """Whether a variable holds a secret, or looks as if it did."""
    if name in ENV_KEYS:
        return ENV_KEYS[name] in SECRETS
    return any(word in name.upper() for word in ("TOKEN", "SECRET", "PASSWORD", "KEY"))


class Service:
    """The hub as a service of this user.

    Args:
        argv: What to run, with absolute paths.
        environment: Settings that the unit sets; secrets are refused.
        platform: `sys.platform`, for tests.
        home: The user's home directory.
        run: Runs systemctl, loginctl and launchctl.

    Raises:
        InstarError: `bad_request` for a setting that is a secret; `service_unavailable` where there is no systemd and
            no launchd.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: dict[str, str],
        *,
        platform: str = sys.platform,
        home: Path | None = None,
        run: Run = run_command,
    ) -> None:
        for name in filter(_is_secret, environment):
            raise InstarError(
                "bad_request",
                f"{name} is a secret, which does not belong into a unit",
                hint="Put it into the settings file with `instar config set`, and unset the variable.",
            )
        self._argv = tuple(argv)
        self._environment = environment
        self._home = home or Path.home()
        self._run = run
        self._is_macos = platform == "darwin"
        if not self._is_macos and not platform.startswith("linux"):
            raise InstarError(
                "service_unavailable",
                f"there is no service for the platform {platform}",
                hint="Run `instar start` under a supervisor of your own.",
            )

    @property
    def path(self) -> Path:
        """Where the unit stands."""
        if self._is_macos:
            return self._home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        return self._home / ".config" / "systemd" / "user" / UNIT

    def text(self) -> str:
        """Return what `install` writes."""
        if self._is_macos:
            return launchd_plist(self._argv, self._environment, self._home / "Library" / "Logs" / "instar.log")
        return systemd_unit(self._argv, self._environment)

    def install(self) -> Outcome:
        """Write the unit and start it now and at every login. Installing again replaces it.

        Raises:
            InstarError: `service_unavailable` when the system refuses.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(self.text(), encoding="utf-8")
        fresh.replace(self.path)
        if self._is_macos:
            self._run(("launchctl", "bootout", self._target()))
            self._must(("launchctl", "bootstrap", f"gui/{_uid()}", str(self.path)))
            return Outcome(str(self.path), True, True, "installed and started")
        self._must(("systemctl", "--user", "daemon-reload"))
        self._must(("systemctl", "--user", "enable", UNIT))
        self._must(("systemctl", "--user", "restart", UNIT))
        _, lingers = self._run(("loginctl", "show-user", str(_uid()), "--property=Linger", "--value"))
        hint = "" if lingers == "yes" else "It stops when you log out; keep it with `loginctl enable-linger`."
        return Outcome(str(self.path), True, True, "installed and started", hint)

    def remove(self) -> Outcome:
        """Stop the service and delete its unit; what is not there is no error. The hub's data stays."""
        if self._is_macos:
            self._run(("launchctl", "bootout", self._target()))
        else:
            self._run(("systemctl", "--user", "disable", "--now", UNIT))
        self.path.unlink(missing_ok=True)
        if not self._is_macos:
            self._run(("systemctl", "--user", "daemon-reload"))
        return Outcome(str(self.path), False, False, "removed; the data directory was left alone")

    def status(self) -> Outcome:
        """Say whether the service is installed and runs."""
        is_installed = self.path.is_file()
        if self._is_macos:
            code, text = self._run(("launchctl", "print", self._target()))
            is_running = code == 0 and "state = running" in text
        else:
            code, text = self._run(("systemctl", "--user", "is-active", UNIT))
            is_running = code == 0 and text == "active"
        message = "running" if is_running else "installed, not running" if is_installed else "not installed"
        hint = "" if is_installed else "Install it with `instar service install`."
        return Outcome(str(self.path), is_installed, is_running, message, hint)

    def _target(self) -> str:
        return f"gui/{_uid()}/{LABEL}"

    def _must(self, command: Sequence[str]) -> None:
        code, text = self._run(command)
        if code != 0:
            raise InstarError(
                "service_unavailable",
                f"`{' '.join(command)}` failed: {text or f'exit code {code}'}",
                hint=f"The unit stands at {self.path}; start it by hand, or run `instar start`.",
            )


def _uid() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
