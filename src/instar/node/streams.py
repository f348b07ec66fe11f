"""A call's bytes on their way: output that is kept until the hub has it, input that waits to be read."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Protocol

from instar.base.errors import InstarError
from instar.wire.execution import Channel, Outcome, StreamEnd
from instar.wire.limits import CALL_OUTPUT_MAX_BYTES, LINK_CREDIT_BYTES
from instar.wire.native.flow import Outflow

from .spool import Spool, reopened

_OUT = (Channel.STDOUT, Channel.STDERR)


class Output(Protocol):
    """Where a call's bytes and its end go: one stream of one link. Its methods do not block and do not raise."""

    def chunk(self, channel: int, offset: int, content: bytes | memoryview) -> None:
        """Send bytes of a channel; they are within the credit that was given."""
        ...

    def credit(self, upto: int) -> None:
        """Let input come up to this offset."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """Say how the call ended; all of its output was sent before."""
        ...


class Streams:
    """The output of one call. It goes to one `Output` at a time, or to none while no link is there.

    Args:
        folder: Where its spools lie; made when something is written.
        drops: Whether what is beyond `CALL_OUTPUT_MAX_BYTES` is thrown away (`Spool`).
    """

    def __init__(self, folder: Path, *, drops: bool) -> None:
        self._folder = folder
        self._spools = {channel: Spool(_path(folder, channel), CALL_OUTPUT_MAX_BYTES, drops=drops) for channel in _OUT}
        self._flows = {channel: Outflow() for channel in _OUT}
        self._output: Output | None = None
        self.on_room: Callable[[int], None] = lambda _channel: None
        """Called with a channel that was choked and no longer is."""
        self.on_content: Callable[[bytes], None] | None = None
        """Called with whatever is written, of all channels."""
        self._stirred = asyncio.Event()
        self._choked: set[Channel] = set()
        self.outcome: Outcome | None = None
        self.is_told = False
        """Whether the output that is attached now has heard how the call ended."""

    @property
    def is_attached(self) -> bool:
        """Whether there is somewhere to send to."""
        return self._output is not None

    def produced(self) -> dict[str, int]:
        """Return how much of each channel can be had, by its number."""
        return {str(int(channel)): spool.kept_bytes for channel, spool in self._spools.items()}

    def attach(self, output: Output, offsets: Mapping[int, int]) -> None:
        """Send to this output from now on, each channel from its offset."""
        self._output = output
        self._flows = {channel: Outflow(offsets.get(channel, 0)) for channel in _OUT}
        self.is_told = False
        self._go_on()

    def detach(self, output: Output | None = None) -> None:
        """Send nowhere; with an output, only if it is that one. What is written meanwhile is kept."""
        if output is None or self._output is output:
            self._output = None
            self.is_told = False
            self._go_on()

    def allow(self, channel: int, upto: int) -> None:
        """Take the reader's credit for a channel."""
        if channel in _OUT:
            self._flows[Channel(channel)].granted(upto)
            self._push(Channel(channel))
            self._tell()

    def credit(self, upto: int) -> None:
        """Let input come up to here."""
        if self._output is not None:
            self._output.credit(upto)

    def wrote(self, channel: Channel, content: bytes) -> None:
        """Keep what was written, and send it as far as credit goes."""
        spool, flow = self._spools[channel], self._flows[channel]
        at, before = spool.size_bytes, spool.kept_bytes
        spool.append(content)
        if self.on_content is not None:
            self.on_content(content)
        is_next = flow.sent == at and len(content) <= flow.room and spool.kept_bytes - before == len(content)
        if self._output is not None and is_next:
            flow.send(at, len(content))
            self._output.chunk(channel, at, content)
        else:
            self._push(channel)

    def is_choked(self, channel: Channel) -> bool:
        """Whether the writer should wait: its reader is a whole window behind, or what nobody reads fills the spool."""
        spool, flow = self._spools[channel], self._flows[channel]
        if self._output is None:
            choked = not spool.drops and spool.is_full
        else:
            choked = spool.kept_bytes >= flow.upto + (LINK_CREDIT_BYTES if spool.drops else 0)
        if choked:
            self._choked.add(channel)
        return choked

    async def room(self, channel: Channel) -> None:
        """Wait while a channel is choked."""
        while self.is_choked(channel):
            self._stirred.clear()
            await self._stirred.wait()

    @property
    def has_files(self) -> bool:
        """Whether anything is kept on disk."""
        return any(spool.size_bytes for spool in self._spools.values())

    def finish(self, outcome: Outcome) -> None:
        """Say how the call ended, once everything was sent."""
        self.outcome = outcome
        self._tell()

    def ends(self) -> list[StreamEnd]:
        """Return how much each channel held; of silent ones nothing."""
        return [spool.end(channel) for channel, spool in self._spools.items() if spool.size_bytes]

    def restore(self, outcome: Outcome) -> None:
        """Take up a call of before the node was restarted: its outcome, and what is kept of its output."""
        for end in outcome.streams:
            if end.channel in _OUT:
                channel = Channel(end.channel)
                self._spools[channel] = reopened(_path(self._folder, channel), end)
        self.outcome = outcome

    def again(self) -> None:
        """Say once more how the call ended, if that was said."""
        if self.is_told and self._output is not None and self.outcome is not None:
            self._output.ended(self.outcome)

    def close(self) -> None:
        """Give the files back."""
        for spool in self._spools.values():
            spool.close()

    def _go_on(self) -> None:
        for channel in _OUT:
            self._push(channel)
        self._tell()

    def _push(self, channel: Channel) -> None:
        """Send what waits, as far as credit goes; then let the writer go on where it waited."""
        spool, flow = self._spools[channel], self._flows[channel]
        while self._output is not None and flow.room and flow.sent < spool.kept_bytes:
            try:
                content = spool.read(flow.sent, min(flow.room, spool.kept_bytes - flow.sent))
            except OSError:
                content = b""
            if not content:
                flow.sent = flow.upto = spool.kept_bytes
                break
            offset = flow.sent
            flow.send(offset, len(content))
            self._output.chunk(channel, offset, content)
        if channel in self._choked and not self.is_choked(channel):
            self._choked.discard(channel)
            self._stirred.set()
            self.on_room(channel)

    def _tell(self) -> None:
        is_sent = all(self._flows[channel].sent >= self._spools[channel].kept_bytes for channel in _OUT)
        if self.outcome is not None and self._output is not None and is_sent and not self.is_told:
            self.is_told = True
            self._output.ended(self.outcome)


