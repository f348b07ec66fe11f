"""The node at its hub: one connection after another, for ever, with the machine's calls on whichever is there."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Protocol

import msgspec
import structlog
from msgspec import Struct

from instar.base.backoff import full_jitter
from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.client.errors import HubError
from instar.client.serving import NodeConnection, Service
from instar.wire.execution import CallOrder, Declaration, Ok, Outcome, Preparation, Recall, Recalled, Start
from instar.wire.limits import NODE_ASK_S, NODE_RECONNECT_BASE_S, NODE_RECONNECT_MAX_S, TELEMETRY_S
from instar.wire.nodes import Telemetry

from .executor import Machine
from .standing import Board, Unheard

_log = structlog.get_logger("instar.node")
_LOOK_S = 2.0
"""How often the node looks whether what it permits has changed."""
_preparation = msgspec.json.Decoder(Preparation).decode
_start = msgspec.json.Decoder(Start).decode
_order = msgspec.json.Decoder(CallOrder).decode
_recall = msgspec.json.Decoder(Recall).decode

Dial = Callable[[Declaration, Service], Awaitable[NodeConnection]]
"""Connects to the hub, proving the node's key where the hub wants it. Raises `InstarError`."""


class Self(Protocol):
    """What the machine says of itself."""

    def declaration(self) -> Declaration:
        """Return what it offers now.

        Raises:
            InstarError: What it permits cannot be read.
        """
        ...

    async def report(self) -> Telemetry:
        """Return how it is."""
        ...


class _Stream:
    """One stream of one connection, as a call's `Output`."""

    def __init__(self, session: "_Session", number: int) -> None:
        self._session = session
        self.number = number
        self.call_id = ""
        self.early: list[tuple[int, bytes]] | None = []
        """Input that came before its call had begun; None: it has."""

    def chunk(self, channel: int, offset: int, content: bytes | memoryview) -> None:
        """Send output."""
        if (connection := self._session.connection) is not None:
            connection.chunk(self.number, channel, offset, content)

    def credit(self, upto: int) -> None:
        """Let input come."""
        if (connection := self._session.connection) is not None:
            connection.allow(self.number, 0, upto)

    def ended(self, outcome: Outcome) -> None:
        """Say how the call ended. The stream stays: the hub may not have heard it."""
        if (connection := self._session.connection) is not None:
            connection.tell("ended", outcome)


