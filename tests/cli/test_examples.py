"""Every example of every help text, run as it stands by a shell against a real hub."""

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from instar.cli.main import main
from instar.client import device
from instar.client.http import Client
from instar.client.pins import Pin
from instar.hub.settings.tree import Settings
from instar.policy.rules import DEFAULT_FILE
from instar.server import tls
from instar.store.sqlite import open_store
from tests.hub.ssh import daemon

from .conftest import BIN, Hub, environment
from .test_tree import TREE


@pytest.fixture
def examples_of(capsys: pytest.CaptureFixture[str]) -> Callable[[str], list[str]]:
    """The example block of a command's help, as a person sees it."""

    def extract(path: str) -> list[str]:
        assert main([*path.split(), "--help"]) == 0
        block = re.match(r"Example:\n((?:  .+\n)+)\n", capsys.readouterr().out)
        assert block is not None
        return [line.strip() for line in block[1].splitlines()]

    return extract


def with_beta(hub: Hub) -> None:
    hub.ensure("agents.register", requested_agent_id="beta")


def with_room(hub: Hub) -> None:
    hub.ensure("rooms.create", id="review", members=["guide"])


def with_key(hub: Hub) -> None:
    living = [key for key in hub.client.invoke("keys.list")["keys"] if not key.get("revoked_at")]
    if not any(key["name"] == "ci" for key in living):
        hub.client.invoke("keys.create", {"name": "ci", "scopes": ["write"]})


def with_request(hub: Hub, name: str = "tablet") -> str:
    """A device asks to be let in; return its request's id."""
    hub.client.invoke("pairing.open")
    seed, stranger = os.urandom(32), Client(hub.client.url)
    handshake = device.begin(stranger, seed, Pin())
    facts = device.own_facts(name)
    return device.ask(stranger, seed, handshake, role="operator", scopes=["observe", "write"], facts=facts)["id"]


def with_node_request(hub: Hub) -> None:
    """A machine asks to be a node, and no other does."""
    hub.client.invoke("pairing.open")
    for waiting in hub.client.invoke("nodes.requests")["requests"]:
        hub.client.invoke("devices.reject", {"request_id": waiting["request_id"]})
    seed, stranger = os.urandom(32), Client(hub.client.url)
    handshake = device.begin(stranger, seed, Pin())
    device.ask(stranger, seed, handshake, role="node", scopes=["node"], facts=device.own_facts("build"))


def with_device(hub: Hub) -> None:
    known = hub.client.invoke("devices.list")["devices"]
    if not any(each["facts"]["name"] == "laptop" and not each.get("revoked_at") for each in known):
        hub.client.invoke("devices.approve", {"request_id": with_request(hub, "laptop")})


def with_ada(hub: Hub) -> None:
    hub.ensure("people.add", login="ada", password="correct horse battery", scopes=["observe"])


def with_certificate(hub: Hub) -> None:
    tls.make(Settings(), Path(hub.environ["INSTAR_DATA_DIR"]))


def with_message(hub: Hub) -> None:
    send(hub, "Good morning")


def with_schedule(hub: Hub) -> None:
    known = hub.client.invoke("schedules.list")["schedules"]
    if not any(schedule["name"] == "morning" for schedule in known):
        daily = {"name": "morning", "timing": {"kind": "every", "seconds": 86_400}}
        hub.client.invoke("schedules.create", {**daily, "room": "room:general", "text": "Good morning"})


def with_run(hub: Hub) -> None:
    send(hub, "@guide /slow 30")
    while not hub.client.invoke("runs.list", {"state": "streaming"})["runs"]:
        hub.client.invoke("events.read", {"after": "0", "limit": 1})


def with_call(hub: Hub, line: str = "echo done", wait: float = 10.0) -> str:
    """The latest call is one on this machine, which the operator let run."""
    call = hub.client.invoke("calls.start", {"tool": "shell", "args": {"command": line}, "target": "local"})
    while not (known := hub.client.invoke("approvals.list", {"wait": 10})["approvals"]):
        continue
    (mine,) = [each for each in known if each["call_id"] == call["id"]]
    hub.client.invoke("approvals.approve", {"approval_id": mine["id"], "digest": mine["digest"]})
    if wait:
        while "ended_at" not in hub.client.invoke("calls.get", {"call_id": call["id"], "wait": wait}):
            continue
    return str(call["id"])