class Input:
    """Bytes for a call, in order; a repeat of what came before is passed over.

    Args:
        grant: Called with how far more may come, as it is read.
    """

    def __init__(self, grant: Callable[[int], None]) -> None:
        self._grant = grant
        self._waiting: deque[bytes] = deque()
        self._stirred = asyncio.Event()
        self._size_bytes: int | None = None
        self._upto = LINK_CREDIT_BYTES
        self._read = 0
        self.received = 0
        """How much came in all."""

    def write(self, offset: int, content: bytes | memoryview) -> None:
        """Take bytes; what leaves a hole, or is more than was let come, is refused.

        Raises:
            InstarError: `bad_request`.
        """
        if offset > self.received:
            raise InstarError("bad_request", f"input begins at {offset}, but only {self.received} bytes came before it")
        fresh = bytes(content[self.received - offset :])
        if self.received + len(fresh) > self._read + 2 * LINK_CREDIT_BYTES:
            raise InstarError("bad_request", "more input came than was let come")
        if fresh:
            self._waiting.append(fresh)
            self.received += len(fresh)
            self._stirred.set()

    def close(self, size_bytes: int) -> None:
        """The input ends after this many bytes; those that are on their way are waited for."""
        self._size_bytes = size_bytes
        self._stirred.set()

    def reattached(self) -> None:
        """A new link goes on behind what came; it may send a window more."""
        self._upto = max(self._upto, self.received + LINK_CREDIT_BYTES)

    async def read(self) -> bytes:
        """Return the next bytes; none at the end."""
        while not self._waiting:
            if self._size_bytes is not None and self.received >= self._size_bytes:
                return b""
            self._stirred.clear()
            await self._stirred.wait()
        content = self._waiting.popleft()
        self._read += len(content)
        if self._read + LINK_CREDIT_BYTES // 2 >= self._upto:
            self._upto = self._read + LINK_CREDIT_BYTES
            self._grant(self._upto)
        return content

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the input to its end."""
        while content := await self.read():
            yield content


def _path(folder: Path, channel: Channel) -> Path:
    return folder / channel.name.lower()
