"""What a door brings when a node dials in: our own link, or a foreign dialect's way to carry calls out."""

from collections.abc import Callable
from typing import Protocol

from instar.hub.execution import Executor
from instar.wire.execution import Declaration
from instar.wire.limits import NODE_ASK_S


class NodeLink(Protocol):
    """One native link with a node behind it. What it hears it hands to the `LinkedSession` that `serve` returned."""

    @property
    def dialect(self) -> str:
        """What it speaks."""
        ...

    @property
    def address(self) -> str:
        """Where it came from; empty on this machine."""
        ...

    async def ask(self, method: str, params: bytes, *, stream: int = 0, timeout_s: float = NODE_ASK_S) -> bytes:
        """Ask the node and return its answer as JSON. Only an answer on this very link counts.

        Raises:
            InstarError: The node's refusal; `node_away` when the link ends first; `timeout`; `overloaded`.
        """
        ...

    def tell(self, method: str, params: bytes) -> None:
        """Tell the node something; on a link that ended it goes nowhere."""
        ...

    def chunk(self, stream: int, channel: int, offset: int, content: bytes | memoryview) -> None:
        """Send bytes of a stream, within the credit that the node gave."""
        ...

    def credit(self, stream: int, channel: int, upto: int) -> None:
        """Let the node send up to this offset."""
        ...

    def buffered_bytes(self) -> int:
        """Return how much waits in this process to be taken by the node."""
        ...

    def end(self, code: str, message: str) -> None:
        """End the link."""
        ...


class NodeExecutor(Executor, Protocol):
    """An executor whose target may leave."""

    @property
    def calls_running(self) -> int:
        """How many calls are under way there, as far as the hub asked for them."""
        ...

    def severed(self, reason: str) -> None:
        """The connection has ended: tell every sink, refuse everything from now on with `node_away`."""
        ...


ExecutorFactory = Callable[[str, Declaration], NodeExecutor]
"""(node id, what it declared) → what carries calls out on it."""
Ender = Callable[[str, str], None]
"""(code of `wire.codes`, message): end the connection."""
