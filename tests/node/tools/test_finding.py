"""Searches: what fits, in which order, and that no pattern holds the node up."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.node import search
from instar.node.roots import Roots
from instar.node.tools import finding
from instar.node.tools.registry import TOOLS, ToolContext
from instar.wire.limits import SEARCH_RESULTS_MAX
from instar.wire.tools import Glob, Grep, Ping, Process, Which

from .conftest import Use


def planted(root: Path, *names: str) -> None:
    """Make files, each newer than the one before."""
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"needle {name}\n")
        os.utime(path, (1_000_000 + number, 1_000_000 + number))


@pytest.mark.parametrize(
    ("pattern", "fitting"),
    [
        ("*.py", ["c/d/three.py", "c/two.py", "one.py"]),
        ("c/*.py", ["c/two.py"]),
        ("c/**", ["c/d/three.py", "c/two.py"]),
        ("**/d/*", ["c/d/three.py"]),
        ("./one.*", []),
        ("./*/two.py", ["c/two.py"]),
        ("*.{py,txt}", ["c/d/three.py", "four.txt", "c/two.py", "one.py"]),
        ("[!o]*.py", ["c/d/three.py", "c/two.py"]),
        ("o?e.py", ["one.py"]),
        ("\\*.py", []),
        (".h*/*", [".hidden/five.py"]),
    ],
)
async def test_globs(use: Use, root: Path, pattern: str, fitting: list[str]):
    planted(root, "one.py", "c/two.py", "four.txt", "c/d/three.py", ".hidden/five.py", ".git/six.py")
    wanted = fitting if pattern != "./one.*" else ["one.py"]
    assert (await use(Glob(pattern))).result.files == wanted


async def test_the_newest_of_all_come_first(use: Use, root: Path):
    planted(root, *(f"{number:03}.txt" for number in range(SEARCH_RESULTS_MAX + 50)))
    found = (await use(Glob("*.txt"))).result
    assert found.is_truncated
    assert found.files == [f"{number:03}.txt" for number in range(SEARCH_RESULTS_MAX + 49, 49, -1)]
    lines = (await use(Grep("needle"))).result
    assert (len(lines.matches), lines.is_truncated) == (SEARCH_RESULTS_MAX, True)
    assert lines.matches[0].file == f"{SEARCH_RESULTS_MAX + 49:03}.txt"


async def test_lines_are_found(use: Use, root: Path):
    planted(root, "a.py", "b.txt", ".env")
    (root / "bin").write_bytes(b"needle\0")
    (root / "long").write_text("x" * 2_000 + "\r\n" + "Needle" + "y" * 2_000)
    (root / "outside").symlink_to("/etc")
    found = (await use(Grep("^needle", include="*.{py,env}"))).result
    assert [each.file for each in found.matches] == ["a.py"]
    assert [each.file for each in (await use(Grep("^needle", include=".e*"))).result.matches] == [".env"]
    assert {each.file for each in (await use(Grep("needle"))).result.matches} == {"a.py", "b.txt"}
    (match,) = (await use(Grep("(?i)needle", path="long"))).result.matches
    assert (match.file, match.line, len(match.text)) == ("long", 2, 500)
    assert (await use(Grep("nothing like it"))).result.matches == []
    for pattern in ("(", "*", "(?P<x", "a{99999999999}"):
        with pytest.raises(InstarError, match="cannot be read"):
            await use(Grep(pattern))
    with pytest.raises(InstarError, match="more than 64"):
        await use(Glob("{a,b}" * 8))
    with pytest.raises(InstarError, match="there is no"):
        await use(Grep("x", path="none"))


async def test_a_catastrophic_pattern_ends_in_time(use: Use, root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(finding, "SEARCH_S", 0.5)
    (root / "f").write_text("a" * 5_000 + "!")
    began = time.monotonic()
    found = (await use(Grep("(a+)+$"))).result
    assert found.is_partial
    assert time.monotonic() - began < 10


def test_a_catastrophic_glob_is_none():
    fits = search.compile_glob("*a" * 500 + "/" + "**/x/" * 200 + "y")
    assert not fits("a" * 255 + "/" + "x/" * 500 + "z")


async def test_the_nodes_own_folder_is_not_searched(root: Path):
    planted(root, "own/node-key", "other/file")
    roots = Roots([root], hidden=[root / "own"])
    found: Any = await TOOLS["grep"](ToolContext(roots, str(root)), Grep("needle"))
    assert [match.file for match in found.result.matches] == ["other/file"]
    roots.close()


async def test_the_small_tools(use: Use, context: ToolContext):
    found = (await use(Which(["sh", "no-such-program"]))).result
    assert (found.paths["sh"].endswith("/sh"), found.paths["no-such-program"]) == (True, "")
    await use(Ping())
    with pytest.raises(InstarError, match="no background jobs"):
        await use(Process("list"))
    with pytest.raises(InstarError, match="no action"):
        await use(Process("dance"))
