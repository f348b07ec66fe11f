"""A granted folder, and tools that work in it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec import Struct

from instar.node.roots import Roots
from instar.node.tools.registry import TOOLS, ToolContext
from instar.wire.tools import TOOLS as TABLE


class Used(NamedTuple):
    """What came of a tool."""

    result: Any
    output: bytes


Use = Callable[..., Awaitable[Used]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def context(root: Path) -> Iterator[ToolContext]:
    roots = Roots([root])
    yield ToolContext(roots, str(root), path_env="/usr/bin:/bin")
    roots.close()


async def fed(*blocks: bytes) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


@pytest.fixture
def use(context: ToolContext) -> Use:
    """Use a tool by its parameters, and read its output to the end."""

    async def run(params: Struct, *blocks: bytes) -> Used:
        name = next(name for name, tool in TABLE.items() if tool.params is type(params))
        given = ToolContext(context.roots, context.cwd, fed(*blocks), path_env=context.path_env, jobs=context.jobs)
        answer = await TOOLS[name](given, params)
        assert answer.result is None or isinstance(answer.result, TABLE[name].results)
        output = b"".join([block async for block in answer.stdout]) if answer.stdout is not None else b""
        return Used(answer.result, output)

    return run
