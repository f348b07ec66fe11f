"""A hub in a process of its own, as an operator starts it."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from conformance.moltnet.cli import Cli

INSTAR = Path(sys.executable).parent / "instar"


class RunningHub:
    """One data directory and a process on it; the port stays over restarts."""

    def __init__(self, data_dir: Path, mode: str, *flags: str) -> None:
        self.data_dir = data_dir
        self.mode = mode
        self._flags = flags
        self._port = 0
        self.start()

    def start(self) -> None:
        command = [INSTAR, "start", "--json", "--listen", f"127.0.0.1:{self._port}", "--auth-mode", self.mode]
        log = self.data_dir.with_suffix(".log").open("ab")
        self.process = subprocess.Popen(
            [*command, "--data-dir", self.data_dir, *self._flags], stdout=subprocess.PIPE, stderr=log
        )
        log.close()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.data_dir.with_suffix(".log").read_text()
        self.url: str = json.loads(line)["url"]
        self._port = int(self.url.rpartition(":")[2])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def operator_token(self) -> str:
        return (self.data_dir / "local-grant").read_text().strip()

    def operator(self) -> Cli:
        return self.cli("operator", self.operator_token)

    def cli(self, member: str, token: str = "", **more: Any) -> Cli:
        return Cli(self.url, "local", member, token=token, auth_mode=self.mode, **more)

    def ask(self, method: str, path: str, body: object = None, token: str | None = None) -> tuple[int, Any]:
        cli = self.cli("x", self.operator_token if token is None else token)
        status, payload = cli.request(method, path, body)
        return status, json.loads(payload) if payload[:1] in b"{[" and payload else payload

    def key(self, name: str, *scopes: str, agents: list[str] | None = None) -> str:
        """Make a key and return its token."""
        wanted: dict[str, Any] = {"name": name, "scopes": scopes}
        if agents is not None:
            wanted["agents"] = agents
        status, made = self.ask("POST", "/v1/keys", wanted)
        assert status == 201, made
        return made["token"]

    def agent_token(self, agent_id: str) -> str:
        """Return a token for an agent: none is needed in mode none."""
        if self.mode == "none":
            return ""
        return self.key(f"{agent_id}-key", "attach", "write", agents=[agent_id])
