"""Calls on a real machine: real processes, real pipes and terminals, from the first byte to the last process."""

import asyncio
import hashlib
import os
import signal
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.wire.execution import CallOrder, Ended, LedgerState, Sandbox, Start, Terminal
from instar.wire.limits import CALL_OUTPUT_MAX_BYTES, LINK_CREDIT_BYTES
from tests.node.machines import Bench, Taken, alive, until_alive, until_gone


async def test_streams_status_and_digest(bench: Bench) -> None:
    taken = await bench.shell("printf out; printf err >&2; exit 7")
    outcome = await taken.end()
    assert (taken.out, taken.err, outcome.ended, outcome.exit_status) == (b"out", b"err", Ended.DONE, 7)
    digests = {end.channel: end.sha256 for end in outcome.streams}
    assert digests == {1: hashlib.sha256(b"out").hexdigest(), 2: hashlib.sha256(b"err").hexdigest()}


async def test_nothing_of_the_nodes_environment_is_passed_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "LD_PRELOAD_X",
        "INSTAR_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "FLAVOUR",
        "PYTHONPATH",
        "LANG",
        "VIRTUAL_ENV",
    ):
        monkeypatch.setenv(name, "of the node")
    env = {"TERM": "xterm", "LANG": "C.UTF-8", "LC_ALL": "C", "FLAVOUR": "sour"}
    taken = await bench.run("exec", {"argv": ["env"]}, env=env, env_allowed=["FLAVOUR"])
    found = dict(line.split("=", 1) for line in taken.out.decode().splitlines())
    account = bench.machine.place.account
    assert found == {**env, **account.variables()}
    assert set(found) == {"TERM", "LANG", "LC_ALL", "FLAVOUR", "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR"}


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "PATH", "HOME", "API_TOKEN", "OTHER", "BASH_ENV"]
)
async def test_a_variable_that_may_not_be_forwarded_is_refused(bench: Bench, name: str) -> None:
    with pytest.raises(InstarError) as refused:
        await bench.shell("true", env={name: "x"}, env_allowed=[name])
    assert refused.value.code == "command_refused"
    assert name in refused.value.message


async def test_what_the_machine_does_not_list_is_not_taken_whatever_the_hub_permits(bench: Bench) -> None:
    with pytest.raises(InstarError) as refused:
        await bench.shell("true", env={"COLOUR": "red"}, env_allowed=["COLOUR"])
    assert refused.value.code == "command_refused"


async def test_large_binary_output_comes_exactly(bench: Bench) -> None:
    content = os.urandom(5_000_000)
    (bench.root / "noise").write_bytes(content)
    taken = await bench.run("exec", {"argv": ["cat", "noise"]})
    assert taken.out == content
    assert (await taken.end()).streams[0].sha256 == hashlib.sha256(content).hexdigest()


async def test_output_beyond_the_cap_is_counted(bench: Bench) -> None:
    over = 1_234_567
    taken = await bench.run("exec", {"argv": ["head", "-c", str(CALL_OUTPUT_MAX_BYTES + over), "/dev/zero"]})
    (end,) = (await taken.end()).streams
    assert (end.size_bytes, end.dropped_bytes) == (CALL_OUTPUT_MAX_BYTES + over, over)
    assert len(taken.out) == CALL_OUTPUT_MAX_BYTES


async def test_a_reader_that_takes_nothing_holds_the_program_back(bench: Bench) -> None:
    preparation = bench.asked("exec", {"argv": ["head", "-c", "40000000", "/dev/zero"]})
    taken = await bench.begin(preparation, grants=False)
    await taken.until(lambda: len(taken.out) == LINK_CREDIT_BYTES)
    (entry,) = await bench.machine.recall([preparation.call_id])
    assert entry.state is LedgerState.RUNNING
    assert entry.produced["1"] <= 3 * LINK_CREDIT_BYTES
    taken.grants = True
    bench.machine.allow(preparation.call_id, 1, 2 * LINK_CREDIT_BYTES)
    await taken.end()
    assert len(taken.out) == 40_000_000


