"""A machine becomes a node of a real hub by the command line, and is looked after from there."""

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from instar.base.errors import InstarError
from instar.cli import copying
from instar.cli.commands.node.joining import hub_url
from instar.cli.commands.node.requests import permitted
from instar.node import allow, config
from instar.node.config import NodeFolder

from .conftest import BIN, Cli, Done, Hub, environment


class Machine(NamedTuple):
    """A second machine: a home of its own, where commands run as processes."""

    home: Path
    environ: dict[str, str]

    @property
    def folder(self) -> NodeFolder:
        return config.folder_of(self.environ)

    def run(self, *argv: str) -> Done:
        done = subprocess.run(
            [str(BIN / "instar"), "node", *argv], env=self.environ, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def begin(self, *argv: str) -> "subprocess.Popen[str]":
        with (self.home / "said").open("a") as said:
            return subprocess.Popen(
                [str(BIN / "instar"), "node", *argv], env=self.environ, stdin=subprocess.DEVNULL, stdout=said,
                stderr=said, text=True,
            )  # fmt: skip


def until(looks: Callable[[], Any]) -> Any:
    """Ask until there is an answer; the limit of the test itself ends it."""
    while not (found := looks()):
        pass
    return found


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    home = tmp_path / "machine"
    home.mkdir()
    return Machine(home, environment(home))


Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def begin(machine: Machine) -> Iterator[Begin]:
    """Begin commands on the machine; those that still run at the end are killed."""
    begun: list[subprocess.Popen[str]] = []

    def one(*argv: str) -> "subprocess.Popen[str]":
        begun.append(machine.begin(*argv))
        return begun[-1]

    yield one
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.wait()


def is_connected(hub: Hub, name: str) -> bool:
    return any(each["name"] == name for each in hub.client.invoke("nodes.list", {"connected": True})["nodes"])


@pytest.fixture
def joined(hub: Hub, machine: Machine) -> Iterator[Machine]:
    """A node that is connected, called `build`, which may be asked everything; no other one is called so."""
    for each in hub.client.invoke("devices.list")["devices"]:
        if each["facts"].get("name") == "build":
            hub.client.invoke("devices.remove", {"device_id": each["id"]})
    hub.client.invoke("pairing.open")
    process = machine.begin("join", hub.client.url, "--name", "build", "--label", "gpu=yes", "--foreground")
    try:
        (request,) = until(lambda: hub.client.invoke("nodes.requests")["requests"])
        hub.client.invoke("nodes.approve", {"request_id": request["request_id"], "permit": {"commands": ["*"]}})
        until(
            lambda: [
                each
                for each in hub.client.invoke("nodes.list", {"connected": True})["nodes"]
                if each["name"] == "build"
            ]
        )
        yield machine
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=20)
        for each in hub.client.invoke("devices.list")["devices"]:
            if each["facts"].get("name") == "build":
                hub.client.invoke("devices.remove", {"device_id": each["id"]})
    assert code == 0, (machine.home / "said").read_text()