def with_waiting(hub: Hub) -> None:
    """One call on this machine waits for an approval, and no other."""
    for each in hub.client.invoke("approvals.list")["approvals"]:
        hub.client.invoke("approvals.deny", {"approval_id": each["id"]})
    for each in hub.client.invoke("approvals.rules")["rules"]:
        if each["layer"] == "remembered":
            hub.client.invoke("approvals.remove_rule", {"rule_id": each["id"]})
    hub.client.invoke("calls.start", {"tool": "shell", "args": {"command": "uname -a"}, "target": "local"})
    while not hub.client.invoke("approvals.list", {"wait": 10})["approvals"]:
        continue


def with_rule(hub: Hub) -> None:
    rule = {"tool": "shell_exec", "value": "never-run *", "action": "deny"}
    hub.client.invoke("approvals.add_rule", {"rule": rule})


def with_running_call(hub: Hub) -> None:
    call_id = with_call(hub, "sleep 30", wait=0)
    while hub.client.invoke("calls.get", {"call_id": call_id})["state"] != "streaming":
        hub.client.invoke("calls.output", {"call_id": call_id, "wait": 0.1})


def with_version(hub: Hub) -> None:
    base_hash = hub.client.invoke("settings.list")["hash"]
    if not hub.client.invoke("settings.history")["versions"]:
        hub.client.invoke("settings.change", {"changes": {"runs.budget_s": 300}, "base_hash": base_hash})


def with_ssh(hub: Hub) -> None:
    """The target `box` is a real daemon, named anew each time, with the key `deploy`."""
    if cause := daemon.missing():
        pytest.skip(cause)
    sshd = SSHD[0]
    keys = {each["name"]: each for each in hub.client.invoke("ssh.keys")["keys"]}
    for name in {"deploy", "spare"} - keys.keys():
        keys[name] = hub.client.invoke("ssh.generate_key", {"name": name})
    sshd.authorized.write_text(keys["deploy"]["public_key"] + "\n")
    for each in hub.client.invoke("ssh.targets")["targets"]:
        if each["label"] == "box":
            hub.client.invoke("ssh.remove_target", {"ssh_target_id": each["id"]})
    box = {"label": "box", "address": sshd.address, "port": sshd.port, "known_host": sshd.known_host}
    hub.client.invoke("ssh.add_target", {**box, "mode": "managed", "key": "deploy"})


def without_machines(hub: Hub) -> None:
    """Forget the machines that earlier tests made and that answer no more."""
    for each in hub.client.invoke("nodes.list")["nodes"]:
        if each["kind"] == "node" and not each.get("is_connected"):
            hub.client.invoke("devices.remove", {"device_id": each["id"]})
    for each in hub.client.invoke("ssh.targets")["targets"]:
        hub.client.invoke("ssh.remove_target", {"ssh_target_id": each["id"]})


async def an_old_hub(folder: Path) -> None:
    """The data of a hub that does not run."""
    store = await open_store(folder)
    await store.close()


def send(hub: Hub, text: str) -> None:
    target = {"kind": "room", "room_id": "general"}
    hub.client.invoke("messages.send", {"target": target, "parts": [{"kind": "text", "text": text}]})