async def test_input_with_repeats_and_its_end(bench: Bench) -> None:
    preparation = bench.asked("exec", {"argv": ["sha256sum"]}, has_input=True)
    taken = await bench.begin(preparation)
    content, sent = os.urandom(6_000_000), 0
    while sent < len(content):
        await taken.until(lambda at=sent: at < max([LINK_CREDIT_BYTES, *taken.credits]))
        piece = content[max(0, sent - 10) : sent + 200_000]
        bench.machine.write(preparation.call_id, max(0, sent - 10), piece)
        sent = min(sent + 200_000, len(content))
    await bench.machine.order("close_input", CallOrder(preparation.call_id, size_bytes=len(content)))
    await taken.end()
    assert taken.out.split()[0].decode() == hashlib.sha256(content).hexdigest()


async def test_input_with_a_hole_is_refused(bench: Bench) -> None:
    preparation = bench.asked("exec", {"argv": ["cat"]}, has_input=True)
    taken = await bench.begin(preparation)
    with pytest.raises(InstarError, match="begins at 5"):
        bench.machine.write(preparation.call_id, 5, b"x")
    await bench.machine.order("cancel", CallOrder(preparation.call_id))
    await taken.end()


async def test_a_program_without_input_finds_its_end(bench: Bench) -> None:
    assert (await bench.run("exec", {"argv": ["cat"]})).out == b""


async def test_a_terminal_has_a_size_and_another(bench: Bench) -> None:
    line = "stty size; trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done"
    preparation = bench.asked("shell", {"command": line}, terminal=Terminal(31, 99))
    taken = await bench.begin(preparation)
    await taken.until(lambda: b"ready" in taken.out)
    await bench.machine.order("resize", CallOrder(preparation.call_id, rows=40, columns=120))
    assert (await taken.end()).exit_status == 0
    assert taken.out.split() == [b"31", b"99", b"ready", b"40", b"120"]


async def test_a_terminal_takes_what_is_typed(bench: Bench) -> None:
    line = "test -t 0 && test -t 1 && read name && echo hello $name; cat"
    preparation = bench.asked("shell", {"command": line}, terminal=Terminal(), has_input=True)
    taken = await bench.begin(preparation)
    bench.machine.write(preparation.call_id, 0, b"you\n")
    await taken.until(lambda: b"hello you" in taken.out)
    await bench.machine.order("close_input", CallOrder(preparation.call_id, size_bytes=4))
    assert (await taken.end()).exit_status == 0


async def test_control_c_at_a_terminal_reaches_the_foreground(bench: Bench) -> None:
    preparation = bench.asked("exec", {"argv": ["sleep", "600"]}, terminal=Terminal(), has_input=True)
    taken = await bench.begin(preparation)
    bench.machine.write(preparation.call_id, 0, b"\x03")
    outcome = await taken.end()
    assert (outcome.ended, outcome.signal) == (Ended.DONE, "INT")


@pytest.mark.parametrize("terminal", [None, Terminal()])
async def test_a_signal_reaches_the_program(bench: Bench, terminal: Terminal | None) -> None:
    line = "trap 'echo caught; exit 5' USR1; echo ready; while :; do sleep 0.05; done"
    preparation = bench.asked("shell", {"command": line}, terminal=terminal)
    taken = await bench.begin(preparation)
    await taken.until(lambda: b"ready" in taken.out)
    await bench.machine.order("signal", CallOrder(preparation.call_id, signal="USR1"))
    assert (await taken.end()).exit_status == 5
    assert b"caught" in taken.out


async def test_an_unknown_signal_is_refused(bench: Bench) -> None:
    preparation = bench.asked("exec", {"argv": ["sleep", "600"]})
    taken = await bench.begin(preparation)
    with pytest.raises(InstarError, match="no signal"):
        await bench.machine.order("signal", CallOrder(preparation.call_id, signal="NOPE"))
    await bench.machine.order("cancel", CallOrder(preparation.call_id, "enough"))
    assert (await taken.end()).message == "enough"


async def test_the_signal_that_ended_it_is_named(bench: Bench) -> None:
    outcome = await (await bench.shell("kill -SEGV $$")).end()
    assert (outcome.ended, outcome.exit_status, outcome.signal) == (Ended.DONE, None, "SEGV")


TREE = """
trap '' TERM HUP INT
(setsid sh -c 'trap "" TERM; (setsid sleep MARK & ) ; sleep MARK' & )
python3 -c '
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid(); os.chdir("/"); os.closerange(0, 3); os.execvp("sleep", ["sleep", "MARK"])
    os._exit(0)
time.sleep(MARK)
' &
echo ready; sleep MARK & wait; wait
"""


