"""The bytes of a call over requests: input as a body, output as ranges."""

import time
from typing import Protocol

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.wire.calls import CallInput, InputTaken, OutputQuery, OutputRange
from instar.wire.execution import CallOrder
from instar.wire.limits import LINK_CHUNK_MAX_BYTES, WAIT_MAX_S

from . import records
from .live import AWAY, Live
from .outputs import broken, gone
from .records import CallRecord
from .stage import Stage


class Located(Protocol):
    """A call as it was found."""

    @property
    def record(self) -> CallRecord:
        """As it is stored."""
        ...

    @property
    def live(self) -> Live | None:
        """As it is under way; None: it has ended."""
        ...


class Streams:
    """The handlers of `calls.input` and `calls.output`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def input(self, act: Act[CallInput, Located]) -> InputTaken:
        """Write the request's body to the call's standard input, as fast as its executor takes it.

        Bytes that came before are left out, so a repeat at the same offset writes nothing twice.

        Raises:
            InstarError: `bad_request` without a body; `conflict`: it does not run, has no input, or bytes are missing.
        """
        live, params = act.object.live, act.params
        if live is None:
            raise InstarError("conflict", f"call {act.object.record.id!r} has ended: it takes no input")
        if params.offset is None:
            await _room_for(live, 1)
        at = live.input.offset if params.offset is None else params.offset
        if act.body is not None:
            async for chunk in act.body():
                for begin in range(0, len(chunk), LINK_CHUNK_MAX_BYTES):
                    piece = chunk[begin : begin + LINK_CHUNK_MAX_BYTES]
                    await _room_for(live, at + len(piece))
                    live.input.write(at, piece)
                    at += len(piece)
        if params.eof and (executor := live.input.end(live.input.offset)) is not None:
            try:
                await executor.order("close_input", CallOrder(live.id, size_bytes=live.input.offset))
            except InstarError as error:
                # One that is away is told when it is back; the call's own task sees to that, or ends the call.
                if error.code not in AWAY:
                    raise
        return InputTaken(live.input.offset)

    async def output(self, act: Act[OutputQuery, Located]) -> OutputRange:
        """Read a range of a stream; with `wait`, once it has bytes there or the call has ended.

        Raises:
            InstarError: `output_gone` when it was swept, or its file lacks what was stored.
        """
        query, located = act.params, act.object
        if located.live is None:
            return await self._kept(located.record, query)
        live, deadline = located.live, time.monotonic() + query.wait
        stream = live.output.stream(query.channel)
        while True:
            is_ended = live.final is not None
            at = max(0, stream.stored + query.offset) if query.offset < 0 else query.offset
            left_s = 0.0 if is_ended or self._stage.is_closing else deadline - time.monotonic()
            if at < stream.stored or left_s <= 0:
                break
            await live.changes.next(left_s)
        size = max(0, min(query.limit, stream.stored - at))
        piece = await self._stage.outputs.read(live.id, query.channel, at, size)
        if size and not piece.content:
            raise broken(live.id, query.channel, at, stream.stored)
        return OutputRange(at, len(piece.content), stream.stored, stream.dropped, is_ended, piece.content)

    async def _kept(self, record: CallRecord, query: OutputQuery) -> OutputRange:
        end = next((each for each in record.course.streams if each.channel == query.channel), None)
        if end is None:
            return OutputRange(max(0, query.offset), 0, 0, 0, True)
        if not await self._stage.store.read(lambda reader: records.has_output(reader, record.id)):
            raise gone(record.id)
        stored = end.size_bytes - end.dropped_bytes
        at = max(0, stored + query.offset) if query.offset < 0 else query.offset
        piece = await self._stage.outputs.read(record.id, query.channel, at, query.limit)
        if at < stored and not piece.content:
            raise broken(record.id, query.channel, at, stored)
        return OutputRange(piece.offset, len(piece.content), stored, end.dropped_bytes, True, piece.content)


async def _room_for(live: Live, upto: int) -> None:
    """Wait until the executor takes input so far.

    Raises:
        InstarError: `timeout` when it takes nothing for long.
    """
    before, deadline = live.input.upto, time.monotonic() + WAIT_MAX_S
    while upto > live.input.upto and live.final is None:
        if live.input.upto > before:
            before, deadline = live.input.upto, time.monotonic() + WAIT_MAX_S
        if (left_s := deadline - time.monotonic()) <= 0:
            raise InstarError("timeout", f"call {live.id!r} reads no input", hint="Go on at the offset that it has.")
        await live.changes.next(left_s)
