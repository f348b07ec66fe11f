"""The standard input of one call: by offset, so that nothing is written twice, and early input waits."""

from instar.base.errors import InstarError
from instar.hub.execution import Executor
from instar.wire.execution import CallOrder
from instar.wire.limits import LINK_CREDIT_BYTES


class CallInput:
    """What is written to a call. What was on its way when a link broke is lost: the call goes on behind it."""

    def __init__(self, call_id: str, *, has_input: bool) -> None:
        self.offset = 0
        """How far it goes."""
        self.upto = LINK_CREDIT_BYTES
        """How far the executor takes it."""
        self._call_id = call_id
        self._has_input = has_input
        self._size: int | None = None
        self._early: list[tuple[int, bytes]] = []
        self._executor: Executor | None = None
        self._is_closed = False

    def write(self, offset: int, content: bytes) -> None:
        """Pass input on; bytes that came before are left out. What comes early waits for the executor.

        Raises:
            InstarError: `conflict`: the call has ended or has no input, its executor is away, or bytes before these are
                missing; `overloaded`: more than its executor takes.
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
        if self._executor is not None:
            self._executor.write(self._call_id, at, new)
        else:
            self._early.append((at, new))

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

    async def connect(self, executor: Executor) -> None:
        """Pass on what came before the executor ran the call; what comes later is passed on at once.

        Raises:
            InstarError: As `Executor.order`.
        """
        self._executor = executor
        early, self._early = self._early, []
        for at, content in early:
            executor.write(self._call_id, at, content)
        if self._size is not None:
            await executor.order("close_input", CallOrder(self._call_id, size_bytes=self._size))

    def disconnect(self) -> None:
        """The executor is not reached; what comes meanwhile waits."""
        self._executor = None

    def close(self) -> None:
        """The call has ended."""
        self._is_closed = True
        self._early.clear()

    def _check(self, offset: int) -> None:
        if not self._has_input:
            raise InstarError("conflict", f"call {self._call_id!r} has no input", hint="Ask for it with `has_input`.")
        if self._is_closed:
            raise InstarError("conflict", f"call {self._call_id!r} has ended: it takes no input")
        if offset > self.offset:
            raise InstarError("conflict", f"the input goes on at {self.offset}, not at {offset}")
