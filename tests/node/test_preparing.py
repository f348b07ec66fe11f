"""A plan names exactly what would run; what changed between showing and starting does not run."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.node.supervision.tree import IS_LINUX
from instar.policy.digest import plan_digest
from instar.wire.execution import Preparation, Sandbox, Start
from instar.wire.limits import PLAN_FILES_MAX
from tests.node.machines import Bench, Taken

ENV, SH = (os.path.realpath(path) for path in ("/usr/bin/env", "/bin/sh"))
SCRIPT = "#!/bin/sh\necho ran >> ran\n"


def write(path: Path, content: str, mode: int = 0o755) -> None:
    path.write_text(content)
    path.chmod(mode)


async def test_a_plan_names_folder_program_and_operands(bench: Bench) -> None:
    write(bench.root / "tool", "#!/usr/bin/env sh\n")
    (bench.root / "real").write_text("x")
    (bench.root / "alias").symlink_to("real")
    prepared = await bench.machine.prepare(
        bench.asked("exec", {"argv": ["./tool", "alias", "--in=real", "-", "missing", "/etc/passwd"]})
    )
    plan = prepared.plan
    assert (plan.target_id, plan.cwd, plan.argv[0]) == ("node_1", str(bench.root), "./tool")
    found = {(fact.path, fact.role) for fact in plan.files}
    assert {(str(bench.root / "tool"), "executable"), (str(bench.root / "real"), "operand")} <= found
    assert ("/etc/passwd", "operand") in found
    assert (ENV, "executable") in found
    assert (SH, "executable") in found
    assert prepared.digest == plan_digest(plan)
    assert any("script" in said for said in prepared.unbound)


async def test_files_of_a_shell_line_are_bound(bench: Bench) -> None:
    (bench.root / "one.txt").write_text("1")
    (bench.root / "two.txt").write_text("2")
    prepared = await bench.machine.prepare(bench.asked("shell", {"command": "cat one.txt|sort >out; wc <two.txt"}))
    assert {Path(fact.path).name for fact in prepared.plan.files if fact.role == "operand"} == {"one.txt", "two.txt"}
    assert prepared.unbound


async def test_files_behind_quotes_and_letters_of_options_are_bound(bench: Bench) -> None:
    (bench.root / "rules").write_text("all:")
    (bench.root / "two words").write_text("2")
    made = await bench.machine.prepare(bench.asked("exec", {"argv": ["env", "make", "-frules"]}))
    assert str(bench.root / "rules") in {fact.path for fact in made.plan.files}
    read = await bench.machine.prepare(bench.asked("shell", {"command": "sh 'two words'; sort -frules"}))
    named = {Path(fact.path).name for fact in read.plan.files if fact.role == "operand"}
    assert named == {"two words", "rules"}


@pytest.mark.skipif(not IS_LINUX, reason="only Linux has these")
async def test_files_of_the_kernel_have_no_end_and_are_named(bench: Bench) -> None:
    names = ["/proc/self/pagemap", "/proc/self/mem", "/proc/self/ns/user"]
    prepared = await bench.machine.prepare(bench.asked("exec", {"argv": ["true", *names]}))
    said = " ".join(prepared.unbound)
    assert all(name in said for name in ("pagemap", "mem", "ns/user"))


async def test_what_is_too_large_or_too_many_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.node.resolution.PLAN_FILE_MAX_BYTES", 1_000_000)
    (bench.root / "large").write_bytes(b"\0" * 1_000_001)
    (bench.root / "folder").mkdir()
    names = [f"file{number}" for number in range(PLAN_FILES_MAX + 3)]
    for name in names:
        (bench.root / name).write_text(name)
    prepared = await bench.machine.prepare(bench.asked("exec", {"argv": ["true", "large", "folder", *names]}))
    assert len(prepared.plan.files) == PLAN_FILES_MAX
    said = " ".join(prepared.unbound)
    assert f"{bench.root / 'large'} is too large" in said
    assert f"What lies in {bench.root / 'folder'} may change" in said
    assert "4 more files are named" in said


async def test_the_sandbox_of_the_machine_is_never_undercut(bench: Bench) -> None:
    bench.allowed = type(bench.allowed)(["*"], bench.allowed.roots, sandbox=Sandbox.STRICT)
    prepared = await bench.machine.prepare(bench.asked("shell", {"command": "true"}))
    assert prepared.plan.sandbox is Sandbox.STRICT


async def test_a_command_runs_no_longer_than_the_machine_lets_it(bench: Bench) -> None:
    for asked, wanted in ((0.0, 60.0), (5.0, 5.0), (1_000.0, 60.0)):
        prepared = await bench.machine.prepare(bench.asked("shell", {"command": "true"}, timeout_s=asked))
        assert prepared.plan.timeout_s == wanted


def swap_folder(root: Path) -> None:
    (root / "link").unlink()
    (root / "link").symlink_to("other")


MUTATIONS: dict[str, Callable[[Path], object]] = {
    "the program": lambda root: write(root / "tool", SCRIPT + "# changed\n"),
    "the program, in the same second and of the same size": lambda root: write(
        root / "tool", SCRIPT.replace("ran", "run")
    ),
    "an operand": lambda root: write(root / "operand", "other"),
    "an operand that went": lambda root: (root / "operand").unlink(),
    "an operand that came": lambda root: write(root / "later", "x"),
    "an operand that became a link": lambda root: (
        (root / "operand").unlink(),
        (root / "operand").symlink_to("other-file"),
    ),
    "the folder behind a link": swap_folder,
    "the program behind a link": lambda root: ((root / "alias").unlink(), (root / "alias").symlink_to("tool2")),
}


def ran(root: Path) -> list[Path]:
    return list(root.rglob("ran"))


@pytest.fixture
def scene(bench: Bench) -> Path:
    for name in ("tool", "tool2"):
        write(bench.root / name, SCRIPT)
    write(bench.root / "operand", "bound")
    write(bench.root / "other-file", "bound")
    (bench.root / "alias").symlink_to("tool")
    for name in ("folder", "other"):
        (bench.root / name).mkdir()
    (bench.root / "link").symlink_to("folder")
    return bench.root


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_what_changed_since_it_was_shown_does_not_run(bench: Bench, scene: Path, mutation: str) -> None:
    argv = ["../alias", "../operand", "../later", str(scene / "tool")]
    preparation = bench.asked("exec", {"argv": argv}, cwd="link")
    prepared = await bench.machine.prepare(preparation)
    MUTATIONS[mutation](scene)
    with pytest.raises(InstarError) as refused:
        await bench.machine.start(Start(preparation, prepared.digest), Taken(bench.machine, preparation.call_id))
    assert refused.value.code == "plan_changed"
    assert not ran(scene)


@pytest.mark.parametrize(
    "change",
    [
        {"args": b'{"argv":["sh","-c","echo ran > ran"]}'},
        {"cwd": "folder"},
        {"env": {"TERM": "other"}},
        {"timeout_s": 7.0},
        {"is_background": True},
        {"sandbox": Sandbox.STRICT},
    ],
    ids=str,
)
async def test_what_was_not_shown_does_not_run(bench: Bench, scene: Path, change: dict[str, object]) -> None:
    import msgspec

    preparation = bench.asked("exec", {"argv": ["true"]})
    prepared = await bench.machine.prepare(preparation)
    if "args" in change:
        change = {"args": msgspec.Raw(change["args"])}
    other = msgspec.structs.replace(preparation, **change)
    with pytest.raises(InstarError) as refused:
        await bench.machine.start(Start(other, prepared.digest), Taken(bench.machine, other.call_id))
    assert refused.value.code == "plan_changed"
    assert not (scene / "ran").exists()


async def test_a_program_that_is_swapped_while_it_starts_is_not_run(bench: Bench, scene: Path) -> None:
    """Between hashing and executing, at every turn of the loop: what was hashed runs, or nothing."""
    for attempt in range(20):
        shutil.copy("/usr/bin/true", scene / "tool")
        preparation = bench.asked("exec", {"argv": ["./tool", "evil"]})
        prepared = await bench.machine.prepare(preparation)
        taken = Taken(bench.machine, preparation.call_id)
        starting = asyncio.ensure_future(bench.machine.start(Start(preparation, prepared.digest), taken))
        for _ in range(attempt):
            await asyncio.sleep(0)
        shutil.copy("/usr/bin/touch", scene / "fresh")
        (scene / "fresh").replace(scene / "tool")
        (refusal,) = await asyncio.gather(starting, return_exceptions=True)
        if refusal is None:
            await taken.end()
        else:
            assert isinstance(refusal, InstarError)
            assert refusal.code == "plan_changed"
        assert not (scene / "evil").exists(), "what was not shown ran"


async def test_each_file_tool_is_bound_as_well(bench: Bench) -> None:
    (bench.root / "note.txt").write_text("old")
    args = {"path": "note.txt", "old_text": "old", "new_text": "new"}
    preparation = bench.asked("edit_file", args)
    prepared = await bench.machine.prepare(preparation)
    assert [fact.role for fact in prepared.plan.files] == ["target"]
    (bench.root / "note.txt").write_text("old but other")
    with pytest.raises(InstarError) as refused:
        await bench.machine.start(Start(preparation, prepared.digest), Taken(bench.machine, preparation.call_id))
    assert refused.value.code == "plan_changed"
    assert (bench.root / "note.txt").read_text() == "old but other"


@pytest.mark.parametrize("args", [b"{", b"[]", b'{"argv":[]}', b'{"argv":["x"],"more":1}', b'{"argv":"x"}', b"\xff"])
async def test_parameters_that_do_not_fit_are_refused(bench: Bench, args: bytes) -> None:
    import msgspec

    with pytest.raises(InstarError) as refused:
        await bench.machine.prepare(Preparation("call_1", "exec", msgspec.Raw(args)))
    assert refused.value.code == "unprocessable_entity"