async def test_cancelling_ends_the_whole_tree_and_keeps_what_was_written(bench: Bench) -> None:
    mark = f"7{os.getpid()}1"
    preparation = bench.asked("shell", {"command": TREE.replace("MARK", mark)})
    taken = await bench.begin(preparation)
    await until_alive(mark, 7)
    await bench.machine.order("cancel", CallOrder(preparation.call_id, "no longer wanted"))
    outcome = await taken.end()
    assert (outcome.ended, outcome.message) == (Ended.CANCELLED, "no longer wanted")
    assert alive(mark) == []
    assert taken.out == b"ready\n"


async def test_a_call_that_is_over_leaves_nothing_behind(bench: Bench) -> None:
    mark = f"7{os.getpid()}2"
    taken = await bench.shell(f"(setsid sleep {mark} >/dev/null 2>&1 &); echo done")
    assert (await taken.end()).exit_status == 0
    assert taken.out == b"done\n"
    assert alive(mark) == []


async def test_what_still_writes_when_the_program_has_ended_is_heard(bench: Bench) -> None:
    assert (await bench.shell("(sleep 0.2; echo late) & echo early")).out == b"early\nlate\n"


async def test_what_forks_for_ever_is_ended(bench: Bench) -> None:
    mark = f"0.00{os.getpid()}3"
    preparation = bench.asked("shell", {"command": f"trap '' TERM; while :; do (sleep {mark} &); sleep {mark}; done"})
    taken = await bench.begin(preparation)
    await bench.machine.order("cancel", CallOrder(preparation.call_id))
    await taken.end()
    assert alive(mark) == []


async def test_its_time_is_over(bench: Bench) -> None:
    taken = await bench.begin(bench.asked("shell", {"command": "echo partial; sleep 600"}), deadline_s=0.3)
    outcome = await taken.end()
    assert (outcome.ended, outcome.code, outcome.signal) == (Ended.EXPIRED, "timeout", "TERM")
    assert taken.out == b"partial\n"


async def test_a_supervisor_that_is_killed_takes_its_tree_along(bench: Bench) -> None:
    mark = f"7{os.getpid()}4"
    line = f"(setsid sh -c 'sleep {mark} & sleep {mark}' &); sleep {mark}"
    taken = await bench.begin(bench.asked("shell", {"command": line}))
    await until_alive(mark, 4)
    (top,) = [
        pid for pid in alive(mark) if f"sleep {mark}\0".encode() in _cmdline(pid) and b"setsid sh" in _cmdline(pid)
    ]
    os.kill(_parent(top), signal.SIGKILL)
    outcome = await taken.end()
    assert (outcome.ended, outcome.code) == (Ended.FAILED, "internal_error")
    await until_gone(mark)


def _cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


async def test_a_zygote_that_is_killed_is_replaced(bench: Bench) -> None:
    await bench.shell("true")
    zygote = bench.machine._supervisors._zygote
    assert zygote is not None
    zygote.kill()
    for _ in range(3):
        taken = await bench.shell("echo again")
        assert taken.out == b"again\n"


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["no-such-program"], "not_found"),
        (["./missing"], "not_found"),
        (["./plain"], "unprocessable_entity"),
        (["./broken"], "unprocessable_entity"),
        (["./lost-interpreter"], "not_found"),
        (["true", "nul\0"], "unprocessable_entity"),
    ],
)
async def test_what_cannot_run_is_refused_and_leaves_no_trace(bench: Bench, argv: list[str], code: str) -> None:
    (bench.root / "plain").write_text("text")
    for name, content in (("broken", "\x7fELF nothing"), ("lost-interpreter", "#!/nowhere/at/all\n")):
        (bench.root / name).write_text(content)
        (bench.root / name).chmod(0o755)
    with pytest.raises(InstarError) as refused:
        await bench.run("exec", {"argv": argv}, call_id="call_x")
    assert refused.value.code == code
    assert refused.value.hint
    assert bench.machine.running == 0


