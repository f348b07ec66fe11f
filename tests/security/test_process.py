"""Rows of the security bar that are about the hub as a process: its files, its surroundings, its own source."""

import ast
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from instar.client.access import find
from instar.client.http import Client

BIN = Path(sys.executable).parent / "instar"
SOURCE = Path(__file__).parents[2] / "src" / "instar"
FETCHERS = {"httpx", "httpx2", "aiohttp", "requests", "urllib3", "http.client", "urllib.request", "instar.client"}
RUNNERS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
KILLERS = {
    "hub/identity/tailnet.py": "the command that it started itself, in a session of its own",
    "server/lifecycle.py": "the hub's own process",
    "node/terminal.py": "the foreground of a terminal that it opened",
    "node/telemetry/installed.py": "a program that it asked for its version, in a session of its own",
    "node/supervision/tree.py": "what it or its descendants started, found by parent and start time",
    "node/supervision/supervisor.py": "the group of the program that it started itself",
    "node/tools/finding.py": "the search that it started itself",
}
"""Where signals are sent, and to whom."""
SHELL_WORDS = ("pkill", "killall", "pgrep")


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("INSTAR_", "XDG_", "PYTHON"))}
    return kept | {"HOME": str(home), "INSTAR_DATA_DIR": str(home / "hub")}


def start(*flags: str, home: Path, cwd: Path | None = None) -> tuple[subprocess.Popen[str], str]:
    """Start a hub as an operator does, with no umask at all; return it with its first line."""
    hub = subprocess.Popen(
        [BIN, "start", "--json", "--listen", "127.0.0.1:0", *flags],
        env=environment(home), cwd=cwd or home, umask=0,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert hub.stdout is not None
    return hub, hub.stdout.readline()


def stop(hub: subprocess.Popen[str]) -> None:
    hub.send_signal(signal.SIGTERM)
    hub.communicate(timeout=20)


def client_of(home: Path) -> Client:
    access = find(environment(home))
    return Client(access.url, access.token)


def sources() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text())) for path in sorted(SOURCE.rglob("*.py"))]


def imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({node.module, *(f"{node.module}.{each.name}" for each in node.names)})
    return names


def test_row_28_the_hub_fetches_nothing() -> None:
    """No URL that anybody names is ever asked for: what serves has no HTTP client."""
    serving = [each for each in sources() if each[0].relative_to(SOURCE).parts[0] in ("hub", "doors", "server", "bus")]
    assert len(serving) > 100
    for path, tree in serving:
        found = {
            name for name in imported(tree) for fetcher in FETCHERS if name == fetcher or name.startswith(f"{fetcher}.")
        }
        assert not found, (path, found)


def test_row_32_no_code_is_taken_from_where_it_is_started(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("sitecustomize", "usercustomize", "instar", "apsw", "msgspec", "uvicorn", "click", "plugin", "json"):
        (trap / f"{name}.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w').close()\n")
    hub, line = start(home=tmp_path, cwd=trap)
    stop(hub)
    assert json.loads(line)["url"]
    assert not (tmp_path / "sprung").exists()


def test_row_33_no_settings_are_taken_from_where_it_is_started(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / ".env").write_text(f"INSTAR_AUTH_MODE=none\nINSTAR_DATA_DIR={trap / 'data'}\nPATH=/nowhere\n")
    hub, line = start(home=tmp_path, cwd=trap)
    try:
        assert json.loads(line)["data_dir"] == str(tmp_path / "hub")
        assert client_of(tmp_path).invoke("hub.status", {})["mode"] == "bearer"
    finally:
        stop(hub)


def test_row_44_nobody_else_reads_its_files(tmp_path: Path) -> None:
    """Whatever the umask: after a start, a message, a backup, a changed setting, a device's key and a restart."""
    for _ in range(2):
        hub, line = start(home=tmp_path)
        assert json.loads(line)["url"]
        client = client_of(tmp_path)
        parts = [{"kind": "text", "text": "hello"}]
        client.invoke("messages.send", {"target": {"kind": "room", "room_id": "general"}, "parts": parts})
        client.invoke("hub.backup", {})
        schema = client.invoke("settings.list", {})
        assert schema
        stop(hub)
    files = list((tmp_path / "hub").rglob("*"))
    assert len(files) > 5
    for path in [tmp_path / "hub", *files]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert not mode & 0o077, f"{path} has mode {mode:o}"


@pytest.mark.parametrize(
    "flags",
    [
        ("--auth-mode", "none"),
        ("--set", "auth.mode=none", "--set", "tls.mode=on"),
        ("--set", "tls.mode=off"),
    ],
)
def test_row_46_it_is_not_opened_to_all_without_credentials_and_encryption(
    flags: tuple[str, ...], tmp_path: Path
) -> None:
    started = subprocess.run(
        [BIN, "start", "--json", "--listen", "0.0.0.0:0", *flags],
        env=environment(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert started.returncode != 0
    told = json.loads(started.stdout)["error"]
    assert told["hint"], told


def test_row_46_nor_with_a_secret_that_can_be_guessed(tmp_path: Path) -> None:
    started = subprocess.run(
        [BIN, "start", "--json", "--listen", "0.0.0.0:0"],
        env=environment(tmp_path) | {"INSTAR_AUTH_TOKEN": "s3cret-but-short"},
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert started.returncode != 0
    assert "32" in json.loads(started.stdout)["error"]["message"]
    assert "s3cret" not in started.stdout + started.stderr


def test_row_48_nothing_is_ended_by_its_name() -> None:
    """Processes are ended by the handle of who started them; no command that goes by names stands in the source."""
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value.strip():
                assert node.value.strip() not in SHELL_WORDS, path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                called = f"{node.value.id}.{node.attr}"
                assert called not in RUNNERS, path
                assert called not in ("os.kill", "os.killpg") or str(path.relative_to(SOURCE)) in KILLERS, path
            if isinstance(node, ast.keyword) and node.arg == "shell":
                assert not (isinstance(node.value, ast.Constant) and node.value.value), path