class _Session:
    """What the hub asks on one connection (`client.serving.Service`)."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._streams: dict[int, _Stream] = {}
        self._by_call: dict[str, _Stream] = {}
        self.connection: NodeConnection | None = None

    async def asked(self, method: str, params: bytes, stream: int) -> Struct:
        """Answer the hub."""
        try:
            return await self._asked(method, params, stream)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InstarError("bad_request", f"`{method}` cannot be read: {str(error)[:200]}") from error

    async def _asked(self, method: str, params: bytes, stream: int) -> Struct:
        match method:
            case "prepare":
                return await self._machine.prepare(_preparation(params))
            case "start":
                start = _start(params)
                output = self._open(stream, start.preparation.call_id)
                await self._begin(output, self._machine.start(start, output))
            case "resume":
                order = _order(params)
                output = self._open(stream, order.call_id)
                offsets = {int(channel): offset for channel, offset in order.offsets.items() if channel.isdigit()}
                await self._begin(output, self._machine.resume(order.call_id, offsets, output))
            case "recall":
                return Recalled(await self._machine.recall(_recall(params).call_ids))
            case "cancel" | "signal" | "resize" | "close_input":
                await self._machine.order(method, _order(params))
            case _:
                raise InstarError("not_available", f"this node does not know {method[:50]!r}")
        return Ok()

    def told(self, method: str, params: bytes) -> None:
        """The hub settles a call; other words are passed over."""
        if method == "settled":
            with suppress(msgspec.DecodeError, RecursionError):
                call_id = _order(params).call_id
                self._machine.settle(call_id)
                self._close(self._by_call.get(call_id))

    def received(self, stream: int, channel: int, offset: int, content: bytes) -> None:
        """Take input of a call, also of one that is just beginning."""
        if channel != 0:
            return
        known = self._streams.get(stream)
        if known is None:
            known = self._streams[stream] = _Stream(self, stream)
        if known.early is not None:
            known.early.append((offset, content))
        else:
            self._write(known.call_id, offset, content)

    def granted(self, stream: int, channel: int, upto: int) -> None:
        """The hub takes more output."""
        known = self._streams.get(stream)
        if known is not None and known.call_id:
            self._machine.allow(known.call_id, channel, upto)

    def over(self) -> None:
        """The connection has ended: calls go on, and keep what they write."""
        self.connection = None
        for stream in self._by_call.values():
            self._machine.detach(stream)

    def _open(self, number: int, call_id: str) -> _Stream:
        stream = self._streams.setdefault(number, _Stream(self, number))
        earlier = self._by_call.get(call_id)
        if earlier is not None and earlier is not stream:
            self._close(earlier)
        stream.call_id = call_id
        self._by_call[call_id] = stream
        return stream

    async def _begin(self, stream: _Stream, begin: Awaitable[None]) -> None:
        """Begin a call, or go on with it; then give it the input that came meanwhile."""
        try:
            await begin
        except BaseException:
            self._close(stream)
            raise
        if self.connection is None:
            self._machine.detach(stream)
        early, stream.early = stream.early or [], None
        for offset, content in early:
            self._write(stream.call_id, offset, content)

    def _write(self, call_id: str, offset: int, content: bytes) -> None:
        try:
            self._machine.write(call_id, offset, content)
        except InstarError as error:
            _log.warning("input refused", call=call_id, error=error.message)

    def _close(self, stream: _Stream | None) -> None:
        if stream is None:
            return
        self._streams.pop(stream.number, None)
        if self._by_call.get(stream.call_id) is stream:
            del self._by_call[stream.call_id]
        if self.connection is not None:
            self.connection.drop(stream.number)


class NodeProgram:
    """Keeps the machine at its hub until it is told to stop.

    Args:
        machine: Carries calls out; open.
        dial: Makes a connection.
        speaker: What the machine says of itself.
        is_final: Whether an error of the hub ends the program; else it comes back for ever.
        board: Told how the link is.
    """

    def __init__(
        self,
        machine: Machine,
        dial: Dial,
        speaker: Self,
        *,
        is_final: Callable[[InstarError], bool] = lambda _error: False,
        board: Board | None = None,
    ) -> None:
        self._machine = machine
        self._dial = dial
        self._speaker = speaker
        self._is_final = is_final
        self._board = board or Unheard()
        self._said = ""

    async def run(self) -> InstarError:
        """Stay connected; cancel it to stop. Returns the error that ended it for good."""
        delays = full_jitter(NODE_RECONNECT_BASE_S, NODE_RECONNECT_MAX_S)
        while True:
            try:
                error: InstarError = await self._once()
                delays = full_jitter(NODE_RECONNECT_BASE_S, NODE_RECONNECT_MAX_S)
            except InstarError as refused:
                error = refused
            if self._is_final(error):
                return error
            wait_s = self._wait_s(error, delays)
            await self._board.away(error, wait_s)
            await asyncio.sleep(wait_s)

    async def _once(self) -> HubError:
        """Live through one connection; return why it ended.

        Raises:
            InstarError: There was none.
        """
        session = _Session(self._machine)
        declaration = self._speaker.declaration()
        async with await self._dial(declaration, session) as connection:
            session.connection = connection
            node_id = connection.welcome.node_id
            self._machine.place = self._machine.place._replace(target_id=node_id)
            _log.info("connected", node=node_id, hub=connection.welcome.version)
            self._said = ""
            await self._board.connected(node_id, connection.welcome.version)
            tasks = TaskScope(lambda name, failure: _log.error("task failed", task=name, error=repr(failure)))
            tasks.start("report", self._report(connection))
            tasks.start("look", self._look(connection, declaration))
            tasks.start("repeat", self._repeat(connection))
            try:
                ended = await connection.ended()
            finally:
                session.over()
                await tasks.close()
            _log.info("disconnected", error=ended.message, code=ended.code)
            return ended

    async def _report(self, connection: NodeConnection) -> None:
        """Say how the machine is, at once and then regularly; calls never hold it up."""
        while True:
            connection.report(await self._speaker.report())
            await asyncio.sleep(TELEMETRY_S)

    async def _look(self, connection: NodeConnection, declared: Declaration) -> None:
        """Say what the machine offers when that has changed."""
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                declaration = await asyncio.to_thread(self._speaker.declaration)
            except InstarError as error:
                declaration = msgspec.structs.replace(declared, commands=[], roots=[])
                self._say(error, "nothing is permitted")
            if declaration != declared:
                declared = declaration
                connection.declare(declaration)

    async def _repeat(self, connection: NodeConnection) -> None:
        """Repeat outcomes until the hub has settled them: first those that it never heard."""
        while True:
            for outcome in self._machine.unsettled():
                connection.tell("ended", outcome)
            await asyncio.sleep(NODE_ASK_S)
            self._machine.trust_ledger()
            self._machine.tell_again()

    def _wait_s(self, error: InstarError, delays: Iterator[float]) -> float:
        """Return how long to wait; a hub that refuses the node is asked no more often than it must be."""
        self._say(error, "not connected")
        wait_s = next(delays)
        if isinstance(error, HubError) and not error.retryable:
            wait_s = max(wait_s, NODE_RECONNECT_MAX_S / 4)
        return max(wait_s, error.retry_after_s or 0.0)

    def _say(self, error: InstarError, what: str) -> None:
        """Log a failure once, not each time that it repeats."""
        if self._said != (said := f"{what}: {error.code}: {error.message}"):
            self._said = said
            _log.warning(what, code=error.code, error=error.message, hint=error.hint)
