"""Background jobs: listed, read and ended by the tool `process`."""

from typing import TypeVar

import msgspec
import pytest

from instar.wire.execution import Ended
from instar.wire.tool_results import JobKilled, JobList, JobOutput
from tests.node.machines import Bench, Taken

T = TypeVar("T")


async def process(bench: Bench, kind: type[T], **args: object) -> T:
    outcome = await (await bench.run("process", args)).end()
    assert outcome.result is not None, outcome
    return msgspec.json.decode(outcome.result, type=kind)


async def begun(bench: Bench, line: str) -> Taken:
    return await bench.begin(bench.asked("shell", {"command": line}, is_background=True))


async def test_a_job_is_listed_read_and_ended(bench: Bench) -> None:
    taken = await begun(bench, "echo one; echo two >&2; sleep 600")
    await taken.until(lambda: taken.out and taken.err)
    (job,) = (await process(bench, JobList, action="list")).jobs
    assert (job.call_id, job.is_running, job.size_bytes) == (taken.call_id, True, 8)
    assert "echo one" in job.command
    page = await process(bench, JobOutput, action="output", call_id=taken.call_id)
    assert sorted(page.text.split()) == ["one", "two"]
    rest = await process(bench, JobOutput, action="output", call_id=taken.call_id, offset=page.next_offset)
    assert (rest.text, rest.next_offset, rest.is_running) == ("", 8, True)
    killed = (await process(bench, JobKilled, action="kill", call_id=taken.call_id)).job
    assert (killed.is_running, killed.signal) == (False, "TERM")
    assert (await taken.end()).ended is Ended.CANCELLED
    bench.machine.settle(taken.call_id)
    assert (await process(bench, JobList, action="list")).jobs == [killed]


async def test_a_job_has_no_time_limit_of_the_machine(bench: Bench) -> None:
    prepared = await bench.machine.prepare(bench.asked("shell", {"command": "true"}, is_background=True))
    assert prepared.plan.timeout_s == 0


async def test_a_character_that_is_not_whole_waits(bench: Bench) -> None:
    taken = await begun(bench, "printf 'a\\303'; sleep 600")
    await taken.until(lambda: len(taken.out) == 2)
    page = await process(bench, JobOutput, action="output", call_id=taken.call_id)
    assert (page.text, page.next_offset) == ("a", 1)
    await process(bench, JobKilled, action="kill", call_id=taken.call_id)
    page = await process(bench, JobOutput, action="output", call_id=taken.call_id, offset=1)
    assert (page.text, page.next_offset, page.is_running) == ("\N{REPLACEMENT CHARACTER}", 2, False)


async def test_the_oldest_that_ended_leave_the_list(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.node.jobs.JOBS_KEPT", 2)
    calls = []
    for number in range(4):
        taken = await begun(bench, f"echo {number}")
        await taken.end()
        calls.append(taken.call_id)
    listed = (await process(bench, JobList, action="list")).jobs
    assert [job.call_id for job in listed] == [calls[3], calls[2], calls[1]]
    assert not (bench.state / "jobs" / calls[0]).exists()


@pytest.mark.parametrize(("args", "code"), [({"action": "output", "call_id": "call_9"}, "not_found")])
async def test_what_is_no_job(bench: Bench, args: dict[str, str], code: str) -> None:
    outcome = await (await bench.run("process", args)).end()
    assert (outcome.ended, outcome.code) == (Ended.FAILED, code)