async def test_the_working_directory(bench: Bench) -> None:
    (bench.root / "below").mkdir()
    (bench.root / "link").symlink_to("below")
    assert (await bench.shell("pwd")).out.decode().strip() == str(bench.root)
    assert (await bench.shell("pwd -P", cwd="link")).out.decode().strip() == str(bench.root / "below")
    for cwd, code in (("/", "outside_roots"), ("missing", "not_found"), ("..", "outside_roots")):
        with pytest.raises(InstarError) as refused:
            await bench.shell("true", cwd=cwd)
        assert refused.value.code == code


async def test_a_tool_that_the_machine_does_not_permit_is_refused(bench: Bench) -> None:
    bench.allowed = type(bench.allowed)(commands=["read_*"], roots=bench.allowed.roots)
    for tool, args in (("shell", {"command": "true"}), ("ping", {}), ("camera", {})):
        with pytest.raises(InstarError) as refused:
            await bench.run(tool, args)
        assert refused.value.code == "command_refused"


@pytest.mark.parametrize("times", [1, 2])
async def test_started_twice_runs_once(bench: Bench, times: int) -> None:
    preparation = bench.asked("shell", {"command": "echo x >> count; cat count"})
    prepared = await bench.machine.prepare(preparation)
    start = Start(preparation, prepared.digest)
    takers = [Taken(bench.machine, preparation.call_id) for _ in range(3)]
    await asyncio.gather(*(bench.machine.start(start, taker) for taker in takers[:2]))
    await asyncio.wait([asyncio.ensure_future(taker.end()) for taker in takers[:2]], return_when="FIRST_COMPLETED")
    if times == 2:
        bench.machine.settle(preparation.call_id)
    await bench.machine.start(start, takers[2])
    outcome = await takers[2].end()
    assert outcome.exit_status == 0
    assert (bench.root / "count").read_text() == "x\n"


async def test_a_cut_link_loses_nothing(bench: Bench) -> None:
    line = "for i in 1 2 3 4 5 6 7 8 9; do head -c 300000 /dev/urandom | tee -a all; sleep 0.03; done"
    preparation = bench.asked("shell", {"command": line})
    first = await bench.begin(preparation)
    await first.until(lambda: len(first.out) >= 300_000)
    bench.machine.detach(first)
    (entry,) = await bench.machine.recall([preparation.call_id])
    assert entry.state is LedgerState.RUNNING
    second = Taken(bench.machine, preparation.call_id)
    have = len(first.out) - 100_000
    second.content[1] += first.out[:have]
    await bench.machine.resume(preparation.call_id, {1: have}, second)
    await second.end()
    assert second.out == (bench.root / "all").read_bytes()
    assert first.outcomes == []


async def test_an_outcome_is_repeated_until_it_is_settled(bench: Bench) -> None:
    taken = await bench.shell("exit 3")
    bench.machine.tell_again()
    assert [outcome.exit_status for outcome in taken.outcomes] == [3, 3]
    bench.machine.detach(taken)
    assert [outcome.call_id for outcome in bench.machine.unsettled()] == [taken.call_id]
    bench.machine.settle(taken.call_id)
    assert bench.machine.unsettled() == []
    assert (await bench.machine.recall([taken.call_id, "call_other"]))[1].state is LedgerState.UNKNOWN


async def test_more_calls_than_it_takes_are_refused(bench: Bench) -> None:
    bench.machine._calls_max = 1
    first = await bench.begin(bench.asked("exec", {"argv": ["sleep", "600"]}))
    with pytest.raises(InstarError) as refused:
        await bench.shell("true")
    assert refused.value.code == "overloaded"
    await bench.machine.order("cancel", CallOrder(first.call_id))
    await first.end()


async def test_tools_answer_and_stream(bench: Bench) -> None:
    (bench.root / "file.bin").write_bytes(content := os.urandom(3_000_000))
    assert (await (await bench.run("ping", {})).end()).ended is Ended.DONE
    taken = await bench.run("get_file", {"path": "file.bin"})
    assert taken.out == content
    outcome = await (await bench.run("read_file", {"path": "missing"})).end()
    assert (outcome.ended, outcome.code) == (Ended.FAILED, "not_found")