NEEDS: dict[str, Callable[[Hub], object]] = {
    "inbox": with_beta,
    "agents": with_beta,
    "rooms members": with_room,
    "rooms remove": with_room,
    "keys revoke": with_key,
    "keys rotate": with_key,
    "devices approve": with_request,
    "devices reject": with_request,
    "node approve": with_node_request,
    "node reject": with_node_request,
    "devices show": with_device,
    "devices rename": with_device,
    "devices rotate": with_device,
    "devices revoke": with_device,
    "devices remove": with_device,
    "users passwd": with_ada,
    "users disable": with_ada,
    "users enable": with_ada,
    "users remove": with_ada,
    "tls": with_certificate,
    "runs show": with_message,
    "runs cancel": with_run,
    "calls show": with_call,
    "calls output": with_call,
    "calls cancel": with_running_call,
    "calls signal": with_running_call,
    "tail": with_message,
    **dict.fromkeys((f"approvals {verb}" for verb in ("show", "approve", "deny", "watch")), with_waiting),
    "approvals rules remove": with_rule,
    **dict.fromkeys(
        (f"schedules {verb}" for verb in ("show", "update", "remove", "pause", "resume", "run", "history")),
        with_schedule,
    ),
    "config rollback": with_version,
    "ssh": with_ssh,
    "doctor": without_machines,
}
"""What must exist before the examples of a command (and of those below it) make sense."""

NEVER_TWICE = {"rooms create", "users add", "schedules create", "ssh add", "ssh keys generate", "ssh keys import"}
"""Their examples work once for ever: they come before what else makes the same."""


SSHD: list[daemon.Sshd] = []


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Iterator[Path]:
    """A folder with the files that examples name."""
    folder = tmp_path_factory.mktemp("desk")
    if not daemon.missing():
        SSHD.append(daemon.Sshd(tmp_path_factory.mktemp("sshd")))
        SSHD[0].start()
        (folder / "known_hosts").write_text(SSHD[0].known_host + "\n")
        (folder / "id_ed25519").write_text(SSHD[0].login_key.read_text())
    asyncio.run(an_old_hub(folder / "old-hub"))
    (folder / "permissions.jsonc").write_text(DEFAULT_FILE)
    (folder / "notes.txt").write_text("from a file")
    (folder / "password.txt").write_text("correct horse battery\n")
    (folder / "rooms.yaml").write_text("rooms:\n  - id: planned\n    members: [guide]\n")
    (folder / "hub.yaml").write_text("log:\n  level: info\n")
    yield folder
    for sshd in SSHD:
        sshd.stop()
    SSHD.clear()


ELSEWHERE = {
    "bare", "start", "restore", "cp", "shell",
    *(f"node {verb}" for verb in ("join", "add", "run", "rekey", "doctor")),
}  # fmt: skip
"""They have tests of their own: a node's wait for an operator, or serve for ever."""
ORDERED = sorted((path for path in TREE if path not in ELSEWHERE), key=lambda p: p not in NEVER_TWICE)


@pytest.mark.parametrize("path", [*ORDERED, "restore"])
def test_examples(path: str, hub: Hub, desk: Path, examples_of: Callable[[str], list[str]]):
    if path == "restore" and not (desk / "today.backup").exists():
        # The examples of `backup` may have run in another process, with a folder of its own.
        subprocess.run(["sh", "-c", *examples_of("backup")], cwd=desk, env=hub.environ, check=True, capture_output=True)
    for example in examples_of(path):
        for prefix, need in NEEDS.items():
            if path == prefix or path.startswith(f"{prefix} "):
                need(hub)
        done = subprocess.run(
            ["sh", "-c", example], cwd=desk, env=hub.environ, capture_output=True, text=True, check=False
        )
        assert (done.returncode, example) == (0, example), done.stderr + done.stdout
        assert done.stdout.strip()
        if "--json" in example.split():
            for line in done.stdout.splitlines():
                json.loads(line)
    if path == "agents stop-all":
        hub.client.invoke("agents.resume_all")


def test_the_example_of_instar_alone(hub: Hub):
    done = subprocess.run([str(BIN / "instar"), "--json"], env=hub.environ, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["url"] == hub.announcement["url"]


def test_the_example_of_start(tmp_path: Path, examples_of: Callable[[str], list[str]]):
    (example,) = examples_of("start")
    argv = example.replace("instar", str(BIN / "instar"), 1).split()
    with subprocess.Popen(argv, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(6)]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    assert lines[0].startswith("Instar runs at http://127.0.0.1:")
    assert "/console/#code=" in lines[2]
    assert re.match(r"  Code     [A-Z0-9]{5}-[A-Z0-9]{5}  ", lines[4])
    assert lines[5].startswith("  Next     ")
    assert not (tmp_path / "hub" / "hub-address").exists()
