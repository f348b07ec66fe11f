"""Who sees calls, their output while it comes and after, and what is kept of it."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.hub.calls import listing, shares
from instar.hub.identity.authentication import Credential
from instar.hub.identity.principals import Caller
from instar.wire.approvals import Action
from instar.wire.calls import CallState
from tests.hub.calls.conftest import Bench
from tests.hub.calls.executors import ProcessExecutor, ScriptedExecutor


class Nobody:
    """A watcher that does not look."""

    def output(self, channel: int, offset: int, content: bytes) -> None: ...

    def allowed(self, upto: int) -> None: ...

    def ended(self, call: Any) -> None: ...

    def failed(self, error: InstarError) -> None: ...


class Hearing(Nobody):
    """A watcher that takes note."""

    def __init__(self) -> None:
        self.content: dict[int, bytes] = {1: b"", 2: b""}
        self.over: list[Any] = []

    def output(self, channel: int, offset: int, content: bytes) -> None:
        self.content[channel] += content

    def ended(self, call: Any) -> None:
        self.over.append(call)

    def failed(self, error: InstarError) -> None:
        self.over.append(error)


async def key(bench: Bench, *scopes: str) -> Caller:
    engine = bench.engine
    made = await engine.do(engine.admin, "keys.create", name="-".join(scopes), scopes=list(scopes))
    return engine.identity.authenticate(Credential(made.token))


@pytest.fixture
async def real(make_bench: Callable[..., Any]) -> Bench:
    return await make_bench(ProcessExecutor())


async def test_calls_are_listed_to_who_may_read_them(bench: Bench) -> None:
    await bench.engine.room("den", "operator")
    runner, watcher = await key(bench, "execute"), await key(bench, "observe")
    own = await bench.ask("ping", target="box", caller=runner)
    shared = await bench.ask("ping", target="box", room="room:den")
    hidden = await bench.ask("ping", target="box")

    async def listed(caller: Caller, **more: Any) -> list[str]:
        return [call.id for call in (await bench.do(caller, "calls.list", **more)).calls]

    assert await listed(bench.engine.admin) == [hidden.id, shared.id, own.id]
    assert await listed(runner) == [own.id]
    assert await listed(watcher) == [shared.id]
    assert await listed(bench.engine.admin, room="room:den") == [shared.id]
    assert await listed(bench.engine.admin, before=shared.id) == [own.id]
    assert await listed(bench.engine.admin, state="done") == []
    page = await bench.do(bench.engine.admin, "calls.list", limit=2)
    assert page.has_more
    with pytest.raises(InstarError) as refusal:
        await bench.get(hidden.id, caller=runner)
    assert refusal.value.code == "not_found"
    with pytest.raises(InstarError) as refusal:
        await bench.do(watcher, "calls.cancel", call_id=shared.id)
    assert refusal.value.code == "forbidden"
    with pytest.raises(InstarError) as refusal:
        await listed(runner, before=hidden.id)
    assert refusal.value.code == "unknown_cursor"


@pytest.mark.parametrize("hidden", [30, 31, 32, 33])
async def test_a_list_goes_on_behind_what_its_reader_may_not_see(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, hidden: int
) -> None:
    monkeypatch.setattr(listing, "CALLS_SCAN_MAX", 10)
    monkeypatch.setattr(listing, "_SCAN_PAGE", 4)
    runner = await key(bench, "execute")
    own = [(await bench.ask("ping", target="box", caller=runner)).id for _ in range(2)]
    for _ in range(hidden):
        await bench.ask("ping", target="box")
    own += [(await bench.ask("ping", target="box", caller=runner)).id for _ in range(2)]
    for limit in (1, 2, 3, 50):
        seen: list[str] = []
        before, pages = "", 0
        while True:
            page = await bench.do(runner, "calls.list", limit=limit, before=before)
            assert len(page.calls) <= limit
            assert page.has_more is bool(page.next_before)
            seen += [call.id for call in page.calls]
            before, pages = page.next_before, pages + 1
            if not before:
                break
            assert before.startswith("at:") or before in own
        assert seen == own[::-1]
        assert pages <= 10
    for wrong in ("at:", "at:x", "at:²", "at:-1", "at:" + "9" * 30):
        with pytest.raises(InstarError) as refusal:
            await bench.do(runner, "calls.list", before=wrong)
        assert refusal.value.code == "unknown_cursor"


async def test_nobody_shuts_others_out_with_calls_that_do_not_end(
    bench: Bench, box: ScriptedExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "CALLS_LIVE_PER_REQUESTER_MAX", 3)
    monkeypatch.setattr(shares, "CALLS_LIVE_MAX", 5)
    box.calls_max = 100
    greedy, other = await key(bench, "execute"), await key(bench, "execute", "write")

    async def ask(caller: Caller) -> str:
        try:
            return (await bench.ask("exec", target="box", caller=caller)).id
        except InstarError as refusal:
            return f"{refusal.code} {refusal.detail['limit']}"

    said = await asyncio.gather(*(ask(greedy) for _ in range(8)))
    own = [each for each in said if each.startswith("call_")]
    assert len(own) == 3
    assert said.count("overloaded CALLS_LIVE_PER_REQUESTER_MAX") == 5
    said = [await ask(other) for _ in range(3)]
    assert said[2] == "overloaded CALLS_LIVE_MAX"
    await bench.until(lambda: len(box.sinks) == 5)
    box.sinks.clear()
    await bench.restart()
    assert await ask(greedy) == "overloaded CALLS_LIVE_PER_REQUESTER_MAX"
    assert await ask(other) == "overloaded CALLS_LIVE_MAX"
    await bench.until(lambda: len(box.sinks) == 5)
    box.end(own[0])
    await bench.until(lambda: bench.state(own[0]) == "ended")
    assert (await ask(greedy)).startswith("call_")
    assert await ask(greedy) == "overloaded CALLS_LIVE_PER_REQUESTER_MAX"


async def test_the_room_hears_output_as_signals_and_the_end_as_an_event(real: Bench) -> None:
    engine = real.engine
    await engine.room("den", "operator")
    watcher = await key(real, "observe")
    _, socket = await engine.feed(watcher, signals=True)
    call = await real.ask("shell", args={"command": "echo one; head -c 100000 /dev/zero"}, room="room:den", wait=10)
    await real.until(lambda: socket.of("call.ended"))
    told = [each for each in socket.signals if each["signal"] == "call.output"]
    assert told[0]["text"].startswith("one\n")
    assert sum(each["size_bytes"] for each in told) == 100_004
    assert max(len(each["text"]) for each in told) <= 16_384
    ended = socket.of("call.ended")[0]["call"]
    assert ended["id"] == call.id
    assert ended["streams"][0]["size_bytes"] == 100_004
    assert "stdout" not in ended


async def test_old_output_is_swept_and_said_to_be_gone(make_bench: Callable[..., Any]) -> None:
    bench = await make_bench(ProcessExecutor(), keep_s=0.001)
    call = await bench.ask("shell", args={"command": "echo kept"}, wait=10)
    await bench.pause()
    await bench.pause()
    assert await bench.calls.sweep() == 1
    assert await bench.calls.sweep() == 0
    with pytest.raises(InstarError) as refusal:
        await bench.do(bench.engine.admin, "calls.output", call_id=call.id)
    assert refusal.value.code == "output_gone"
    again = await bench.get(call.id)
    assert (again.state, again.stdout, again.streams[0].size_bytes) == (CallState.DONE, "", 5)


def damage(path: Path, how: str) -> None:
    if how == "removed":
        path.unlink()
    elif how == "cut":
        os.truncate(path, 1_000_000)
    else:
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize(
    ("how", "sent", "code"),
    [("removed", 0, "output_gone"), ("cut", 1_000_000, "output_gone"), ("replaced", 0, "internal_error")],
)
async def test_who_watches_hears_that_output_cannot_be_read(real: Bench, how: str, sent: int, code: str) -> None:
    admin = real.engine.admin
    command = "head -c 3000000 /dev/zero; echo fine >&2"
    done = await real.ask("shell", args={"command": command}, wait=10)
    living = await real.ask("shell", args={"command": f"{command}; exec sleep 60"})
    live = real.calls.handlers.live(living.id)
    assert live is not None
    await real.until(lambda: (live.extent(1)[0], live.extent(2)[0]) == (3_000_000, 5))
    for call in (done, living):
        damage(real.engine.data_dir / "outputs" / call.id / "1", how)
        heard = Hearing()
        watch = await real.calls.watch(admin, call.id, heard, {})
        await real.until(lambda heard=heard: heard.over)
        assert [getattr(each, "code", each) for each in heard.over] == [code]
        assert len(heard.content[1]) == sent
        watch.close()
        with pytest.raises(InstarError) as refusal:
            await real.do(admin, "calls.output", call_id=call.id, offset=sent)
        assert refusal.value.code == code
        whole = await real.do(admin, "calls.output", call_id=call.id, channel=2)
        assert whole.content == b"fine\n"
    assert live.final is None
    assert (await real.do(admin, "calls.cancel", call_id=living.id)).state is CallState.CANCELLED


async def test_a_fault_while_watching_is_said_and_ends_that_watch_alone(
    real: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("out of luck")

    call = await real.ask("shell", args={"command": "echo kept"}, wait=10)
    monkeypatch.setattr("instar.hub.calls.outputs.Outputs.read", fail)
    heard = Hearing()
    await real.calls.watch(real.engine.admin, call.id, heard, {})
    await real.until(lambda: heard.over)
    assert [each.code for each in heard.over] == ["internal_error"]


async def test_who_may_only_read_writes_nothing(bench: Bench) -> None:
    await bench.engine.room("den", "operator")
    watcher = await key(bench, "observe")
    call = await bench.ask("exec", argv=["cat"], target="box", room="room:den", has_input=True)

    watch = await bench.calls.watch(watcher, call.id, Nobody(), {})
    with pytest.raises(InstarError) as refusal:
        watch.write(0, b"rm -rf /\n")
    assert refusal.value.code == "forbidden"
    watch.close()
    with pytest.raises(InstarError):
        await bench.calls.watch(await key(bench, "write"), call.id, Nobody(), {})


async def test_input_that_comes_early_is_passed_on_in_order(bench: Bench, box: ScriptedExecutor) -> None:
    bench.target.leave("box")
    call = await bench.ask("exec", argv=["cat"], target="box", has_input=True, if_away="queue")
    live = bench.calls.handlers.live(call.id)
    assert live is not None
    live.input.write(0, b"one")
    live.input.write(2, b"e two")
    with pytest.raises(InstarError) as refusal:
        live.input.write(9, b"gap")
    assert refusal.value.code == "conflict"
    with pytest.raises(InstarError) as refusal:
        live.input.write(7, bytes(5_000_000))
    assert refusal.value.code == "overloaded"
    live.input.end(7)
    bench.target.come("box")
    await bench.until(lambda: any(method == "close_input" for method, _ in box.asked))
    written = [what for method, what in box.asked if method == "write"]
    assert written == [(call.id, 0, b"one"), (call.id, 3, b" two")]
    with pytest.raises(InstarError):
        live.input.write(7, b"more")


async def test_a_route_of_a_thread_is_its_rooms_unless_it_has_its_own(bench: Bench) -> None:
    engine, admin = bench.engine, bench.engine.admin
    await engine.room("den", "operator")
    set_ = await bench.do(admin, "routes.set", target="box", room="room:den")
    assert (set_.target_id, set_.by) == ("box", "room")
    await engine.say(admin, "hi", target={"kind": "thread", "room_id": "den", "thread_id": "t"})
    answer = await bench.do(admin, "calls.route", room="thread:t")
    assert (answer.target_id, answer.by) == ("box", "room")
    rows = (await bench.do(admin, "routes.list")).routes
    assert [(row.room, row.target, row.set_by) for row in rows] == [("room:den", "box", "operator")]
    assert (await bench.do(await key(bench, "execute"), "routes.list")).routes == []
    with pytest.raises(InstarError) as refusal:
        await bench.do(admin, "routes.set", target="nowhere")
    assert refusal.value.code == "no_target"
    with pytest.raises(InstarError):
        await bench.do(admin, "routes.set", target="box", room="room:den", agent_id="bot")
    cleared = await bench.do(admin, "routes.set", target="", room="room:den")
    assert cleared.error.code == "no_target"


async def test_output_that_cannot_be_stored_is_counted_and_the_call_goes_on(real: Bench) -> None:
    (real.engine.data_dir / "outputs").write_text("no folder")
    call = await real.ask("shell", args={"command": "echo lost"}, wait=10)
    assert (call.state, call.streams[0].size_bytes, call.streams[0].dropped_bytes) == (CallState.DONE, 5, 5)


async def test_jobs_of_others_are_shown_and_ended_by_nobody_else(bench: Bench, box: ScriptedExecutor) -> None:
    mine, other = await key(bench, "execute"), await key(bench, "execute", "write")
    own = await bench.ask(target="box", is_background=True, caller=mine)
    hidden = await bench.ask(target="box", is_background=True, caller=other)

    async def jobs(caller: Caller) -> list[str]:
        asked = await bench.ask("process", target="box", args={"action": "list"}, caller=caller)
        await bench.until(lambda: asked.id in box.sinks)
        told = [{"call_id": each, "command": "x", "is_running": True} for each in (hidden.id, own.id, "call_x")]
        box.end(asked.id, result={"jobs": told})
        return [job["call_id"] for job in (await bench.get(asked.id, wait=5)).result["jobs"]]

    assert await jobs(mine) == [own.id]
    assert await jobs(other) == [hidden.id]
    assert await jobs(bench.engine.admin) == [hidden.id, own.id]
    for action in ("output", "kill", "?"):
        with pytest.raises(InstarError) as refusal:
            await bench.ask("process", target="box", args={"action": action, "call_id": hidden.id}, caller=mine)
        assert refusal.value.code == "not_found"
    assert await bench.ask("process", target="box", args={"action": "output", "call_id": own.id}, caller=mine)


async def test_a_terminal_that_nobody_watches_expires(make_bench: Callable[..., Any]) -> None:
    bench: Bench = await make_bench(ProcessExecutor(), unwatched_s=0.5)
    admin = bench.engine.admin
    asked: dict[str, Any] = {"argv": ["sleep", "60"], "terminal": {"rows": 5, "columns": 50}, "ends_unwatched": True}
    watched = await bench.ask(**asked)
    first = await bench.calls.watch(admin, watched.id, Nobody(), {})
    second = await bench.calls.watch(admin, watched.id, Nobody(), {})
    left, kept = await bench.ask(**asked), await bench.ask(argv=["sleep", "60"])
    first.close()
    ended = await bench.get(left.id, wait=10)
    assert (ended.state, ended.has_terminal, ended.ends_unwatched) == (CallState.EXPIRED, True, True)
    assert ended.error is not None
    assert "nobody watched it for 0.5 s" in ended.error.message
    assert "ended" not in (bench.state(watched.id), bench.state(kept.id))
    second.close()
    assert (await bench.get(watched.id, wait=10)).state is CallState.EXPIRED
    assert bench.state(kept.id) != "ended"


async def test_a_terminal_that_nobody_watches_expires_after_a_restart_as_well(make_bench: Callable[..., Any]) -> None:
    bench: Bench = await make_bench(ScriptedExecutor(), unwatched_s=1.0)
    bench.gate.action = Action.ASK
    call = await bench.ask(argv=["sleep", "60"], target="box", ends_unwatched=True)
    await bench.until(lambda: bench.state(call.id) == "awaiting_approval")
    await bench.restart()
    assert (await bench.get(call.id, wait=10)).state is CallState.EXPIRED
