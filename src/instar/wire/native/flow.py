"""Credit: how far the sender of a channel may run ahead of its reader. Offsets are absolute and never go back.

Each stream carries up to three channels. What a side may send of one is an `Outflow`, what it takes an `Inflow`; both
begin with `LINK_CREDIT_BYTES` from where the channel begins, unless said otherwise, and only `credit` frames raise it.
"""

from instar.wire.limits import LINK_CHUNK_MAX_BYTES, LINK_CREDIT_BYTES
from instar.wire.machine import MisuseError


class FlowFaultError(ValueError):
    """The peer sent more than it was granted, or left bytes out: the link cannot go on."""


class Inflow:
    """What a peer may send of one channel, and how far it came.

    Args:
        offset: Where the channel begins.
        credit_bytes: How much may come before more is granted.
    """

    __slots__ = ("taken", "upto")

    def __init__(self, offset: int = 0, credit_bytes: int = LINK_CREDIT_BYTES) -> None:
        self.taken = offset
        self.upto = offset + credit_bytes

    def take(self, offset: int, content: memoryview) -> memoryview:
        """Return what is new of a chunk; nothing when all of it came before.

        Raises:
            FlowFaultError: It ends beyond the credit, or begins beyond what came.
        """
        end = offset + len(content)
        if end > self.upto:
            raise FlowFaultError(f"a chunk ends at {end}, credit was given up to {self.upto}")
        if offset > self.taken:
            raise FlowFaultError(f"a chunk begins at {offset}, but only {self.taken} bytes came before it")
        fresh = content[self.taken - offset :]
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
