"""A node that is killed: nothing of its calls goes on, and the next one says truly what became of them."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from instar.wire.execution import Ended, LedgerState, Start
from tests.node.machines import Bench, Taken, alive, until_alive

NODE = """
import asyncio, sys
from pathlib import Path
from tests.node.machines import Bench

async def main():
    bench = Bench(Path(sys.argv[1]))
    await bench.machine.open()
    ended = await bench.begin(bench.asked("shell", {"command": "echo x >> one; echo kept"}, call_id="call_ended"))
    await ended.end()
    await asyncio.sleep(0.2)
    await bench.begin(bench.asked("shell", {"command": sys.argv[2]}, call_id="call_running"))
    await bench.begin(bench.asked("exec", {"argv": ["sleep", sys.argv[3]]}, call_id="call_job", is_background=True))
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def killed(folder: Path, mark: str, line: str) -> None:
    """Run a node with calls until they run, and kill it."""
    node = await asyncio.create_subprocess_exec(sys.executable, "-c", NODE, str(folder), line, mark)
    await until_alive(mark, 6)
    node.kill()
    await node.wait()


async def test_killed_with_calls(tmp_path: Path) -> None:
    mark = f"7{os.getpid()}9"
    line = f"trap '' TERM HUP; echo x >> two; (setsid sleep {mark} &); sleep {mark} & sleep {mark}"
    await killed(tmp_path, mark, line)

    bench = Bench(tmp_path)
    await bench.machine.open()
    try:
        assert alive(mark) == []
        entries = await bench.machine.recall(["call_running", "call_job", "call_ended", "call_never"])
        states = [(entry.state, entry.outcome.ended if entry.outcome else None) for entry in entries]
        assert states == [
            (LedgerState.ENDED, Ended.LOST),
            (LedgerState.ENDED, Ended.LOST),
            (LedgerState.ENDED, Ended.DONE),
            (LedgerState.UNKNOWN, None),
        ]
        told = {outcome.call_id for outcome in bench.machine.unsettled()}
        assert told == {"call_running", "call_job", "call_ended"}

        again = Taken(bench.machine, "call_ended")
        await bench.machine.resume("call_ended", {}, again)
        assert (await again.end()).exit_status == 0
        assert again.out == b"kept\n"

        preparation = bench.asked("shell", {"command": line}, call_id="call_running")
        repeated = Taken(bench.machine, "call_running")
        await bench.machine.start(Start(preparation, "whatever"), repeated)
        assert (await repeated.end()).ended is Ended.LOST
        assert (bench.root / "two").read_text() == "x\n"

        for call_id in told:
            bench.machine.settle(call_id)
    finally:
        await bench.machine.close()

    bench = Bench(tmp_path)
    await bench.machine.open()
    assert bench.machine.unsettled() == []
    assert (await bench.machine.recall(["call_running"]))[0].outcome is not None
    await bench.machine.close()


async def test_a_folder_has_one_node(bench: Bench) -> None:
    import pytest

    from instar.base.errors import InstarError

    with pytest.raises(InstarError) as refused:
        await bench.made().open()
    assert refused.value.code == "conflict"


async def test_a_frozen_program_ends_with_its_node_too(tmp_path: Path) -> None:
    mark = f"7{os.getpid()}8"
    node = await asyncio.create_subprocess_exec(
        sys.executable, "-c", NODE, str(tmp_path), f"sleep {mark} & sleep {mark} & sleep {mark}", mark
    )
    await until_alive(mark, 6)
    for pid in alive(mark):
        if pid != node.pid:
            os.kill(pid, signal.SIGSTOP)
    node.kill()
    await node.wait()
    bench = Bench(tmp_path)
    await bench.machine.open()
    assert alive(mark) == []
    await bench.machine.close()