def test_from_nothing_to_a_node_as_a_person_does_it(cli: Cli, hub: Hub, machine: Machine, begin: Begin):
    cli("node", "pairing", "disable")
    process = begin("join", hub.client.url, "--name", "fresh", "--foreground")
    said = machine.home / "said"
    until(lambda: "instar node pairing enable" in said.read_text())
    enabled = cli("node", "pairing", "enable", "--json").document
    assert enabled["hub_fingerprint"] in said.read_text()
    (request,) = until(lambda: cli("node", "pending", "--json").document["requests"])
    assert machine.run("fingerprint").out.strip() == request["fingerprint"]
    until(lambda: f"instar node approve {request['request_id']}" in said.read_text())
    assert cli("node", "approve").code == 2
    node = cli("node", "approve", "--yes", "--label", "tier=test", "--json").document
    assert node["permit"]["commands"] == ["*"]
    until(lambda: cli("node", "describe", "fresh", "--json").document.get("is_connected"))
    document = cli("node", "list", "--select", "tier=test", "--json").document
    assert [each["name"] for each in document["nodes"]] == ["fresh"]
    assert "fresh" in cli("node", "list").out
    assert machine.folder.config.stat().st_mode & 0o777 == 0o600
    assert machine.folder.key.stat().st_mode & 0o777 == 0o600
    assert allow.load(machine.folder.allow).commands == ["*"]
    status = json.loads(machine.run("status", "--json").out)
    assert (status["url"], status["link"]["state"], status["link"]["url"]) == (
        hub.client.url, "connected", hub.client.url,
    )  # fmt: skip
    assert f"connected to {hub.client.url} since 20" in machine.run("status").out
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0, said.read_text()
    assert json.loads(machine.run("status", "--json").out)["link"] == {"state": "down"}
    assert machine.run("remove", "--yes").out.startswith("Node removed.")
    assert machine.run("remove", "--yes").out.startswith("This machine was no node.")
    assert machine.run("status").out.startswith("This machine is no node")
    assert machine.run("run").code == 3
    cli("devices", "remove", "fresh", "--yes")
    cli("node", "pairing", "disable")


def test_a_node_whose_hub_is_away_says_so_by_itself(machine: Machine, begin: Begin):
    config.save(machine.folder, config.NodeConfig("http://127.0.0.1:9", hub_key="SHA256:none"))
    process = begin("run")
    status = until(lambda: (found := json.loads(machine.run("status", "--json").out)["link"]).get("tries") and found)
    assert (status["state"], status["pid"]) == ("away", process.pid)
    assert status["last_error"]["message"]
    assert status["next_try_at"] > status["last_error"]["at"]
    assert machine.folder.standing.stat().st_mode & 0o777 == 0o600
    said = machine.run("status").out
    assert "Link:    not connected since 20" in said
    assert "Failed tries:" in said
    process.kill()
    process.wait()
    assert "no node runs here" in machine.run("status").out


def test_a_node_is_shown_labelled_and_permitted(cli: Cli, joined: Machine):
    shown = cli("node", "describe", "build").out
    assert "gpu=yes" in shown
    assert "may be asked  all" in shown
    labelled = cli("node", "label", "build", "tier=gold", "gpu=", "--json").document
    assert labelled["labels"] == {"tier": "gold"}
    assert cli("node", "label", "build", "--remove", "gpu", "--json").document["labels"] == {
        "tier": "gold",
        "gpu": "yes",
    }
    only = cli("node", "allow", "build", "exec", "read*", "--only", "--env", "CI_RUN", "--json").document
    assert only["permit"] == {"commands": ["exec", "read*"], "env": ["CI_RUN"]}
    assert only["commands"] == ["exec", "read_file"]
    assert cli("node", "allow", "build", "read*", "--remove", "--json").document["commands"] == ["exec"]
    assert "any agent" in cli("node", "allow", "build").out
    assert cli("node", "allow", "build", "--env", "LD_PRELOAD").code == 2
    refused = cli("node", "allow", "build", "exce", "reed*", "which")
    assert refused.code == 2
    assert "there is no tool 'exce', 'reed*'" in refused.err
    assert "Did you mean exec" in refused.err
    assert cli("node", "allow", "build", "--json").document["permit"]["commands"] == ["exec"]
    until(lambda: cli("node", "history", "build", "--json").document["reports"])
    assert "%" in cli("node", "history", "build").out
    missing = cli("node", "describe", "biuld")
    assert (missing.code, "Did you mean build?" in missing.err) == (3, True)


