"""The standard input of one call: by offset, so that nothing is written twice, and early input waits."""

from collections import deque

from instar.base.errors import InstarError
from instar.hub.execution import Executor
from instar.wire.execution import CallOrder
from instar.wire.limits import LINK_CREDIT_BYTES


class CallInput:
    """What is written to a call. Where the call outlasts a link, what may be lost with one is kept, and sent again.

    Args:
        call_id: The call.
        has_input: Whether it has any.
        is_kept: Whether the call goes on when its executor was away.
    """

    def __init__(self, call_id: str, *, has_input: bool, is_kept: bool) -> None:
        self.offset = 0
        """How far it goes."""
        self.upto = LINK_CREDIT_BYTES
        """How far the executor takes it."""
        self._call_id = call_id
        self._has_input = has_input
        self._is_kept = is_kept
        self._size: int | None = None
        self._waiting: deque[tuple[int, bytes]] = deque()
        """What nobody was told yet, or may have been told in vain."""
        self._executor: Executor | None = None
        self.is_closed = False
        """Whether the call has ended."""

    def forget(self) -> None:
        """Take none until its executor has said how much came: an earlier process of the hub took it."""
        self.upto = 0
        self._is_kept = True

    def write(self, offset: int, content: bytes) -> None:
        """Pass input on; bytes that came before are left out. What comes early waits for the executor.

        Raises:
            InstarError: `conflict`: the call has ended or has no input, or bytes before these are missing;
                `overloaded`: more than its executor takes.
        """
        self._check(offset)
        new = content[self.offset - offset :]
        if not new:
            return
        if self._size is not None:
            raise InstarError("conflict", f"the input ended at {self._size}")
        if self.offset + len(new) > self.upto:
            raise InstarError("overloaded", f"the call takes input up to {self.upto}", retry_after_s=0.1)
        at, self.offset = self.offset, self.offset + len(new)
        if self._is_kept or self._executor is None:
            self._waiting.append((at, new))
        if self._executor is not None:
            self._executor.write(self._call_id, at, new)

    def end(self, size_bytes: int) -> Executor | None:
        """Take note of the input's end; return who is to be told, None while nobody runs the call.

        Raises:
            InstarError: `conflict`: as `write`, or the size is not what was written.
        """
        self._check(size_bytes)
        if size_bytes != self.offset:
            raise InstarError("conflict", f"{self.offset} bytes were written, not {size_bytes}")
        self._size = size_bytes
        return self._executor

    def taken(self, upto: int) -> bool:
        """Take note that the executor takes it so far; return whether that is more than before.

        It never says more than `LINK_CREDIT_BYTES` beyond what came there: that need not be kept.
        """
        if upto <= self.upto:
            return False
        self.upto = upto
        while self._executor is not None and self._waiting and _end(self._waiting[0]) <= upto - LINK_CREDIT_BYTES:
            self._waiting.popleft()
        return True

    async def connect(self, executor: Executor, received: int = 0) -> None:
        """Pass on what the executor lacks, which `received` so much before; what comes later is passed on at once.

        Raises:
            InstarError: As `Executor.order`.
        """
        self._executor = executor
        self.offset = max(self.offset, received)
        self.upto = max(self.upto, received + LINK_CREDIT_BYTES)
        for at, content in tuple(self._waiting):
            if at + len(content) > received:
                executor.write(self._call_id, max(at, received), content[max(0, received - at) :])
        if not self._is_kept:
            self._waiting.clear()
        if self._size is not None:
            await executor.order("close_input", CallOrder(self._call_id, size_bytes=self._size))

    def disconnect(self) -> None:
        """The executor is not reached; what comes meanwhile waits."""
        self._executor = None

    def close(self) -> None:
        """The call has ended."""
        self.is_closed = True
        self._waiting.clear()

    def _check(self, offset: int) -> None:
        if not self._has_input:
            raise InstarError("conflict", f"call {self._call_id!r} has no input", hint="Ask for it with `has_input`.")
        if self.is_closed:
            raise InstarError("conflict", f"call {self._call_id!r} has ended: it takes no input")
        if offset > self.offset:
            raise InstarError("conflict", f"the input goes on at {self.offset}, not at {offset}")


def _end(piece: tuple[int, bytes]) -> int:
    return piece[0] + len(piece[1])
