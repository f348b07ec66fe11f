"""Calls that are watched over a native link: output to the client as it grants, its input to the call."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.hub.operations.hub import Caller, CallWatch, Hub
from instar.wire.calls import Call
from instar.wire.execution import Channel
from instar.wire.limits import LINK_CREDIT_BYTES, WATCH_BUFFER_MAX_BYTES
from instar.wire.native.actions import Closed, Granted, InputClosed, Opened, ServerAction, Took
from instar.wire.native.frames import Watch
from instar.wire.native.machine import ServerMachine

_encode = msgspec.json.Encoder().encode
StreamAction = Opened | Closed | InputClosed | Took | Granted
_CHANNELS = {str(int(channel)): int(channel) for channel in Channel}


class Line(Protocol):
    """The link that carries them."""

    def do(self, actions: Sequence[ServerAction]) -> None:
        """Carry these out."""
        ...

    def buffered_bytes(self) -> int:
        """Return how much the client has not taken."""
        ...

    def lag(self) -> None:
        """End the link: the client takes too little of what it let come."""
        ...


class CallStreams:
    """All watched calls of one link.

    Args:
        hub: Where the calls are.
        caller: Whose link it is; it sees what it may read.
        machine: The link's.
        line: The link.
        tasks: The parent of what waits for the hub.
    """

    def __init__(self, hub: Hub, caller: Caller, machine: ServerMachine, line: Line, tasks: TaskScope) -> None:
        self._hub = hub
        self._caller = caller
        self._machine = machine
        self._line = line
        self._tasks = tasks
        self._streams: dict[int, _CallStream] = {}

    def heard(self, action: StreamAction) -> None:
        """The client said something about a stream."""
        if isinstance(action, Opened):
            stream = _CallStream(action.watch, self._machine, self._line)
            self._streams[action.watch.stream] = stream
            self._tasks.start("watch a call", self._watch(stream))
            return
        number = action.stream
        stream = self._streams.get(number)
        if stream is None:
            return
        if isinstance(action, Closed):
            self._drop(number)
            return
        try:
            stream.heard(action)
        except InstarError as error:
            self._line.do(self._machine.watched(number, error=error))
            self._drop(number)

    def writable(self) -> None:
        """The client has taken what waited."""
        for stream in tuple(self._streams.values()):
            stream.pass_credit()

    def close(self) -> None:
        """The link has ended; the calls go on."""
        for number in tuple(self._streams):
            self._drop(number)

    async def _watch(self, stream: "_CallStream") -> None:
        asked = stream.asked
        offsets = {_CHANNELS[channel]: max(0, at) for channel, at in asked.offsets.items() if channel in _CHANNELS}
        try:
            watch = await self._hub.watch_call(self._caller, asked.call_id, stream, offsets)
        except InstarError as error:
            self._line.do(self._machine.watched(asked.stream, error=error))
            self._streams.pop(asked.stream, None)
            return
        if self._streams.get(asked.stream) is stream:
            stream.opened(watch, offsets, lambda: self._drop(asked.stream))
        else:
            watch.close()

    def _drop(self, number: int) -> None:
        stream = self._streams.pop(number, None)
        if stream is not None:
            stream.close()


class _CallStream:
    """One watched call; a `Watcher`."""

    def __init__(self, asked: Watch, machine: ServerMachine, line: Line) -> None:
        self.asked = asked
        self._machine = machine
        self._line = line
        self._watch: CallWatch | None = None
        self._granted: dict[int, int] = {}
        self._passed: dict[int, int] = {}
        self._on_over: Callable[[], None] | None = None
        self._is_over = False

    def opened(self, watch: CallWatch, offsets: dict[int, int], on_over: Callable[[], None]) -> None:
        """The hub sends it from now on."""
        self._watch, self._on_over = watch, on_over
        if self._is_over:
            on_over()
            return
        if self.asked.credit_bytes > LINK_CREDIT_BYTES:
            for channel in (Channel.STDOUT, Channel.STDERR):
                upto = offsets.get(channel, 0) + self.asked.credit_bytes
                self._granted[channel] = max(upto, self._granted.get(channel, 0))
        self.pass_credit()

    def heard(self, action: InputClosed | Took | Granted) -> None:
        """The client grants credit, or sends input.

        Raises:
            InstarError: As `CallWatch.write`.
        """
        if isinstance(action, Granted):
            self._granted[action.channel] = max(action.upto, self._granted.get(action.channel, 0))
            self.pass_credit()
        elif self._watch is None:
            raise InstarError("bad_request", "input came before the hub asked for any")
        elif isinstance(action, Took):
            self._watch.write(action.offset, bytes(action.content))
        else:
            self._watch.close_input(action.size_bytes)

    def pass_credit(self) -> None:
        """Let more come, but not while the client leaves what came before in this process."""
        if self._watch is None or self._line.buffered_bytes() > LINK_CREDIT_BYTES:
            return
        for channel, upto in self._granted.items():
            if upto > self._passed.get(channel, 0):
                self._passed[channel] = upto
                self._watch.allow(channel, upto)

    def close(self) -> None:
        """Send nothing more."""
        if self._watch is not None:
            self._watch.close()

    # What the call says (`hub.operations.Watcher`)

    def output(self, channel: int, offset: int, content: bytes) -> None:
        """Send bytes that came."""
        self._line.do(self._machine.chunk(self.asked.stream, channel, offset, content))
        if self._line.buffered_bytes() > WATCH_BUFFER_MAX_BYTES:
            self._line.lag()

    def allowed(self, upto: int) -> None:
        """Let the client send input up to here."""
        self._line.do(self._machine.credit(self.asked.stream, Channel.STDIN, upto))

    def ended(self, call: Call) -> None:
        """The call has ended, and all of its output went out."""
        self._over(self._machine.watched(self.asked.stream, _encode(call)))

    def failed(self, error: InstarError) -> None:
        """Say why no more of the output comes; the link and its other streams go on."""
        self._over(self._machine.watched(self.asked.stream, error=error))

    def _over(self, said: Sequence[ServerAction]) -> None:
        self._is_over = True
        self._line.do(said)
        if self._on_over is not None:
            self._on_over()
