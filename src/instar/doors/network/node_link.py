"""A node at the other end of a native link, as the hub asks it (`hub.operations.NodeLink`)."""

import asyncio
from collections.abc import Callable, Sequence

from instar.base.errors import InstarError
from instar.hub.operations.hub import LinkedSession
from instar.wire.limits import NODE_ASK_S
from instar.wire.native.actions import Answered, Granted, Refused, ServerAction, Told, Took
from instar.wire.native.flow import FlowFaultError
from instar.wire.native.frames import error_of
from instar.wire.native.machine import ServerMachine, State


class NodeEnd:
    """Matches answers to what was asked on this very link, and carries the bytes of calls.

    Args:
        machine: The link's.
        do: Carries its actions out.
        buffered_bytes: How much the node has not taken.
        address: Where the node is.
    """

    dialect = "instar"

    def __init__(
        self,
        machine: ServerMachine,
        do: Callable[[Sequence[ServerAction]], None],
        buffered_bytes: Callable[[], int],
        address: str,
    ) -> None:
        self._machine = machine
        self._do = do
        self._asked: dict[int, asyncio.Future[bytes]] = {}
        self._welcomed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffered_bytes = buffered_bytes
        self.address = address
        self.session: LinkedSession | None = None

    # What the hub asks

    async def ask(self, method: str, params: bytes, *, stream: int = 0, timeout_s: float = NODE_ASK_S) -> bytes:
        """Ask the node; see `NodeLink.ask`."""
        ask_id = 0
        try:
            async with asyncio.timeout(timeout_s):
                if not self._welcomed.done():
                    await asyncio.shield(self._welcomed)
                answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
                ask_id, actions = self._machine.ask(method, params, stream)
                self._asked[ask_id] = answer
                self._do(actions)
                return await answer
        except TimeoutError:
            cause = f"the node did not answer `{method}` within {timeout_s:g} s"
            raise InstarError("timeout", cause) from None
        finally:
            self._asked.pop(ask_id, None)
            self._machine.give_up(ask_id)

    def tell(self, method: str, params: bytes) -> None:
        """Tell the node something."""
        self._do(self._machine.tell(method, params))

    def chunk(self, stream: int, channel: int, offset: int, content: bytes | memoryview) -> None:
        """Send input of a call."""
        self._do(self._machine.chunk(stream, channel, offset, content))

    def credit(self, stream: int, channel: int, upto: int) -> None:
        """Take output of a call up to here."""
        self._do(self._machine.credit(stream, channel, upto))

    def end(self, code: str, message: str) -> None:
        """End the link."""
        self._do(self._machine.bye(code, message, ""))

    # What the link says

    def welcomed(self) -> None:
        """The node was welcomed: it may be asked."""
        if not self._welcomed.done():
            self._welcomed.set_result(None)

    def heard(self, action: Answered | Refused | Told | Took | Granted) -> None:
        """The node said something. A fault of its own ends the link."""
        try:
            self._heard(action)
        except FlowFaultError as fault:
            self._do(self._machine.end("bad_request", str(fault)))
        except InstarError as error:
            self._do(self._machine.end(error.code, error.message))

    def _heard(self, action: Answered | Refused | Told | Took | Granted) -> None:
        if isinstance(action, Answered | Refused):
            answer = self._asked.get(action.id)
            if answer is None or answer.done():
                return
            if isinstance(action, Answered):
                answer.set_result(bytes(action.result))
            else:
                answer.set_exception(error_of(action.error))
        elif self.session is None:
            return
        elif isinstance(action, Told):
            self.session.told(action.method, bytes(action.params))
        elif isinstance(action, Took):
            self.session.chunk(action.stream, action.channel, action.offset, action.content)
        else:
            self.session.credit(action.stream, action.channel, action.upto)

    def closed(self, reason: str) -> None:
        """The link has ended: nobody waits for the node any more. Twice is no error."""
        assert self._machine.state is State.CLOSED
        asked, self._asked = self._asked, {}
        for answer in (*asked.values(), self._welcomed):
            if not answer.done():
                answer.set_exception(InstarError("node_away", f"the link to the node has ended: {reason}"))
        if not self._welcomed.cancelled():
            self._welcomed.exception()  # nobody may have waited for it
        if self.session is not None:
            self.session.closed(reason)