def test_files_are_copied_both_ways_and_go_on_where_they_stopped(
    cli: Cli, joined: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(copying, "PIECE_BYTES", 300_000)
    content = os.urandom(1_000_000)
    (tmp_path / "f.bin").write_bytes(content)
    sent = cli("cp", "f.bin", "build:", "--yes", "--json").document
    assert sent["sha256"] == hashlib.sha256(content).hexdigest()
    assert (joined.home / "f.bin").read_bytes() == content
    (tmp_path / ".back.bin.part").write_bytes(content[:450_000])
    fetched = cli("cp", "build:f.bin", "back.bin", "--resume", "--yes", "--json").document
    assert (fetched["size_bytes"], (tmp_path / "back.bin").read_bytes()) == (1_000_000, content)
    (tmp_path / ".wrong.bin.part").write_bytes(b"x" * 450_000)
    assert cli("cp", "build:f.bin", "wrong.bin", "--resume", "--yes").code == 5
    assert not list(tmp_path.glob("*wrong*"))
    partial = joined.home / f".other.bin.{sent['sha256'][:24]}.part"
    partial.write_bytes(content[:999_999])
    assert cli("cp", "f.bin", "build:other.bin", "--resume", "--yes").code == 0
    assert (joined.home / "other.bin").read_bytes() == content
    assert not partial.exists()
    for words, code in ((("f.bin", "g.bin"), 2), (("none", "build:x"), 3), (("build:/etc/passwd", "x", "--yes"), 1)):
        assert cli("cp", *words).code == code


def test_the_machine_has_the_last_word(cli: Cli, hub: Hub, joined: Machine):
    joined.run("allow", "--here", "ping", "which", "--only")
    until(lambda: cli("node", "describe", "build", "--json").document["declared"] == ["which", "ping"])
    asked = {"tool": "read_file", "args": {"path": "x"}, "target": "build", "wait": 10}
    refused = hub.client.invoke("calls.start", asked)
    assert (refused["state"], refused["error"]["code"]) == ("failed", "command_refused")


def test_doctor_looks_at_the_machine(joined: Machine, hub: Hub):
    found = json.loads(joined.run("doctor", "--json").out)
    levels = {check["id"]: check["level"] for check in found["checks"]}
    assert levels["node.hub"] == levels["node.key"] == levels["node.roots"] == levels["node.clock"] == "ok"
    joined.folder.key.chmod(0o644)
    broken = joined.run("doctor")
    assert (broken.code, "chmod 600" in broken.out) == (8, True)
    joined.folder.key.chmod(0o600)


def test_joining_again_changes_what_is_given_anew(hub: Hub, joined: Machine):
    other = joined.run("join", "http://127.0.0.1:1", "--foreground")
    assert (other.code, "instar node remove" in other.err) == (5, True)
    known = config.load(joined.folder)
    assert known is not None
    assert (known.name, known.labels, known.hub_key[:7]) == ("build", {"gpu": "yes"}, "SHA256:")


def test_another_hub_at_the_address_is_refused(hub: Hub, joined: Machine):
    known = config.load(joined.folder)
    assert known is not None
    import msgspec

    config.save(joined.folder, msgspec.structs.replace(known, hub_key="SHA256:another"))
    refused = joined.run("join", hub.client.url, "--foreground", "--json")
    assert (refused.code, json.loads(refused.out)["error"]["code"]) == (4, "hub_changed")
    config.save(joined.folder, known)


def test_a_machine_is_turned_away(cli: Cli, hub: Hub, machine: Machine, begin: Begin):
    hub.client.invoke("pairing.open")
    process = begin("join", hub.client.url, "--foreground")
    until(lambda: hub.client.invoke("nodes.requests")["requests"])
    assert cli("node", "reject", "--yes").code == 0
    assert process.wait(timeout=20) == 4
    assert "turned this machine away" in (machine.home / "said").read_text()
    assert not machine.folder.config.exists()


def test_nobody_waits_for_a_closed_window_for_ever(cli: Cli, hub: Hub, machine: Machine):
    cli("node", "pairing", "disable")
    refused = machine.run("join", hub.client.url, "--wait", "0s", "--json")
    assert (refused.code, json.loads(refused.out)["error"]["code"]) == (4, "not_paired")
    away = machine.run("join", "http://127.0.0.1:1", "--wait", "0s")
    assert away.code == 6


def test_a_node_gets_a_new_key(hub: Hub, joined: Machine, begin: Begin):
    before = joined.run("fingerprint").out
    process = begin("rekey")
    (request,) = until(lambda: hub.client.invoke("nodes.requests")["requests"])
    hub.client.invoke("nodes.approve", {"request_id": request["request_id"], "permit": {"commands": ["*"]}})
    assert process.wait(timeout=20) == 0, (joined.home / "said").read_text()
    assert joined.run("fingerprint").out.strip() == request["fingerprint"] != before.strip()
    assert not joined.folder.key.with_suffix(".old").exists()


def test_a_key_that_is_not_let_in_is_not_taken(cli: Cli, joined: Machine):
    before = joined.run("fingerprint").out
    cli("node", "pairing", "disable")
    assert joined.run("rekey", "--wait", "0s").code == 4
    assert joined.run("fingerprint").out == before


def test_the_own_list_is_written_by_hand(machine: Machine):
    assert "nothing" in machine.run("allow", "--here").out
    wrote = machine.run("allow", "--here", "exec", "--root", str(machine.home), "--sandbox", "strict", "--json")
    assert json.loads(wrote.out) == {
        "path": str(machine.folder.allow), "commands": ["exec"], "roots": [str(machine.home)], "env": [],
        "sandbox": "strict",
    }  # fmt: skip
    assert machine.run("allow", "--here", "--root", "/no/such/folder").code == 3
    refused = machine.run("join", "http://127.0.0.1:9", "--allow", "exce", "--foreground")
    assert (refused.code, "Did you mean exec" in refused.err) == (2, True)
    refused = machine.run("allow", "--here", "read-file")
    assert (refused.code, "Did you mean read_file" in refused.err) == (2, True)
    assert allow.load(machine.folder.allow).commands == ["exec"]
    allow.save(machine.folder.allow, allow.Allowed(["of-old", "exec"]))
    assert machine.run("allow", "--here", "--remove", "exec").code == 0
    assert machine.run("allow", "--here", "--remove", "of-old").code == 0
    for wrong in (["--here", "--agent", "a"], ["x", "--root", "/"], [], ["--here", "x", "--only", "--remove"]):
        assert machine.run("allow", *wrong).code == 2


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://hub:8787", "http://hub:8787"),
        ("ws://hub:9090/ws", "http://hub:9090"),
        ("wss://hub/ws", "https://hub"),
        ("hub.example:8787", "https://hub.example:8787"),
        ("localhost:8787", "http://localhost:8787"),
        ("unix:/run/hub.sock", "unix:/run/hub.sock"),
    ],
)
def test_addresses_are_understood(text: str, url: str):
    assert hub_url(text) == url


@pytest.mark.parametrize(
    "text", ["", "ftp://hub", "http://", "http://u:p@hub", "http://hub:99999999", "http://[::1", f"http://{'x' * 64}"]
)
def test_addresses_that_are_none(text: str):
    with pytest.raises(InstarError) as refused:
        hub_url(text)
    assert refused.value.code == "usage"


def test_the_log_is_named(machine: Machine):
    assert machine.run("logs").out.strip() == str(machine.folder.log)
    assert machine.run("logs", "-f").code == 3
    assert os.fspath(machine.folder.log).endswith("node.log")


@pytest.mark.parametrize(
    ("said", "commands"),
    [("*", ["*"]), ("y", ["*"]), (" Yes ", ["*"]), ("-", []), ("n", []), ("exec read_*", ["exec", "read_*"])],
)
def test_what_is_typed_is_what_it_may_be_asked(said: str, commands: list[str]) -> None:
    assert permitted(said) == commands
