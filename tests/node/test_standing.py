"""What a running node says of its link, and that a dead one says nothing."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.client.errors import HubError
from instar.node.standing import StandingFile, read

HOLD = (
    "import sys, pathlib, time; from instar.node.standing import StandingFile as S; S(pathlib.Path(sys.argv[1]), 'u');"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node" / "link.json"


async def test_the_link_comes_goes_and_comes_again(path: Path):
    board = StandingFile(path, "https://hub")
    # A lock of this process is no bar to itself; what is asked is asked by another.
    first = said(path)
    assert (first["is_connected"], first["pid"], first["last_error"]) == ("False", str(os.getpid()), "None")
    await board.away(HubError("unreachable", "the hub cannot be reached", hint="Start it."), 30.0)
    await board.away(HubError("unreachable", "x" * 9_000, hint="Start it."), 30.0)
    away = said(path)
    assert (away["is_connected"], away["tries"], away["since"]) == ("False", "2", first["since"])
    assert away["next_try_at"] > away["since"]
    await board.connected("node_1", "1.2.3")
    there = said(path)
    assert (there["is_connected"], there["tries"], there["next_try_at"]) == ("True", "0", "")
    assert (there["node_id"], there["hub_version"], there["since"]) == ("node_1", "1.2.3", there["last_connected_at"])
    assert "unreachable" in there["last_error"]
    assert mode_of(path) == 0o600
    board.close()
    assert said(path) == {}
    assert read(path) is None


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def block(path: Path) -> None:
    path.unlink()
    path.mkdir()


def said(path: Path) -> dict[str, str]:
    """Return what another process reads."""
    line = (
        "import sys, pathlib, json, msgspec; from instar.node.standing import read;"
        "found = read(pathlib.Path(sys.argv[1]));"
        "print(json.dumps({k: str(getattr(found, k)) for k in found.__struct_fields__} if found else {}))"
    )
    done = subprocess.run([sys.executable, "-c", line, str(path)], capture_output=True, text=True, check=True)

    return json.loads(done.stdout)


def test_a_node_that_was_killed_is_not_taken_for_a_connected_one(path: Path):
    assert read(path) is None
    node = subprocess.Popen(
        [sys.executable, "-c", HOLD + "print('there', flush=True); time.sleep(60)", str(path)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert node.stdout is not None
        assert node.stdout.readline() == "there\n"
        found = read(path)
        assert found is not None
        assert (found.url, found.pid) == ("u", node.pid)
        path.write_text('{"url": 1}')
        with pytest.raises(InstarError, match="cannot be used"):
            read(path)
        path.chmod(0o644)
        with pytest.raises(InstarError, match="open to other users"):
            read(path)
    finally:
        node.send_signal(signal.SIGKILL)
        node.communicate()
    assert read(path) is None


async def test_a_disk_that_takes_nothing_stops_no_node(path: Path):
    board = StandingFile(path, "https://hub")
    block(path)
    await board.connected("node_1", "1.2.3")
    board.close()
