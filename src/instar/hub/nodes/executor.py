"""Calls on a node at the other end of a native link (`hub.execution.Executor`).

Nothing that the node says reaches beyond the calls that the hub itself put on this very link: streams are numbered by
the hub and never used twice, answers belong to the link that they were asked on, and an outcome counts only for a call
that is followed here.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from instar.base.errors import InstarError
from instar.hub.execution import CallSink
from instar.wire.execution import (
    CallOrder,
    Channel,
    LedgerEntry,
    Ok,
    Outcome,
    Preparation,
    Prepared,
    Recall,
    Recalled,
    Start,
)
from instar.wire.limits import LINK_CHUNK_MAX_BYTES, LINK_CREDIT_BYTES
from instar.wire.native.flow import FlowFaultError, Inflow, Outflow

from .links import NodeLink

T = TypeVar("T")

ORDERS = ("cancel", "signal", "resize", "close_input")
"""What may be asked about a running call."""
_encode = msgspec.json.Encoder().encode
_UNKNOWN_FATE = ("timeout", "node_away")


class _Followed:
    """One call whose bytes travel on a stream of this link."""

    __slots__ = ("allowed", "call_id", "has_started", "inflows", "input", "is_asked", "pending", "sink", "stream")

    def __init__(self, call_id: str, stream: int, sink: CallSink, offsets: Mapping[int, int]) -> None:
        self.call_id = call_id
        self.stream = stream
        self.sink = sink
        self.inflows = {channel: Inflow(offsets.get(channel, 0)) for channel in (Channel.STDOUT, Channel.STDERR)}
        self.input = Outflow(offsets.get(Channel.STDIN, 0))
        self.allowed = self.input.upto
        """How much input the sink was let send."""
        self.pending: deque[tuple[int, memoryview]] = deque()
        self.has_started = False
        self.is_asked = True
        """Whether the node has not answered yet that it follows."""

    def lacks_output_of(self, outcome: Outcome) -> bool:
        """Return whether the node kept more output than came here."""
        return any(
            self.inflows[Channel(end.channel)].taken < end.size_bytes - end.dropped_bytes
            for end in outcome.streams
            if end.channel in self.inflows
        )

    def begun(self) -> None:
        """Say once that it runs."""
        if not self.has_started:
            self.has_started = True
            self.sink.started()


class LinkExecutor:
    """See `hub.execution.Executor`, which says what each method does and raises.

    Args:
        target_id: The node's id.
        link: The link to it.
        calls_max: How many calls it takes at once.
    """

    keeps_ledger = True

    def __init__(self, target_id: str, link: NodeLink, calls_max: int) -> None:
        self._target_id = target_id
        self._link = link
        self.calls_max = calls_max
        self._by_call: dict[str, _Followed] = {}
        self._by_stream: dict[int, _Followed] = {}
        self._last_stream = 0

    @property
    def target_id(self) -> str:
        """The node's id."""
        return self._target_id

    @property
    def calls_running(self) -> int:
        """How many calls are followed on this link."""
        return len(self._by_call)

    # What the gate asks

    async def prepare(self, preparation: Preparation) -> Prepared:
        """Let the node resolve what would run. A plan for another target or tool is refused."""
        prepared = await self._ask("prepare", preparation, Prepared)
        if prepared.plan.target_id != self._target_id or prepared.plan.tool != preparation.tool:
            raise InstarError("bad_gateway", "the node's plan is for another target or tool than was asked")
        return prepared

    async def start(self, start: Start, sink: CallSink) -> None:
        """Run exactly what was prepared."""
        await self._follow("start", start, start.preparation.call_id, sink, {})

    async def resume(self, call_id: str, offsets: Mapping[int, int], sink: CallSink) -> None:
        """Go on with a call of before the break."""
        order = CallOrder(call_id, offsets={str(int(channel)): offset for channel, offset in offsets.items()})
        await self._follow("resume", order, call_id, sink, offsets)

    async def order(self, method: str, order: CallOrder) -> None:
        """Give an order about a call."""
        if method not in ORDERS:
            raise InstarError("bad_request", f"there is no order {method[:50]!r}")
        await self._ask(method, order, Ok)

    async def recall(self, call_ids: Sequence[str]) -> list[LedgerEntry]:
        """Ask for what the ledger says."""
        found = await self._ask("recall", Recall(list(call_ids)), Recalled)
        entries = {entry.call_id: entry for entry in found.entries}
        if entries.keys() != set(call_ids):
            raise InstarError("bad_gateway", "the node's answer is about other calls than were asked for")
        return [entries[call_id] for call_id in call_ids]

    def write(self, call_id: str, offset: int, content: bytes) -> None:
        """Send input, or keep it until the node takes it."""
        if (followed := self._by_call.get(call_id)) is not None and content:
            followed.pending.append((offset, memoryview(content)))
            self._send(followed)

    def allow(self, call_id: str, channel: int, upto: int) -> None:
        """Let output come up to this offset."""
        followed = self._by_call.get(call_id)
        inflow = followed.inflows.get(Channel(channel)) if followed is not None else None
        if followed is not None and inflow is not None and inflow.allow(upto):
            self._link.credit(followed.stream, channel, upto)

    def settle(self, call_id: str) -> None:
        """Tell the node that it may forget the outcome."""
        self._forget(self._by_call.get(call_id))
        self._link.tell("settled", _encode(CallOrder(call_id)))

    # What the node says

    def started(self, call_id: str) -> None:
        """The node says that a call runs."""
        if (followed := self._by_call.get(call_id)) is not None:
            followed.begun()

    def ended(self, outcome: Outcome) -> bool:
        """The node says how a call ended; return whether it is one that is followed here."""
        followed = self._by_call.get(outcome.call_id)
        if followed is None:
            return False
        if followed.is_asked and followed.lacks_output_of(outcome):
            # Said before the node was asked to go on: it says so again behind the output.
            return True
        self._forget(followed)
        followed.sink.ended(outcome)
        return True

    def chunk(self, stream: int, channel: int, offset: int, content: memoryview) -> None:
        """Take output; that of a stream which has ended is dropped.

        Raises:
            FlowFaultError: See `Inflow.take`; or the node sends on the channel of input.
        """
        followed = self._by_stream.get(stream)
        if followed is None:
            if stream > self._last_stream:
                raise FlowFaultError(f"stream {stream} was never opened")
            return
        inflow = followed.inflows.get(Channel(channel))
        if inflow is None:
            raise FlowFaultError("a node sends no input")
        at = inflow.taken
        fresh = inflow.take(offset, content)
        if fresh:
            followed.sink.output(channel, at, fresh)

    def credit(self, stream: int, upto: int) -> None:
        """The node takes input of a stream up to here."""
        if (followed := self._by_stream.get(stream)) is not None:
            followed.input.granted(upto)
            self._send(followed)

    def writable(self) -> None:
        """The link has drained: input that waits may go on."""
        for followed in tuple(self._by_stream.values()):
            self._send(followed)

    def severed(self, reason: str) -> None:
        """The link has ended."""
        followed, self._by_call, self._by_stream = list(self._by_call.values()), {}, {}
        for each in followed:
            each.sink.severed(reason)

    # Inner parts

    async def _follow(
        self, method: str, params: msgspec.Struct, call_id: str, sink: CallSink, offsets: Mapping[int, int]
    ) -> None:
        """Open the stream before asking: what comes may be quicker than the answer."""
        self._forget(self._by_call.get(call_id))
        self._last_stream += 1
        followed = _Followed(call_id, self._last_stream, sink, offsets)
        self._by_call[call_id] = self._by_stream[followed.stream] = followed
        try:
            await self._ask(method, params, Ok, stream=followed.stream)
        except InstarError as error:
            if error.code not in _UNKNOWN_FATE:
                self._forget(followed)
            raise
        finally:
            followed.is_asked = False
        if self._by_call.get(call_id) is followed:
            followed.begun()

    def _forget(self, followed: _Followed | None) -> None:
        if followed is not None and self._by_stream.pop(followed.stream, None) is not None:
            self._by_call.pop(followed.call_id, None)

    async def _ask(self, method: str, params: msgspec.Struct, result: type[T], *, stream: int = 0) -> T:
        answer = await self._link.ask(method, _encode(params), stream=stream)
        try:
            return msgspec.json.decode(answer, type=result)
        except (msgspec.DecodeError, RecursionError) as error:
            cause = f"the node's answer to `{method}` cannot be read: {str(error)[:200]}"
            raise InstarError("bad_gateway", cause) from error

    def _send(self, followed: _Followed) -> None:
        """Send what input the node takes now, then let the sink have more where the link keeps up."""
        flow = followed.input
        while followed.pending:
            offset, content = followed.pending[0]
            size = min(len(content), flow.upto - offset, LINK_CHUNK_MAX_BYTES)
            if size <= 0:
                break
            flow.send(offset, size)
            self._link.chunk(followed.stream, Channel.STDIN, offset, content[:size])
            if size == len(content):
                followed.pending.popleft()
            else:
                followed.pending[0] = (offset + size, content[size:])
        self._let(followed)

    def _let(self, followed: _Followed) -> None:
        """A node may grant more than it ever reads: the sink gets so much as the link itself takes."""
        if self._link.buffered_bytes() > LINK_CREDIT_BYTES:
            return
        allowed = min(followed.input.upto, followed.input.sent + LINK_CREDIT_BYTES)
        if allowed > followed.allowed:
            followed.allowed = allowed
            followed.sink.allowed(allowed)
