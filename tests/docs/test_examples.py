"""The pages' commands and programs, run as they stand against a real hub."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from instar.client.access import find
from instar.client.http import Client

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
NOT_RUN = ("make ", "curl ", "instar tail", "instar keys create", "instar service")
"""What takes the machine over, follows without end, or needs what a person copies."""


class Hub:
    """A hub in a process of its own, which can be killed and started again on the same address."""

    def __init__(self, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("INSTAR_", "XDG_"))}
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        self.environ = kept | {"HOME": str(home), "PATH": path, "INSTAR_DATA_DIR": str(home / "hub")}
        self._listen = "127.0.0.1:0"
        self.start()

    def start(self) -> None:
        """Start it and wait until it serves."""
        argv = [str(BIN / "instar"), "start", "--listen", self._listen, "--json", "--log-level", "error"]
        self._process = subprocess.Popen(argv, env=self.environ, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = json.loads(self._process.stdout.readline())
        assert "url" in said, said
        self.url = said["url"]
        self._listen = self.url.removeprefix("http://")
        url, token, _ = find(self.environ)
        self.client = Client(url, token)

    def stop(self, sent: signal.Signals = signal.SIGKILL) -> None:
        """End it, by default as a power cut would."""
        self._process.send_signal(sent)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait(timeout=20)

    def run(self, command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
        """Run a command line as a shell does."""
        return subprocess.run(
            ["sh", "-c", command], env=self.environ, cwd=cwd, capture_output=True, text=True, check=False
        )


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(tmp_path)
    yield hub
    hub.stop(signal.SIGTERM)


class Program(NamedTuple):
    """A complete program of a page."""

    heading: str
    text: str


def blocks(page: str, language: str) -> Iterator[Program]:
    """Yield a page's blocks of one language, each with the heading that it stands under."""
    text = (ROOT / page).read_text()
    for found in re.finditer(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        heading = re.findall(r"^#+ (.*)$", text[: found.start()], re.MULTILINE)[-1]
        yield Program(heading, re.sub(rf"^{found[1]}", "", found[2], flags=re.MULTILINE))


def commands(page: str) -> list[str]:
    """Return the command lines that a page shows, in order."""
    lines = [line for block in blocks(page, "console") for line in block.text.splitlines()]
    shown = [line.removeprefix("$ ").partition("  #")[0] for line in lines if line.startswith("$ ")]
    return [command for command in shown if not command.startswith(NOT_RUN)]


@pytest.mark.parametrize(
    "page", ["README.md", "docs/start.md", "docs/agents.md", "docs/people.md", "docs/schedules.md", "docs/exec.md"]
)
def test_a_pages_commands_run_in_order(page: str, hub: Hub, tmp_path: Path) -> None:
    shown = commands(page)
    assert len(shown) >= 2
    for command in shown:
        done = hub.run(command, tmp_path)
        assert (done.returncode, command) == (0, command), done.stderr


def test_the_file_that_start_declares_is_applied(hub: Hub, tmp_path: Path) -> None:
    [declared] = blocks("docs/start.md", "yaml")
    (tmp_path / "team.yaml").write_text(declared.text)
    assert "+ create room review" in hub.run("instar apply team.yaml --dry-run", tmp_path).stdout
    assert hub.run("instar apply team.yaml --yes", tmp_path).returncode == 0
    assert hub.client.invoke("agents.get", {"agent_id": "beta"})["wake"] == "mentions"


@pytest.fixture
def await_answers(hub: Hub) -> Callable[[int], list[str]]:
    """Wait until beta has said so much in `general`, and return the ids of all that it said."""

    def wait(count: int) -> list[str]:
        seen, after = list[str](), "0"
        while len(seen) < count:
            page = hub.client.invoke("events.read", {"after": after, "limit": 500, "wait": 20})
            assert page["events"], f"nothing more came; beta said {seen}"
            after = page["cursor"]
            said = (event["message"] for event in page["events"] if event["type"] == "message.created")
            seen += [message["id"] for message in said if message["from"]["id"] == "beta"]
        return seen

    return wait


@pytest.mark.parametrize("program", list(blocks("docs/agents.md", "python")), ids=lambda program: program.heading)
def test_an_agent_answers_once_each_over_a_kill(
    program: Program, hub: Hub, tmp_path: Path, await_answers: Callable[[int], list[str]]
) -> None:
    for command in commands("docs/agents.md"):
        hub.run(command, tmp_path)
    wanted = {"name": "beta", "scopes": ["attach", "write"], "agents": ["beta"]}
    token = hub.client.invoke("keys.create", wanted)["token"]
    (tmp_path / "agent.py").write_text(program.text)

    def ask(number: int) -> None:
        params = {"target": {"kind": "room", "room_id": "general"}, "id": f"q{number}"}
        hub.client.invoke("messages.send", params | {"parts": [{"kind": "text", "text": f"@beta {number}"}]})

    ask(1)
    environ = hub.environ | {"INSTAR_URL": hub.url, "INSTAR_TOKEN": token}
    with subprocess.Popen([sys.executable, "agent.py"], cwd=tmp_path, env=environ) as agent:
        try:
            ask(2)
            assert await_answers(2) == ["answer-q1", "answer-q2"]
            hub.stop()
            hub.start()
            ask(3)
            assert await_answers(3) == ["answer-q1", "answer-q2", "answer-q3"]
        finally:
            agent.kill()
