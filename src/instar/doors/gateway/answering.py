"""How the requests of one connection are answered: at once where the answer is ready, else by a task."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

import msgspec

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.wire.gateway.actions import ServerAction
from instar.wire.gateway.frames import AnyRequest, ErrorShape
from instar.wire.machine import UNREADABLE

from .calling import CallContext, call_method, failure_of, ready_answer
from .hello import RESUME
from .nodes.side import NodeSide
from .subscriptions import Subscriptions

_encode = msgspec.json.Encoder().encode


class Machine(Protocol):
    """What answering needs of the connection's machine."""

    def answer(self, request_id: str, payload: bytes) -> Sequence[ServerAction]:
        """Answer a request."""
        ...

    def accept(self, request_id: str, payload: bytes) -> Sequence[ServerAction]:
        """Say early that it is under way."""
        ...

    def fail(self, request_id: str, error: ErrorShape, payload: bytes = b"") -> Sequence[ServerAction]:
        """Answer it with its failure."""
        ...


Resume = Callable[[str], Awaitable[object]]
"""Goes on with the events from a cursor, and returns what `instar.resume` answers."""


class _ResumeParams(msgspec.Struct, forbid_unknown_fields=True):
    cursor: str = ""


_decode_resume = msgspec.json.Decoder(_ResumeParams).decode


class Answering:
    """Answers requests. Those that have done what they do and only wait for a turn end with the connection.

    Args:
        context: Who calls; its peer is set for each request.
        machine: The connection's.
        do: Carries the machine's actions out.
        subscriptions: What the connection wants to hear.
        resume: Goes on with the events after a gap.
        tasks: The parent of calls under way.
        node: The node behind the connection.
    """

    __slots__ = ("_context", "_do", "_machine", "_resume", "_tasks", "_waiting", "node", "subscriptions")

    def __init__(
        self,
        context: CallContext,
        machine: Machine,
        do: Callable[[Sequence[ServerAction]], None],
        subscriptions: Subscriptions,
        resume: Resume,
        tasks: TaskScope,
        node: NodeSide | None = None,
    ) -> None:
        self._context = context
        self._machine = machine
        self._do = do
        self._resume = resume
        self._tasks = tasks
        self._waiting: set[asyncio.Task[object]] = set()
        self.subscriptions = subscriptions
        self.node = node

    def take(self, request: AnyRequest) -> None:
        """Answer a request, now or later."""
        if (ready := ready_answer(self._context, request)) is not None:
            self._do(self._machine.answer(request.id, ready))
        else:
            self._tasks.start("gateway call", self._answer(request))

    async def _answer(self, request: AnyRequest) -> None:
        try:
            payload = _encode(await self._payload(request))
        except InstarError as error:
            self._fail(request, error)
        except Exception:
            # Told to the client as a fault of ours, and then reported as the crash that it is.
            self._fail(request, InstarError("internal_error", "the method met a fault of its own"))
            raise
        else:
            self._do(self._machine.answer(request.id, payload))

    async def _payload(self, request: AnyRequest) -> object:
        params = bytes(request.params) or b"{}"
        if request.method == RESUME:
            try:
                return await self._resume(_decode_resume(params).cursor)
            except UNREADABLE as error:
                raise InstarError("bad_request", f"invalid {RESUME} params: {str(error)[:300]}") from None
        context = replace(self._context, peer=SocketPeer(self, request.id))
        return await call_method(context, request.method, params)

    def _fail(self, request: AnyRequest, error: InstarError) -> None:
        shape, beside = failure_of(error, self._context.generation, request.method)
        self._do(self._machine.fail(request.id, shape, beside))

    def accept(self, request_id: str, payload: object) -> None:
        """Say early that a request is under way: from here on its task only waits."""
        self._do(self._machine.accept(request_id, _encode(payload)))
        self.only_waits()

    def only_waits(self) -> None:
        """Let the present call end with the connection: it has nothing left to do but to answer."""
        if (task := asyncio.current_task()) is not None:
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    def close(self) -> None:
        """End the calls that only wait to be answered; nobody reads the answers of the others."""
        for task in tuple(self._waiting):
            task.cancel()


class SocketPeer:
    """The socket of one call (`call.Peer`)."""

    __slots__ = ("_answering", "_request_id")

    def __init__(self, answering: Answering, request_id: str) -> None:
        self._answering = answering
        self._request_id = request_id

    @property
    def subscriptions(self) -> Subscriptions:
        """What the connection wants to hear."""
        return self._answering.subscriptions

    @property
    def node(self) -> NodeSide | None:
        """The node behind it."""
        return self._answering.node

    def accept(self, payload: object) -> None:
        """Send an early `res` with the id of the call."""
        self._answering.accept(self._request_id, payload)

    def only_waits(self) -> None:
        """Let the call end with the socket."""
        self._answering.only_waits()
