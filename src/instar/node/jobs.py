"""Background jobs: calls that outlive the run which asked for them, though not the node."""

import codecs
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from instar.base import clock
from instar.base.errors import InstarError
from instar.wire.execution import Outcome
from instar.wire.limits import CALL_INLINE_BYTES, CALL_OUTPUT_MAX_BYTES
from instar.wire.tool_results import Job, JobOutput

from .spool import Spool

JOBS_KEPT = 100
"""Jobs that have ended and are still listed."""


class Background:
    """One job, and all that it wrote, stdout and stderr as they came.

    Args:
        call_id: The call.
        command: What to call it in a list.
        path: Where its output is kept.
    """

    def __init__(self, call_id: str, command: str, path: Path) -> None:
        self.call_id = call_id
        self.spool = Spool(path, CALL_OUTPUT_MAX_BYTES, drops=True)
        self.outcome: Outcome | None = None
        self._command = command
        self._path = path
        self._started_at = clock.to_rfc3339(clock.now())

    def job(self) -> Job:
        """Return how it stands."""
        outcome = self.outcome
        return Job(
            self.call_id,
            self._command,
            outcome is None,
            self._started_at,
            exit_status=None if outcome is None else outcome.exit_status,
            signal="" if outcome is None else outcome.signal,
            size_bytes=self.spool.size_bytes,
        )

    def output(self, offset: int) -> JobOutput:
        """Return a page of what it wrote; a character that is not whole yet waits for the next."""
        at = min(offset, self.spool.kept_bytes)
        content = self.spool.read(at, CALL_INLINE_BYTES)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        is_last = self.outcome is not None and at + len(content) == self.spool.kept_bytes
        text = decoder.decode(content, final=is_last)
        undecoded = len(decoder.getstate()[0])
        next_offset = at + len(content) - undecoded
        return JobOutput(self.call_id, at, text, next_offset, self.outcome is None, self.spool.size_bytes)

    def forget(self) -> None:
        """Remove what is kept of it."""
        self.spool.close()
        self._path.unlink(missing_ok=True)


class JobTable:
    """The jobs of this node, for the tool `process`.

    Args:
        folder: Where their output is kept.
        end: Ends a call by its id and waits for its end.
    """

    def __init__(self, folder: Path, end: Callable[[str], Awaitable[None]]) -> None:
        self._folder = folder
        self._end = end
        self._jobs: OrderedDict[str, Background] = OrderedDict()

    def begin(self, call_id: str, command: str) -> Background:
        """Put a job on the list; the oldest that have ended leave it."""
        job = self._jobs[call_id] = Background(call_id, command, self._folder / call_id)
        ended = [each for each in self._jobs.values() if each.outcome is not None]
        for old in ended[: max(0, len(ended) - JOBS_KEPT)]:
            del self._jobs[old.call_id]
            old.forget()
        return job

    def listed(self) -> Sequence[Job]:
        """Return the jobs, newest first."""
        return [job.job() for job in reversed(self._jobs.values())]

    def output(self, call_id: str, offset: int) -> JobOutput:
        """Return a page of what a job wrote, from `offset` on.

        Raises:
            InstarError: `not_found`.
        """
        return self._find(call_id).output(offset)

    async def kill(self, call_id: str) -> Job:
        """End a job and every process that it started.

        Raises:
            InstarError: `not_found`.
        """
        job = self._find(call_id)
        if job.outcome is None:
            await self._end(call_id)
        return job.job()

    def _find(self, call_id: str) -> Background:
        if (job := self._jobs.get(call_id)) is None:
            raise InstarError("not_found", f"this node has no job {call_id[:140]!r}", hint="List them with `process`.")
        return job
