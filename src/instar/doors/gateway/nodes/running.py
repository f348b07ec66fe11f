"""One call that a dialect's node carries out: its output on the way, and its one end."""

import asyncio
import hashlib
from collections.abc import Callable
from time import monotonic

from instar.hub.operations.hub import CallSink
from instar.wire.execution import Channel, Ended, Outcome
from instar.wire.limits import CALL_OUTPUT_MAX_BYTES

from .outflow import Outflow
from .results import Done, encoded


class Running:
    """One call under way.

    Args:
        call_id: Which one.
        sink: Where it is told of.
        gone: Called once when nothing more comes of it.
    """

    def __init__(self, call_id: str, sink: CallSink, gone: Callable[[str], None]) -> None:
        self.call_id = call_id
        self.task: asyncio.Task[None] | None = None
        self.is_cancelled = False
        self.is_entered = False
        """Whether its task is under way."""
        self.is_begun = False
        """Whether the node was told to run it."""
        self._sink = sink
        self._gone = gone
        self._since = monotonic()
        self._outflow = Outflow(sink.output, self._settle)
        self._outcome: Outcome | None = None
        self._streamed = hashlib.sha256()
        self._streamed_bytes = 0
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether its end is known."""
        return self._outcome is not None or self._is_over

    def started(self) -> None:
        """Say that the node is told to run it."""
        if not self.is_begun:
            self.is_begun = True
            self._sink.started()

    def progress(self, text: str) -> None:
        """Take text that came while it runs."""
        content = text.encode(errors="replace")
        self._streamed.update(content)
        self._streamed_bytes += len(content)
        self._outflow.write(Channel.STDOUT, content)
        if self._outflow.held_bytes > CALL_OUTPUT_MAX_BYTES:
            self.end(FLOODED)
            if self.task is not None:
                self.task.cancel()

    def allow(self, channel: int, upto: int) -> None:
        """Let output come up to this offset."""
        self._outflow.allow(channel, upto)

    def end(self, done: Done) -> None:
        """Take how it ended; it is told once the hub has taken the output. The first end counts."""
        if self.is_over:
            return
        # A node that streams repeats all of it at the end.
        repeated, rest = done.stdout[: self._streamed_bytes], done.stdout[self._streamed_bytes :]
        is_repeat = hashlib.sha256(repeated).digest() == self._streamed.digest()
        self._outflow.write(Channel.STDOUT, rest if is_repeat else done.stdout)
        self._outflow.write(Channel.STDERR, done.stderr)
        self._outcome = Outcome(
            self.call_id,
            done.ended,
            exit_status=done.exit_status,
            code=done.code,
            message=done.message,
            result=encoded(done.result),
            streams=self._outflow.ends(),
            duration_s=monotonic() - self._since,
        )
        if self._outflow.is_drained:
            self._settle()

    def _settle(self) -> None:
        if self._outcome is not None and not self._is_over:
            self._is_over = True
            self._gone(self.call_id)
            self._sink.ended(self._outcome)

    def sever(self, reason: str) -> None:
        """Tell the hub that the node went away. One whose end is known keeps it, with the output that the hub lacks."""
        if self._outcome is not None:
            self._outflow.allow(Channel.STDOUT, 2**62)
            self._outflow.allow(Channel.STDERR, 2**62)
        elif not self._is_over:
            self._is_over = True
            self._gone(self.call_id)
            self._sink.severed(reason)


FLOODED = Done(Ended.FAILED, code="too_large", message="the node sends more than the hub takes")
LOST = Done(Ended.LOST, message="the node's dialect has no word to stop a command: what it started may go on")
"""How a cancelled call ends on a node that cannot be told so."""
