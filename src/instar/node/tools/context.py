"""What a tool works with, and what it gives back."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import Struct

from instar.node.roots import Roots
from instar.wire.execution import ReadRule
from instar.wire.tool_results import Job, JobOutput


class Jobs(Protocol):
    """The node's background jobs: the executor's own table."""

    def listed(self) -> Sequence[Job]:
        """Return the jobs, newest first."""
        ...

    def output(self, call_id: str, offset: int) -> JobOutput:
        """Return what a job wrote from `offset` on, at most one page.

        Raises:
            InstarError: `not_found`.
        """
        ...

    async def kill(self, call_id: str) -> Job:
        """End a job and every process that it started; of one that has ended nothing is wrong.

        Raises:
            InstarError: `not_found`.
        """
        ...


async def _no_input() -> AsyncIterator[bytes]:
    return
    yield b""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Where a tool runs.

    Args:
        roots: The folders that it reaches.
        cwd: Absolute; relative paths start there.
        input: The call's input.
        is_cancelled: Whether the call was cancelled: asked by work in threads, which cancelling a task does not end.
        jobs: The executor's table of background jobs.
        path_env: The PATH that programs of this node get.
        read_rules: What of the files that a search comes upon may be shown.
    """

    roots: Roots
    cwd: str
    input: AsyncIterator[bytes] = field(default_factory=_no_input)
    is_cancelled: Callable[[], bool] = lambda: False
    jobs: Jobs | None = None
    path_env: str = ""
    read_rules: Sequence[ReadRule] = ()


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What came of it.

    Args:
        result: What the outcome carries as JSON.
        stdout: Bytes that travel as the call's output, to be read to their end; its `aclose` gives files back.
    """

    result: Struct | None
    stdout: AsyncIterator[bytes] | None = None
