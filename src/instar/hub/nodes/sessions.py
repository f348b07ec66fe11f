"""One connection of a node, from the moment that it is served until it ends."""

from typing import Protocol

import msgspec

from instar.base.clock import Micros
from instar.base.errors import InstarError
from instar.wire.execution import CallOrder, Channel, Declaration, Outcome
from instar.wire.limits import NODE_REPORT_MAX_BYTES
from instar.wire.nodes import Telemetry

from .executor import LinkExecutor
from .links import Ender, NodeExecutor

_declaration = msgspec.json.Decoder(Declaration).decode
_telemetry = msgspec.json.Decoder(Telemetry).decode
_outcome = msgspec.json.Decoder(Outcome).decode
_order = msgspec.json.Decoder(CallOrder).decode


class Board(Protocol):
    """Who keeps the sessions; `hub.nodes.nodes` is it."""

    def declared(self, session: "NodeSession", declaration: Declaration) -> None:
        """A node offers something else from now on."""
        ...

    def reported(self, session: "NodeSession", telemetry: Telemetry) -> None:
        """A node said how it is."""
        ...

    def left(self, session: "NodeSession", reason: str) -> None:
        """A connection has ended."""
        ...

    def stray(self, session: "NodeSession", outcome: Outcome) -> None:
        """A node tells how a call ended that nobody follows on this connection."""
        ...


class NodeSession:
    """A connected node of any dialect. The door calls it with what it hears of the node, and `closed` at the end.

    Args:
        board: Who keeps it.
        node_id: The device, or `local`; it is settled by the credential, never by what the node says.
        connection: Random id of this connection.
        executor: What carries calls out there.
        end: Ends the connection.
        at: When it came.
    """

    def __init__(
        self,
        board: Board,
        node_id: str,
        connection: str,
        executor: NodeExecutor,
        end: Ender,
        at: Micros,
        *,
        dialect: str,
        address: str,
    ) -> None:
        self._board = board
        self.node_id = node_id
        self.connection = connection
        self.executor = executor
        self.end = end
        self.connected_at = at
        self.dialect = dialect
        self.address = address
        self.is_closed = False
        """Whether it is over."""

    def declared(self, declaration: Declaration) -> None:
        """The node offers something else from now on; what it may be asked does not grow by it.

        Raises:
            InstarError: `unprocessable_entity` when it says too much, `rate_limited` when it says it too often.
        """
        if not self.is_closed:
            self._board.declared(self, declaration)

    def reported(self, telemetry: Telemetry) -> None:
        """The node said how it is: of itself, whatever name it puts there. More often than need be is passed over."""
        if not self.is_closed:
            self._board.reported(self, telemetry)

    def closed(self, reason: str) -> None:
        """The connection has ended; its calls are severed. Twice is no error, and no other connection is touched."""
        if self.is_closed:
            return
        self.is_closed = True
        self.executor.severed(reason)
        self._board.left(self, reason)


class LinkedSession(NodeSession):
    """A node on a native link."""

    executor: LinkExecutor

    def told(self, method: str, params: bytes) -> None:
        """Take what the node says without being asked; words that nobody knows are passed over.

        Raises:
            InstarError: `bad_request` when it cannot be read or is too large; as `declared`.
        """
        if self.is_closed:
            return
        try:
            self._told(method, params)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InstarError("bad_request", f"`{method}` cannot be read: {str(error)[:200]}") from error

    def _told(self, method: str, params: bytes) -> None:
        if method in ("declare", "telemetry") and len(params) > NODE_REPORT_MAX_BYTES:
            raise InstarError("bad_request", f"`{method}` is larger than {NODE_REPORT_MAX_BYTES} bytes")
        if method == "telemetry":
            self.reported(_telemetry(params))
        elif method == "declare":
            self.declared(_declaration(params))
        elif method == "started":
            self.executor.started(_order(params).call_id)
        elif method == "ended" and not self.executor.ended(outcome := _outcome(params)):
            self._board.stray(self, outcome)

    def chunk(self, stream: int, channel: int, offset: int, content: memoryview) -> None:
        """Take output of a call; that of a stream which has ended, or never was, is dropped.

        Raises:
            FlowFaultError: More than was granted, or with a hole; the link must end.
        """
        if not self.is_closed:
            self.executor.chunk(stream, channel, offset, content)

    def credit(self, stream: int, channel: int, upto: int) -> None:
        """The node takes input of a stream up to this offset."""
        if not self.is_closed and channel == Channel.STDIN:
            self.executor.credit(stream, upto)

    def writable(self) -> None:
        """The link has drained."""
        if not self.is_closed:
            self.executor.writable()
