"""Who follows a call's output as it comes: each from its own offset, as fast as it grants."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from instar.base.errors import InstarError
from instar.wire.calls import Call
from instar.wire.limits import LINK_CHUNK_MAX_BYTES, LINK_CREDIT_BYTES

from .outputs import CHANNELS, Outputs, broken

_log = structlog.get_logger("instar.calls")


class Watcher(Protocol):
    """Where a watched call's output goes. Its methods are called on the loop, do not block and do not raise."""

    def output(self, channel: int, offset: int, content: bytes) -> None:
        """Take bytes of a channel; never more than was granted. A jump of the offset: those before are lost."""
        ...

    def allowed(self, upto: int) -> None:
        """The call takes input up to this offset."""
        ...

    def ended(self, call: Call) -> None:
        """The call has ended, and all of its output came before; nothing is called after it."""
        ...

    def failed(self, error: InstarError) -> None:
        """The output cannot be read further, though the call may go on; nothing is called after it."""
        ...


class Input(Protocol):
    """The standard input of a call, to who may write it."""

    def write(self, offset: int, content: bytes) -> None:
        """Take bytes that begin at `offset`.

        Raises:
            InstarError: `forbidden`, `conflict` (a gap, or no input), `overloaded` (more than was allowed).
        """
        ...

    def close_input(self, size_bytes: int) -> None:
        """Take note of the input's end.

        Raises:
            InstarError: As `write`.
        """
        ...


class CallWatch:
    """One watcher of one call.

    Args:
        watcher: Where output goes.
        offsets: Where each channel begins; absent: at the beginning.
        extent: Returns how far a channel is stored, and how far it is stored or thrown away.
        input: The call's input.
    """

    def __init__(
        self,
        call_id: str,
        watcher: Watcher,
        offsets: Mapping[int, int],
        outputs: Outputs,
        extent: Callable[[int], tuple[int, int]],
        input: Input,  # noqa: A002 - the field's word
        on_closed: Callable[["CallWatch"], None],
    ) -> None:
        self._call_id = call_id
        self._watcher = watcher
        self._outputs = outputs
        self._extent = extent
        self._input = input
        self._on_closed = on_closed
        self._at = {int(channel): max(0, offsets.get(channel, 0)) for channel in CHANNELS}
        self._upto = {channel: at + LINK_CREDIT_BYTES for channel, at in self._at.items()}
        self._news = asyncio.Event()
        self._end: Call | None = None
        self._is_over = False

    def allow(self, channel: int, upto: int) -> None:
        """Let output of a channel come up to this offset; it never goes back."""
        if upto > self._upto.get(channel, upto):
            self._upto[channel] = upto
            self._news.set()

    def write(self, offset: int, content: bytes) -> None:
        """Write to the call's standard input; see `Input.write`."""
        self._input.write(offset, content)

    def close_input(self, size_bytes: int) -> None:
        """End the call's standard input; see `Input.close_input`."""
        self._input.close_input(size_bytes)

    def close(self) -> None:
        """Send nothing more; the call goes on. Twice is no error."""
        if not self._is_over:
            self._is_over = True
            self._news.set()
            self._on_closed(self)

    # What the call says

    def offer(self, channel: int, offset: int, content: bytes) -> None:
        """Pass on what just came, if the watcher stands there and takes it; else it is read from the file later."""
        if not self._is_over and self._at[channel] == offset and offset + len(content) <= self._upto[channel]:
            self._at[channel] = offset + len(content)
            self._watcher.output(channel, offset, content)

    def stored(self) -> None:
        """More is on disk."""
        self._news.set()

    def input_allowed(self, upto: int) -> None:
        """The call takes input up to this offset."""
        if not self._is_over:
            self._watcher.allowed(upto)

    def ended(self, call: Call) -> None:
        """The call has ended; the watcher hears of it after the output."""
        self._end = call
        self._news.set()

    async def run(self) -> None:
        """Read from the files what was not passed on at once, until the call has ended or `close`.

        The watcher hears of either end, whatever is wrong with the files.
        """
        try:
            await self._follow()
        except InstarError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a fault of the hub is the end of this watch alone, and is logged
            _log.exception("watch failed", call=self._call_id)
            self._fail(InstarError("internal_error", f"the output could not be read: {type(error).__name__}"))

    def _fail(self, error: InstarError) -> None:
        if not self._is_over:
            self.close()
            self._watcher.failed(error)

    async def _follow(self) -> None:
        while not self._is_over:
            self._news.clear()
            is_behind = False
            for channel in self._at:
                is_behind |= await self._catch_up(channel)
            if self._end is not None and not is_behind and not self._is_over:
                self._watcher.ended(self._end)
                self.close()
                return
            await self._news.wait()

    async def _catch_up(self, channel: int) -> bool:
        """Send what is stored and granted; return whether there is more than was granted.

        Raises:
            InstarError: `output_gone`: the file lacks what was stored; `internal_error`: the disk refused.
        """
        while not self._is_over:
            at, (stored, settled) = self._at[channel], self._extent(channel)
            if at >= stored:
                # What lies between was thrown away.
                self._at[channel] = max(at, settled)
                return False
            size = min(stored, self._upto[channel]) - at
            if size <= 0:
                return True
            piece = await self._outputs.read(self._call_id, channel, at, min(size, LINK_CHUNK_MAX_BYTES))
            if self._is_over:
                return False
            if not piece.content:
                raise broken(self._call_id, channel, at, stored)
            if self._at[channel] == at:
                self._at[channel] = at + len(piece.content)
                self._watcher.output(channel, at, piece.content)
        return False
