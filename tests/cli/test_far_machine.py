"""A second machine, as far as this one can be two: another network namespace, TLS, and nothing in its home."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import BIN, environment

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""Tests may run side by side in several processes: each has a far machine of its own."""
NEAR, FAR = f"10.213.{77 + WORKER}.1", f"10.213.{77 + WORKER}.2"
NAMESPACE, CABLE, PLUG = f"instar-far{WORKER}", f"instar-near{WORKER}", f"instar-plug{WORKER}"
WAIT_S = 60


def ip(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def far() -> Iterator[list[str]]:
    """Yield what begins a command on the far machine."""
    if shutil.which("ip") is None:
        pytest.skip("needs Debian's package iproute2")
    ip("netns", "del", NAMESPACE)  # of a run that was killed
    made = ip("netns", "add", NAMESPACE)
    if made.returncode:
        pytest.skip(f"needs the right to make a network namespace ({made.stderr.strip()})")
    try:
        for words in (
            f"link add {CABLE} type veth peer name {PLUG}", f"link set {PLUG} netns {NAMESPACE}",
            f"addr add {NEAR}/30 dev {CABLE}", f"link set {CABLE} up",
            f"-n {NAMESPACE} addr add {FAR}/30 dev {PLUG}", f"-n {NAMESPACE} link set {PLUG} up",
            f"-n {NAMESPACE} link set lo up",
        ):  # fmt: skip
            done = ip(*words.split())
            assert done.returncode == 0, done.stderr
        yield ["ip", "netns", "exec", NAMESPACE]
    finally:
        ip("link", "del", CABLE)
        ip("netns", "del", NAMESPACE)


class Near:
    """The hub's machine."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        self.environ = environment(home)
        argv = [str(BIN / "instar"), "start", "--listen", f"{NEAR}:0", "--json", "--log-level", "warning"]
        with (home / "log").open("w") as log:
            self.process = subprocess.Popen(argv, env=self.environ, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        self.announcement: dict[str, Any] = json.loads(self.process.stdout.readline())

    def run(self, *argv: str, code: int = 0) -> str:
        done = subprocess.run(
            [str(BIN / "instar"), *argv], env=self.environ, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, timeout=WAIT_S,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def near(far: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Near]:
    hub = Near(tmp_path_factory.mktemp("near") / "home")
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def node(near: Near, far: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The far machine as node `far`, joined as a person joins it; yields its home."""
    home = tmp_path_factory.mktemp("far")
    said = home / "said"
    opened = json.loads(near.run("node", "pairing", "enable", "--json"))
    fingerprint = near.run("tls", "fingerprint").split()[0]
    argv = [str(BIN / "instar"), "node", "join", near.announcement["url"], "--name", "far", "--foreground"]
    with said.open("w") as out:
        process = subprocess.Popen(
            [*far, *argv, "--fingerprint", fingerprint], env=environment(home), stdin=subprocess.DEVNULL,
            stdout=out, stderr=out, text=True,
        )  # fmt: skip
    try:
        while not (asking := json.loads(near.run("node", "pending", "--json"))["requests"]):
            assert process.poll() is None, said.read_text()
        assert opened["hub_fingerprint"] in said.read_text()
        assert asking[0]["fingerprint"] in said.read_text()
        assert asking[0]["address"] == FAR
        near.run("node", "approve", asking[0]["request_id"], "--yes")
        while not json.loads(near.run("node", "list", "--connected", "--json"))["nodes"][1:]:
            assert process.poll() is None, said.read_text()
        yield home
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)


def test_the_hub_says_the_whole_command_that_joins(near: Near) -> None:
    fingerprint = near.run("tls", "fingerprint").split()[0]
    assert f"node join https://{NEAR}:{near.announcement['url'].rpartition(':')[2]} --fingerprint {fingerprint}" in (
        near.run("node", "pairing", "enable")
    )


def test_the_first_command_runs_there(near: Near, node: Path) -> None:
    assert FAR in near.run("exec", "--node", "far", "--yes", "--", "ip", "addr", "show")
    assert FAR not in near.run("exec", "--node", "local", "--yes", "--", "ip", "addr", "show")
    where = near.run("exec", "--node", "far", "--yes", "--", "pwd").strip()
    assert Path(where) == node


def test_a_file_goes_there_and_comes_back(near: Near, node: Path, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    sent.write_bytes(os.urandom(3_000_000))
    near.run("cp", "--yes", str(sent), "far:kept")
    assert (node / "kept").read_bytes() == sent.read_bytes()
    near.run("cp", "--yes", "far:kept", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == sent.read_bytes()


def test_a_call_survives_a_cable_that_is_pulled(near: Near, node: Path) -> None:
    line = f"echo once >> {node}/marks; while [ ! -e {node}/plugged ]; do sleep 0.05; done; echo through"
    call_id = json.loads(
        near.run("exec", "--node", "far", "--yes", "--queue", "--background", "--json", "--shell", line)
    )["id"]
    while not (node / "marks").exists():
        pass
    assert ip("link", "set", CABLE, "down").returncode == 0
    (node / "plugged").touch()
    assert ip("link", "set", CABLE, "up").returncode == 0
    shown: dict[str, Any] = {"state": ""}
    while shown["state"] not in {"done", "failed", "cancelled", "expired", "lost"}:
        shown = json.loads(near.run("calls", "show", call_id, "--json"))
    assert (shown["state"], shown["stdout"]) == ("done", "through\n")
    assert (node / "marks").read_text() == "once\n"
