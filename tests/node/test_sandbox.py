"""What a sandboxed program reaches: the granted roots, and nothing else that it could change or tell anybody."""

import socket
import subprocess
from pathlib import Path

import pytest

from instar.node import sandbox
from instar.node.environment import own_account
from instar.wire.execution import CallOrder, Ended, Sandbox
from tests.node.machines import Bench, alive, until_alive

pytestmark = pytest.mark.skipif(not sandbox.bubblewrap(), reason="this machine has no bubblewrap that works")


async def test_it_writes_in_the_roots_alone(bench: Bench) -> None:
    line = (
        "echo x > here; for p in /etc/x /usr/x /var/tmp/x /x; do echo x > $p && echo WROTE $p; done; echo x > ../beside"
    )
    taken = await bench.shell(line, sandbox=Sandbox.STRICT)
    assert (await taken.end()).exit_status == 0
    assert taken.out == b""
    assert (bench.root / "here").read_text() == "x\n"
    assert not (bench.root.parent / "beside").exists()


async def test_it_does_not_see_the_nodes_own_folder(bench: Bench) -> None:
    taken = await bench.shell(f"ls -A {bench.state}; cat {bench.state}/ledger.db | wc -c", sandbox=Sandbox.STRICT)
    assert taken.out.split() in ([b"0"], [])


async def test_it_has_processes_of_its_own(bench: Bench) -> None:
    taken = await bench.shell("ls -d /proc/[0-9]* | wc -l", sandbox=Sandbox.STRICT)
    assert int(taken.out) < 8


@pytest.mark.parametrize("kind", [Sandbox.STRICT, Sandbox.NETWORK])
async def test_it_cannot_take_the_mounts_away(bench: Bench, kind: Sandbox) -> None:
    line = (
        "grep CapEff /proc/self/status; for in in '' 'unshare -Urm'; do "
        f"$in umount {bench.state} && echo AWAY; $in mount -o remount,rw,bind / && echo AWAY; done; true"
    )
    taken = await bench.shell(line, sandbox=kind)
    assert (await taken.end()).exit_status == 0
    assert taken.out.split() == [b"CapEff:", b"0" * 16]


@pytest.mark.parametrize(("kind", "reached"), [(Sandbox.STRICT, False), (Sandbox.NETWORK, True), (Sandbox.NONE, True)])
async def test_it_reaches_the_network_only_if_that_is_asked_for(bench: Bench, kind: Sandbox, reached: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 5)"
        taken = await bench.run("exec", {"argv": ["/usr/bin/python3", "-c", script]}, sandbox=kind)
    assert ((await taken.end()).exit_status == 0) is reached


async def test_signals_status_and_cancelling(bench: Bench) -> None:
    line = "trap 'exit 9' INT; echo ready; while :; do sleep 0.05; done"
    preparation = bench.asked("shell", {"command": line}, sandbox=Sandbox.STRICT)
    taken = await bench.begin(preparation)
    await taken.until(lambda: b"ready" in taken.out)
    await bench.machine.order("signal", CallOrder(preparation.call_id, signal="INT"))
    assert (await taken.end()).exit_status == 9
    mark = "78123451"
    preparation = bench.asked("shell", {"command": f"setsid sleep {mark} & sleep {mark}"}, sandbox=Sandbox.STRICT)
    taken = await bench.begin(preparation)
    await until_alive(mark, 2)
    await bench.machine.order("cancel", CallOrder(preparation.call_id))
    assert (await taken.end()).ended is Ended.CANCELLED
    assert alive(mark) == []


async def test_the_environment_is_as_exact_as_without(bench: Bench) -> None:
    taken = await bench.run("exec", {"argv": ["env"]}, sandbox=Sandbox.STRICT, env={"TERM": "dumb"})
    names = {line.partition(b"=")[0].decode() for line in taken.out.splitlines()}
    assert names - {"PWD"} == {"TERM", "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR"}


def test_of_a_home_that_is_granted_what_is_hidden_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "real" / ".config").mkdir(parents=True)
    (tmp_path / "real" / ".config" / "key").write_text("secret")
    (tmp_path / "real" / ".profile").write_text("secret")
    (tmp_path / "real" / "own").mkdir()
    (tmp_path / "real" / "own" / "key").write_text("secret")
    (tmp_path / "real" / ".local" / "bin").mkdir(parents=True)
    (tmp_path / "real" / ".local" / "bin" / "tool").write_text("#!/bin/sh\necho tool\n")
    home, hub = tmp_path / "home", tmp_path / "hub"
    home.symlink_to("real")
    hub.symlink_to("real/own")
    account = own_account()._replace(home=str(home), path=f"{home}/.local/bin:/usr/bin:/bin")
    line = (
        "cat .config/key .profile own/key; echo x > .profile; echo x > .config/x; echo x > .local/bin/tool; "
        "echo kept > file; sh .local/bin/tool"
    )
    words = sandbox.wrapped(
        Sandbox.STRICT, roots=[str(home)], hidden=[str(hub)], cwd=str(tmp_path / "real"), account=account
    )
    done = subprocess.run([*words, "/bin/sh", "-c", line], capture_output=True, check=False)
    assert done.stdout == b"tool\n"
    assert (tmp_path / "real" / "file").read_text() == "kept\n"
    assert (tmp_path / "real" / ".profile").read_text() == "secret"
    assert not (tmp_path / "real" / ".config" / "x").exists()


def test_of_a_home_that_is_granted_programs_are_there_to_read(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").write_text("as it was")
    account = own_account()._replace(home=str(tmp_path), path="/usr/bin:/bin")
    words = sandbox.wrapped(
        Sandbox.STRICT, roots=[str(tmp_path)], hidden=[], cwd=str(tmp_path), account=account
    )  # fmt: skip
    line = "echo x > bin/tool; echo x > bin/ls; rm -rf bin; echo x > file"
    subprocess.run([*words, "/bin/sh", "-c", line], capture_output=True, check=False)
    assert [path.name for path in sorted((tmp_path / "bin").iterdir())] == ["tool"]
    assert (tmp_path / "bin" / "tool").read_text() == "as it was"
    assert (tmp_path / "file").exists()


def test_what_could_be_made_in_a_home_and_runs_later_is_said_and_nothing_is_left_of_the_mounts(tmp_path: Path) -> None:
    account = own_account()._replace(home=str(tmp_path), path="/usr/bin:/bin")
    (tmp_path / ".ssh").mkdir()
    before = sorted(tmp_path.rglob("*"))
    words = sandbox.wrapped(
        Sandbox.STRICT, roots=[str(tmp_path)], hidden=[], cwd=str(tmp_path), account=account
    )  # fmt: skip
    subprocess.run([*words, "/bin/sh", "-c", "echo x > .ssh/authorized_keys"], capture_output=True, check=False)
    assert sorted(tmp_path.rglob("*")) == before
    said = sandbox.exposure(roots=[str(tmp_path)], account=account)
    assert said.endswith("such as .bash_profile, .bashrc, .profile, .zshenv.")
    assert sandbox.exposure(roots=[str(tmp_path / "work")], account=account) == ""
    assert sandbox.exposure(roots=["/"], account=account) == said


async def test_an_approver_is_told_so(bench: Bench) -> None:
    place = bench.machine.place
    bench.machine.place = place._replace(account=place.account._replace(home=str(bench.root)))
    for kind, is_told in ((Sandbox.STRICT, True), (Sandbox.NETWORK, True), (Sandbox.NONE, False)):
        prepared = await bench.machine.prepare(bench.asked("shell", {"command": "true"}, sandbox=kind))
        assert any("runs later" in each for each in prepared.unbound) is is_told
