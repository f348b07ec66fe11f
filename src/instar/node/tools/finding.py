"""`glob` and `grep`: a search runs in a child process, so that no pattern and no tree can hold the node up."""

import asyncio
import json
import os
import posixpath
import signal
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import instar
from instar.base.errors import InstarError
from instar.node import search
from instar.wire import tools as wire
from instar.wire.limits import GREP_LINE_MAX_CHARS, SEARCH_RESULTS_MAX, SEARCH_S
from instar.wire.tool_results import FilesFound, LinesFound, Match

from .context import ToolAnswer, ToolContext

_ANSWER_MAX_BYTES = 4_194_304
_WALK_SHARE = 0.7
"""Of the time, so much may go by before what was found until then is what there is."""
_ENV = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}


class _Found(NamedTuple):
    path: str
    rows: list[dict[str, Any]]
    is_truncated: bool
    is_partial: bool
    withheld: int


async def glob(context: ToolContext, params: wire.Glob) -> ToolAnswer:
    """Find files by a glob: the newest of all that fit, newest first; hidden ones only if the glob names them."""
    found = await _search(context, params.path, {"kind": "glob", "pattern": params.pattern})
    files = [str(row["file"]) for row in found.rows]
    return ToolAnswer(FilesFound(found.path, files, found.is_truncated, found.is_partial))


async def grep(context: ToolContext, params: wire.Grep) -> ToolAnswer:
    """Find lines by a regular expression of Python, newest file first; hidden files only if `include` names them."""
    asked = {
        "kind": "grep", "pattern": params.pattern, "include": params.include, "line_max": GREP_LINE_MAX_CHARS,
        "read_rules": [(rule.layer, rule.value, rule.action) for rule in context.read_rules],
        "library": str(Path(instar.__file__).parent.parent),
    }  # fmt: skip
    found = await _search(context, params.path, asked)
    matches = [Match(str(row["file"]), int(row["line"]), str(row["text"])) for row in found.rows]
    return ToolAnswer(LinesFound(found.path, matches, found.is_truncated, found.is_partial, found.withheld))


async def _search(context: ToolContext, path: str, asked: Mapping[str, Any]) -> _Found:
    folder, told, name = await asyncio.to_thread(_folder_of, context, path)
    closed, kernel = context.roots.closed_to
    order = {
        **asked, "folder": folder, "name": name, "limit": SEARCH_RESULTS_MAX, "closed": closed, "kernel": kernel,
        "walk_s": SEARCH_S * _WALK_SHARE, "folders": [posixpath.normpath(posixpath.join(context.cwd, path)), told],
        "cwd": context.cwd,
    }  # fmt: skip
    try:
        text, is_partial = await _run(folder, json.dumps(order).encode())
    finally:
        os.close(folder)
    rows: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line.endswith(b"}")]
    if rows and "error" in rows[-1]:
        raise InstarError("unprocessable_entity", str(rows[-1]["error"]), hint="Correct the pattern.")
    last: dict[str, Any] = rows[-1] if rows else {}
    is_truncated, is_partial = bool(last.get("is_truncated")), is_partial or bool(last.get("is_partial"))
    found = [row for row in rows if "file" in row]
    return _Found(told, found, is_truncated, is_partial, int(last.get("withheld", 0)))


def _folder_of(context: ToolContext, path: str) -> tuple[int, str, str]:
    """Return a handle of the folder to search, its path, and the one file in it if a file was named."""
    with context.roots.place(path, context.cwd) as place:
        if place.state is None:
            raise InstarError("not_found", f"there is no {place.path}", hint="List the folder above it.")
        is_file = stat.S_ISREG(place.state.st_mode)
        if not is_file and not stat.S_ISDIR(place.state.st_mode):
            raise InstarError("unprocessable_entity", f"{place.path} is no folder", hint="Name a folder.")
        handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.folder)
        return handle, str(PurePath(place.path).parent) if is_file else place.path, place.name if is_file else ""


async def _run(folder: int, order: bytes) -> tuple[bytes, bool]:
    """Return what the search printed, and whether its time was over."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", search.__file__,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        pass_fds=(folder,), env=_ENV, start_new_session=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    got = bytearray()
    is_partial = False
    try:
        with suppress(ConnectionError):
            child.stdin.write(order)
            await child.stdin.drain()
        child.stdin.close()
        async with asyncio.timeout(SEARCH_S):
            while (block := await child.stdout.read(65_536)) and len(got) < _ANSWER_MAX_BYTES:
                got += block
        if len(got) < _ANSWER_MAX_BYTES:
            await child.wait()
    except TimeoutError:
        is_partial = True
    finally:
        await _ended(child)
    return bytes(got), is_partial


async def _ended(child: asyncio.subprocess.Process) -> None:
    """Kill what still runs. Not by `child.kill`, which takes the exit status away from the loop's own watcher."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        await asyncio.shield(child.wait())