async def test_a_file_is_put_from_the_input(bench: Bench) -> None:
    content = os.urandom(500_000)
    args = {"path": "new.bin", "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    preparation = bench.asked("put_file", args, has_input=True)
    taken = await bench.begin(preparation)
    bench.machine.write(preparation.call_id, 0, content)
    await bench.machine.order("close_input", CallOrder(preparation.call_id, size_bytes=len(content)))
    assert (await taken.end()).ended is Ended.DONE
    assert (bench.root / "new.bin").read_bytes() == content


async def test_a_tool_is_cancelled(bench: Bench) -> None:
    args = {"path": "new.bin", "size_bytes": 5, "sha256": hashlib.sha256(b"hello").hexdigest()}
    preparation = bench.asked("put_file", args, has_input=True)
    taken = await bench.begin(preparation)
    await bench.machine.order("cancel", CallOrder(preparation.call_id))
    assert (await taken.end()).ended is Ended.CANCELLED
    assert not (bench.root / "new.bin").exists()


@pytest.mark.parametrize("call_id", ["", "../up", "a/b", "x" * 200])
async def test_an_id_is_an_id(bench: Bench, call_id: str) -> None:
    preparation = bench.asked("ping", {}, call_id=call_id)
    with pytest.raises(InstarError) as refused:
        await bench.machine.start(Start(preparation, ""), Taken(bench.machine, call_id))
    assert refused.value.code == "unprocessable_entity"


async def test_stopping_the_machine_ends_what_runs(bench: Bench) -> None:
    mark = f"7{os.getpid()}5"
    taken = await bench.begin(bench.asked("exec", {"argv": ["sleep", mark]}))
    await bench.machine.finish("the node was stopped")
    assert (await taken.end()).ended is Ended.CANCELLED
    assert alive(mark) == []
    with pytest.raises(InstarError) as refused:
        await bench.shell("true")
    assert refused.value.code == "node_away"


async def test_no_sandbox_is_refused_and_never_pretended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.node.sandbox.bubblewrap", lambda: "")
    with pytest.raises(InstarError) as refused:
        await bench.shell("true", sandbox=Sandbox.STRICT)
    assert refused.value.code == "sandbox_unavailable"


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13])
async def test_a_link_that_breaks_while_a_call_begins(bench: Bench, turns: int) -> None:
    """Nothing is left half begun: it runs once and its outcome is kept, or it never began."""
    preparation = bench.asked("shell", {"command": "echo x >> count"})
    prepared = await bench.machine.prepare(preparation)
    start = Start(preparation, prepared.digest)
    first = Taken(bench.machine, preparation.call_id)
    beginning = asyncio.ensure_future(bench.machine.start(start, first))
    for _ in range(turns):
        await asyncio.sleep(0)
    beginning.cancel()
    await asyncio.gather(beginning, return_exceptions=True)
    second = Taken(bench.machine, preparation.call_id)
    await bench.machine.start(start, second)
    assert (await second.end()).exit_status == 0
    assert (bench.root / "count").read_text() == "x\n"


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_asking_what_would_run_leaves_nothing_open_when_the_asker_leaves(bench: Bench) -> None:
    await bench.shell("true")
    before = descriptors()
    for turns in range(10):
        asking = asyncio.ensure_future(bench.machine.prepare(bench.asked("shell", {"command": "true"})))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    await bench.machine.prepare(bench.asked("shell", {"command": "true"}))
    async with asyncio.timeout(5):
        while descriptors() > before:  # noqa: ASYNC110 - descriptors have no event
            await asyncio.sleep(0.01)


async def test_what_a_line_writes_to_does_not_bind_it(bench: Bench) -> None:
    (bench.root / "log").write_text("old")
    (bench.root / "read").write_text("bound")
    line = "cat <read >log 2>&1; cat read >>log; echo x 2>log"
    prepared = await bench.machine.prepare(bench.asked("shell", {"command": line}))
    assert [fact.path for fact in prepared.plan.files if fact.role == "operand"] == [str(bench.root / "read")]


async def test_after_the_machine_went_down_a_call_that_is_not_known_is_lost(bench: Bench) -> None:
    """It may have begun, so it must not begin again; once the hub has asked for the old ones, new ones are new."""
    bench.machine._open_ledger.is_doubtful = True
    (entry,) = await bench.machine.recall(["call_before"])
    assert entry.outcome is not None
    assert (entry.state, entry.outcome.ended) == (LedgerState.ENDED, Ended.LOST)
    bench.machine.trust_ledger()
    (entry,) = await bench.machine.recall(["call_before"])
    assert entry.state is LedgerState.UNKNOWN
