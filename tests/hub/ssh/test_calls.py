"""Calls on a real sshd, in both modes: output, input, ends, terminals, and how they are stopped."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.wire.execution import CallOrder, Ended, Sandbox, Start, Terminal
from instar.wire.ssh import SshMode

from .conftest import Sink

pytestmark = pytest.mark.usefixtures("sshd")


async def test_argv_reaches_a_program_as_it_is(world, target):
    outcome, sink = await world.run(target, "exec", {"argv": ["printf", "%s|", "a b", "$(id)", "'q'", "ü\n"]})
    assert (outcome.ended, outcome.exit_status, sink.has_started) == (Ended.DONE, 0, True)
    assert sink.out.decode() == "a b|$(id)|'q'|ü\n|"
    assert sink.err == b""


async def test_both_streams_and_the_status_come_back(world, target):
    outcome, sink = await world.shell(target, "echo out; echo err >&2; exit 3")
    assert (sink.out, sink.err, outcome.exit_status) == (b"out\n", b"err\n", 3)
    assert [(each.channel, each.size_bytes) for each in outcome.streams] == [(1, 4), (2, 4)]
    assert outcome.streams[0].sha256 == hashlib.sha256(b"out\n").hexdigest()


async def test_a_status_of_255_is_the_programs_own(world, target):
    outcome, _ = await world.shell(target, "exit 255")
    assert (outcome.ended, outcome.exit_status) == (Ended.DONE, 255)


async def test_a_signal_that_ends_a_program_is_told(world, target):
    outcome, _ = await world.shell(target, "kill -TERM $$")
    expected = "TERM" if target.mode is SshMode.MANAGED else "?"
    assert (outcome.ended, outcome.exit_status, outcome.signal) == (Ended.DONE, None, expected)


async def test_folder_and_variables_are_the_calls(world, target, tmp_path):
    folder = tmp_path / "it's $(touch pwned) `x`"
    folder.mkdir()
    env = {"LANG": "C.UTF-8", "LC_TIME": "de_DE", "SECRET_TOKEN": "no", "LD_PRELOAD": "no"}
    line = 'pwd; echo "$LANG $LC_TIME [$SECRET_TOKEN$LD_PRELOAD]"; ls -A'
    _, sink = await world.shell(target, line, cwd=str(folder), env=env)
    assert sink.out.decode() == f"{folder}\nC.UTF-8 de_DE []\n"


async def test_a_folder_that_is_not_there_runs_nothing(world, target, tmp_path):
    with pytest.raises(InstarError) as caught:
        await world.start(target, "shell", {"command": f"touch {tmp_path}/ran"}, cwd=str(tmp_path / "none"))
    assert caught.value.code == "not_found"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("cwd", "mode"), [("~", SshMode.SYSTEM), ("~/", SshMode.MANAGED), ("", SshMode.MANAGED)])
async def test_home_is_the_accounts(world, sshd, cwd, mode):
    _, sink = await world.shell(await world.add(sshd, mode), "pwd", cwd=cwd)
    assert sink.out.decode().strip() == str(Path.home())


async def test_five_megabytes_of_binary_come_and_go(world, target):
    content = os.urandom(5_000_000)
    executor, call_id, sink = await world.start(target, "shell", {"command": "cat"}, has_input=True)
    sent = 0
    while sent < len(content):
        await sink.until(lambda sent=sent: max(sink.upto, 4_194_304) > sent or sink.outcome)
        chunk = content[sent : sent + 262_144]
        executor.write(call_id, sent, chunk)
        sent += len(chunk)
    await executor.order("close_input", CallOrder(call_id, size_bytes=len(content)))
    outcome = await sink.end()
    assert outcome.exit_status == 0
    assert hashlib.sha256(sink.out).digest() == hashlib.sha256(content).digest()
    assert outcome.streams[0].sha256 == hashlib.sha256(content).hexdigest()


async def test_who_reads_slowly_holds_the_host_up(world, target):
    executor, call_id, sink = await world.start(target, "shell", {"command": "head -c 9000000 /dev/zero"})
    sink.allow = lambda channel, upto: None
    await sink.until(lambda: len(sink.out) >= 4_194_304)
    await asyncio.sleep(0.05)
    assert len(sink.out) < 9_000_000
    sink.allow = lambda channel, upto: executor.allow(call_id, channel, upto)
    executor.allow(call_id, 1, len(sink.out) + 4_194_304)
    await sink.end()
    assert len(sink.out) == 9_000_000


async def test_input_may_come_before_the_host_has_said_that_it_runs(world, target):
    executor = world.ssh.executor(f"ssh:{target.id}")
    preparation = world.preparation("shell", {"command": "cat"}, has_input=True)
    prepared = await executor.prepare(preparation)
    sink = Sink()
    starting = asyncio.create_task(executor.start(Start(preparation, prepared.digest), sink))
    await world.engine.until(lambda: preparation.call_id in executor._running)
    executor.write(preparation.call_id, 0, b"early")
    await executor.order("close_input", CallOrder(preparation.call_id, size_bytes=5))
    await starting
    await sink.end()
    assert sink.out == b"early"


async def test_input_that_was_sent_before_is_dropped(world, target):
    executor, call_id, sink = await world.start(target, "shell", {"command": "cat"}, has_input=True)
    executor.write(call_id, 0, b"one ")
    executor.write(call_id, 0, b"one two")
    await executor.order("close_input", CallOrder(call_id, size_bytes=7))
    await sink.end()
    assert sink.out == b"one two"


async def test_a_terminal_has_a_size_that_changes(world, target):
    line = "tty; stty size; read a; stty size; read b; echo [$a$b]"
    executor, call_id, sink = await world.start(
        target, "shell", {"command": line}, has_input=True, terminal=Terminal(40, 100), env={"TERM": "xterm"}
    )
    await sink.until(lambda: b"40 100" in sink.out)
    assert b"/dev/pts/" in sink.out
    assert b"instar-" not in sink.out
    await executor.order("resize", CallOrder(call_id, rows=50, columns=120))
    await asyncio.sleep(0.2)
    executor.write(call_id, 0, b"one\r")
    await sink.until(lambda: b"50 120" in sink.out)
    await executor.order("close_input", CallOrder(call_id, size_bytes=4))
    outcome = await sink.end()
    assert (outcome.exit_status, b"one\r\n" in sink.out, b"[one]" in sink.out) == (0, True, True)


async def test_an_escape_of_the_client_is_plain_input(world, target, tmp_path):
    executor, call_id, sink = await world.start(
        target,
        "shell",
        {"command": "stty raw -echo; echo up; head -c 12 | od -An -c"},
        has_input=True,
        terminal=Terminal(),
    )
    await sink.until(lambda: b"up" in sink.out)
    executor.write(call_id, 0, b"\r~.\r~C\r~!id\r")
    outcome = await sink.end()
    assert (outcome.exit_status, sink.out.count(b"~")) == (0, 3)


async def test_cancelling_ends_the_whole_tree(world, target, tmp_path):
    pids = tmp_path / "pids"
    line = f"sleep 300 & echo $! >> {pids}; setsid sleep 300 & echo $! >> {pids}; echo $$ >> {pids}; echo up; wait"
    executor, call_id, sink = await world.start(target, "shell", {"command": line})
    await sink.until(lambda: b"up" in sink.out)
    await executor.order("cancel", CallOrder(call_id, reason="not wanted"))
    outcome = await sink.end()
    assert (outcome.ended, outcome.message) == (Ended.CANCELLED, "not wanted")
    assert not [pid for pid in pids.read_text().split() if _lives(int(pid))]
    await executor.order("cancel", CallOrder(call_id, reason="again"))


async def test_a_program_that_ignores_the_polite_signal_is_killed(world, sshd):
    target = await world.add(sshd, SshMode.MANAGED)
    line = "trap '' TERM; echo up; sleep 300; sleep 300"
    executor, call_id, sink = await world.start(target, "shell", {"command": line})
    await sink.until(lambda: b"up" in sink.out)
    await executor.order("cancel", CallOrder(call_id, reason="x"))
    assert (await sink.end()).ended is Ended.CANCELLED


async def test_the_deadline_ends_a_call(world, target):
    outcome, _ = await world.shell(target, "sleep 300", deadline_s=0.3)
    assert outcome.ended is Ended.EXPIRED


async def test_signals_reach_the_program(world, target):
    executor, call_id, sink = await world.start(
        target, "shell", {"command": "trap 'echo caught; exit 7' USR1; echo up; while :; do sleep 0.05; done"}
    )
    await sink.until(lambda: b"up" in sink.out)
    with pytest.raises(InstarError):
        await executor.order("signal", CallOrder(call_id, signal="TERM; touch /tmp/pwned"))
    await executor.order("signal", CallOrder(call_id, signal="USR1"))
    outcome = await sink.end()
    assert (sink.out, outcome.exit_status) == (b"up\ncaught\n", 7)


async def test_a_repeated_start_starts_once(world, target, tmp_path):
    executor = world.ssh.executor(f"ssh:{target.id}")
    preparation = world.preparation("shell", {"command": f"echo x >> {tmp_path}/count; sleep 0.2"})
    prepared = await executor.prepare(preparation)
    first, second = Sink(), Sink()
    await executor.start(Start(preparation, prepared.digest), first)
    await executor.start(Start(preparation, prepared.digest), second)
    await first.end()
    assert (tmp_path / "count").read_text() == "x\n"


async def test_a_broken_connection_is_told_and_the_call_is_lost(world, target):
    executor, call_id, sink = await world.start(
        target, "shell", {"command": "read a; kill -9 $PPID; sleep 1"}, has_input=True
    )
    executor.write(call_id, 0, b"\n")
    await sink.until(lambda: sink.broken or sink.outcome)
    assert sink.broken
    assert sink.outcome is None
    await world.engine.until(lambda: not executor.calls_running)
    entry = (await executor.recall([call_id]))[0]
    assert entry.outcome is not None
    assert entry.outcome.ended is Ended.LOST


async def test_only_what_was_prepared_is_started(world, target, sshd):
    executor = world.ssh.executor(f"ssh:{target.id}")
    preparation = world.preparation("exec", {"argv": ["true"]})
    prepared = await executor.prepare(preparation)
    assert prepared.plan.address == f"{sshd.address}:{sshd.port}"
    assert len(prepared.plan.host_keys) == 1
    assert "files" in prepared.unbound[0]
    other = world.preparation("exec", {"argv": ["touch", "/tmp/never"]})
    with pytest.raises(InstarError) as caught:
        await executor.start(Start(other, prepared.digest), None)
    assert caught.value.code == "plan_changed"
    await world.do("update_target", ssh_target_id=target.id, address=f"other@127.0.0.1:{sshd.port}")
    with pytest.raises(InstarError) as caught:
        await executor.start(Start(preparation, prepared.digest), None)
    assert caught.value.code == "plan_changed"


@pytest.mark.parametrize(
    ("tool", "args", "more", "code"),
    [
        ("read_file", {"path": "/etc/hostname"}, {}, "command_refused"),
        ("exec", {"argv": []}, {}, "unprocessable_entity"),
        ("exec", {"argv": ["-x"]}, {}, "unprocessable_entity"),
        ("exec", {"argv": ["a\0b"]}, {}, "unprocessable_entity"),
        ("shell", {"command": "x" * 65_537}, {}, "unprocessable_entity"),
        ("shell", {"command": "'" * 60_000}, {}, "unprocessable_entity"),
        ("exec", {"argv": ["true"]}, {"sandbox": Sandbox.STRICT}, "sandbox_unavailable"),
    ],
)
async def test_what_ssh_cannot_do_is_refused(world, target, tool, args, more, code):
    executor = world.ssh.executor(f"ssh:{target.id}")
    with pytest.raises(InstarError) as caught:
        await executor.prepare(world.preparation(tool, args, **more))
    assert caught.value.code == code


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
