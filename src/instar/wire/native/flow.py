"""Credit: how far the sender of a channel may run ahead of its reader. Offsets are absolute and never go back.

Each stream carries up to three channels. What a side may send of one is an `Outflow`, what it takes an `Inflow`. Where
nothing else is said, both begin with `LINK_CREDIT_BYTES` from where the channel begins; `credit` frames raise it.

| stream | channel | may begin to be sent |
|---|---|---|
| of a watched call | output, to the client | `LINK_CREDIT_BYTES`, or `Watch.credit_bytes`, from where it begins |
| | input, from the client | nothing until the first `credit` |
| of a node's call | output, to the hub | `LINK_CREDIT_BYTES` from where it begins or goes on |
| | input, to the node | `LINK_CREDIT_BYTES` from where it begins or goes on |
"""

from collections.abc import Mapping

from instar.wire.execution import Channel
from instar.wire.limits import LINK_CHUNK_MAX_BYTES, LINK_CREDIT_BYTES
from instar.wire.machine import MisuseError

_OUTPUTS: tuple[int, ...] = (Channel.STDOUT, Channel.STDERR)


class FlowFaultError(ValueError):
    """The peer sent more than it was granted, or left bytes out: the link cannot go on."""


class Inflow:
    """What a peer may send of one channel, and how far it came.

    Args:
        offset: Where the channel begins.
        credit_bytes: How much may come before more is granted.
        has_holes: Whether the sender may leave bytes out that are lost to it, too (output beyond its cap).
    """

    __slots__ = ("_has_holes", "taken", "upto")

    def __init__(self, offset: int = 0, credit_bytes: int = LINK_CREDIT_BYTES, *, has_holes: bool = False) -> None:
        self.taken = offset
        self.upto = offset + credit_bytes
        self._has_holes = has_holes

    def take(self, offset: int, content: memoryview) -> memoryview:
        """Return what is new of a chunk; nothing when all of it came before.

        Raises:
            FlowFaultError: It ends beyond the credit, or begins beyond what came.
        """
        end = offset + len(content)
        if end > self.upto:
            raise FlowFaultError(f"a chunk ends at {end}, credit was given up to {self.upto}")
        if offset > self.taken and not self._has_holes:
            raise FlowFaultError(f"a chunk begins at {offset}, but only {self.taken} bytes came before it")
        fresh = content[max(0, self.taken - offset) :]
        self.taken = max(self.taken, end)
        return fresh

    def allow(self, upto: int) -> bool:
        """Raise the credit; return whether there is anything to tell the peer."""
        if upto <= self.upto:
            return False
        self.upto = upto
        return True


class Outflow:
    """What may be sent of one channel, and how far it went.

    Args:
        offset: Where the channel begins.
        credit_bytes: How much may be sent before more is granted.
    """

    __slots__ = ("sent", "upto")

    def __init__(self, offset: int = 0, credit_bytes: int = LINK_CREDIT_BYTES) -> None:
        self.sent = offset
        self.upto = offset + credit_bytes

    @property
    def room(self) -> int:
        """How many bytes may be sent now, in one chunk."""
        return max(0, min(self.upto - self.sent, LINK_CHUNK_MAX_BYTES))

    def granted(self, upto: int) -> None:
        """Note the credit that the peer gives; one that is no more than before changes nothing."""
        self.upto = max(self.upto, upto)

    def send(self, offset: int, size: int) -> None:
        """Note that a chunk goes out.

        Raises:
            MisuseError: It ends beyond the credit.
        """
        if offset + size > self.upto:
            raise MisuseError(f"a chunk up to {offset + size} with credit up to {self.upto}")
        self.sent = max(self.sent, offset + size)


class Stream:
    """The channels of one stream, as one end sees them.

    Args:
        inflows: What comes, by channel.
        outflows: What goes, by channel.
    """

    __slots__ = ("inflows", "outflows")

    def __init__(self, inflows: Mapping[int, Inflow], outflows: Mapping[int, Outflow]) -> None:
        self.inflows = inflows
        self.outflows = outflows

    def take(self, channel: int, offset: int, content: memoryview) -> tuple[int, memoryview]:
        """Return what is new of a chunk, and where it begins.

        Raises:
            FlowFaultError: As `Inflow.take`; or nothing comes on this channel.
        """
        inflow = self.inflows.get(channel)
        if inflow is None:
            raise FlowFaultError(f"nothing is taken on channel {channel} of this stream")
        fresh = inflow.take(offset, content)
        return offset + len(content) - len(fresh), fresh


def watched(offsets: Mapping[int, int], credit_bytes: int) -> Stream:
    """Return the stream of a watched call as its client sees it."""
    credit_bytes = max(credit_bytes, LINK_CREDIT_BYTES)
    inflows = {channel: Inflow(offsets.get(channel, 0), credit_bytes, has_holes=True) for channel in _OUTPUTS}
    return Stream(inflows, {Channel.STDIN: Outflow(0, 0)})


def watching() -> Stream:
    """Return the stream of a watched call as the hub sees it; how far output goes, the hub itself knows."""
    return Stream({Channel.STDIN: Inflow(0, 0, has_holes=True)}, {})


def serving(offsets: Mapping[int, int]) -> Stream:
    """Return the stream of a call as the node sees it that carries it out."""
    outflows = {channel: Outflow(offsets.get(channel, 0)) for channel in _OUTPUTS}
    return Stream({Channel.STDIN: Inflow(offsets.get(Channel.STDIN, 0), has_holes=True)}, outflows)
