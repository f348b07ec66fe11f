"""A call as it runs: its output as it comes, its input, its end; across broken links."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from instar.base.errors import InstarError
from instar.wire.execution import Channel
from instar.wire.limits import LINK_CHUNK_MAX_BYTES, LINK_CREDIT_BYTES
from instar.wire.native.actions import ClientAction, Over
from instar.wire.native.client import ClientMachine

from .errors import HubError
from .refusals import refusal


class Output(NamedTuple):
    """Bytes of one channel (`wire.execution.Channel`)."""

    channel: int
    offset: int
    """Where they begin; a jump says that what lay between was thrown away at the hub's cap."""
    content: bytes


class Carrier(Protocol):
    """The link; `client.link.Link` is it."""

    def machine(self) -> ClientMachine | None:
        """Return the machine of the open link, None while there is none."""
        ...

    def act(self, actions: Sequence[ClientAction]) -> None:
        """Carry these out."""
        ...

    async def drain(self) -> None:
        """Wait while the hub takes less than is sent."""
        ...

    def unwatched(self, watch: "CallWatch") -> None:
        """Forget a watch."""
        ...


class CallWatch:
    """One watched call, made by `Link.watch`. When the link breaks it goes on where it stood once there is another.

    Args:
        link: Carries it.
        call_id: Which call.
        offsets: Where its channels begin; absent: at the beginning.
    """

    def __init__(self, link: Carrier, call_id: str, offsets: Mapping[int, int]) -> None:
        self.call_id = call_id
        self.stream = 0
        """Its number on the open link; 0 while there is none."""
        self._link = link
        self._came = {channel: offsets.get(channel, 0) for channel in (1, 2)}
        self._queue: deque[Output] = deque()
        self._news = asyncio.Event()
        self._sent_news = asyncio.Event()
        self._end: dict[str, Any] | HubError | None = None
        self._kept: deque[tuple[int, bytes]] = deque()
        self._written = 0
        self._sent = 0
        self._size: int | None = None

    async def __aenter__(self) -> "CallWatch":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def outputs(self) -> AsyncIterator[Output]:
        """Yield the output as it comes, until the call has ended. One reader at a time; it paces the sender.

        Raises:
            HubError: The call cannot be watched, or the link ended for good.
        """
        while True:
            while self._queue:
                output = self._queue.popleft()
                self._grant(output)
                yield output
            if isinstance(self._end, HubError):
                raise self._end
            if self._end is not None:
                return
            self._news.clear()
            await self._news.wait()

    async def call(self) -> dict[str, Any]:
        """Wait for the call's end and return it (`wire.calls.Call`). What comes meanwhile must be read by somebody.

        Raises:
            HubError: As `outputs`.
        """
        while self._end is None:
            await self._stir()
        if isinstance(self._end, HubError):
            raise self._end
        return self._end

    async def write(self, content: bytes) -> None:
        """Send input, and wait until the call takes it. After its end nothing is sent."""
        for at in range(0, len(content), LINK_CHUNK_MAX_BYTES):
            piece = content[at : at + LINK_CHUNK_MAX_BYTES]
            self._kept.append((self._written, piece))
            self._written += len(piece)
        self._flush()
        while self._sent < self._written and self._end is None:
            await self._stir()
        await self._link.drain()

    def close_input(self) -> None:
        """The input ends here."""
        self._size = self._written
        self._flush()

    def close(self) -> None:
        """Watch no more; the call goes on. Twice is no error."""
        machine = self._link.machine()
        if machine is not None and self.stream:
            self._link.act(machine.unwatch(self.stream))
        self._link.unwatched(self)
        self.over(HubError("unreachable", "the call is not watched any more"))

    # What the link says

    def begin(self, machine: ClientMachine) -> None:
        """The link is open (again): ask for what is missing."""
        self._sent = self._kept[0][0] if self._kept else self._written
        try:
            self.stream, actions = machine.watch(self.call_id, self._came)
        except InstarError as error:
            self.over(HubError(error.code, error.message))
            return
        self._link.act(actions)

    def took(self, channel: int, offset: int, content: memoryview) -> None:
        """Output came."""
        self._came[channel] = offset + len(content)
        self._queue.append(Output(channel, offset, bytes(content)))
        self._news.set()

    def granted(self, upto: int) -> None:
        """The call takes input up to here; what lies a window before it has arrived."""
        while self._kept and self._kept[0][0] + len(self._kept[0][1]) <= min(upto - LINK_CREDIT_BYTES, self._sent):
            self._kept.popleft()
        self._flush()

    def ended(self, over: Over) -> None:
        """The stream is over."""
        if over.call is not None:
            self._finish(over.call)
        elif over.error is not None:
            self._finish(refusal(over.error))

    def over(self, error: HubError) -> None:
        """The link has ended for good."""
        self._finish(error)

    # Inner parts

    def _grant(self, output: Output) -> None:
        """Let more come once half of the window is read."""
        machine = self._link.machine()
        if machine is None or not self.stream:
            return
        read = output.offset + len(output.content)
        self._link.act(machine.credit(self.stream, output.channel, _step(read) + LINK_CREDIT_BYTES))

    def _flush(self) -> None:
        machine = self._link.machine()
        if machine is None or not self.stream:
            return
        for offset, piece in self._kept:
            if offset < self._sent:
                continue
            upto = machine.upto(self.stream, Channel.STDIN) or 0
            if offset + len(piece) > upto:
                break
            self._link.act(machine.chunk(self.stream, Channel.STDIN, offset, piece))
            self._sent = offset + len(piece)
        if self._size is not None and self._sent == self._size:
            self._link.act(machine.close_input(self.stream, self._size))
        self._sent_news.set()

    def _finish(self, end: dict[str, Any] | HubError) -> None:
        if self._end is None:
            self._end = end
        self._news.set()
        self._sent_news.set()

    async def _stir(self) -> None:
        self._sent_news.clear()
        await self._sent_news.wait()


def _step(offset: int) -> int:
    """Round down, so that credit is told a few times a window and not with every chunk."""
    return offset - offset % (LINK_CREDIT_BYTES // 4)
