"""Output of one call on its way to the hub: as much as the hub takes, then the rest as it takes more."""

import hashlib
from collections.abc import Callable

from instar.wire.execution import Channel, StreamEnd
from instar.wire.limits import LINK_CHUNK_MAX_BYTES, LINK_CREDIT_BYTES

Deliver = Callable[[int, int, bytes], None]
"""(channel, offset, bytes): see `CallSink.output`."""


class _Stream:
    __slots__ = ("digest", "held", "size", "start", "upto")

    def __init__(self) -> None:
        self.held = bytearray()
        self.start = 0
        """Where in the stream `held` begins."""
        self.upto = LINK_CREDIT_BYTES
        self.size = 0
        self.digest = hashlib.sha256()


class Outflow:
    """What a call wrote, on both channels.

    Args:
        deliver: Takes bytes, never more than were allowed.
        drained: Called each time that nothing is held back any more.
    """

    def __init__(self, deliver: Deliver, drained: Callable[[], None]) -> None:
        self._deliver = deliver
        self._drained = drained
        self._streams = {Channel.STDOUT: _Stream(), Channel.STDERR: _Stream()}

    @property
    def is_drained(self) -> bool:
        """Whether all of it was delivered."""
        return not any(stream.held for stream in self._streams.values())

    @property
    def held_bytes(self) -> int:
        """How much waits for the hub to take it."""
        return sum(len(stream.held) for stream in self._streams.values())

    def write(self, channel: Channel, content: bytes) -> None:
        """Take what a call wrote."""
        if content:
            stream = self._streams[channel]
            stream.held += content
            stream.size += len(content)
            stream.digest.update(content)
            self._flush(channel, stream)

    def allow(self, channel: int, upto: int) -> None:
        """Let bytes of a channel go up to this offset."""
        if channel in (Channel.STDOUT, Channel.STDERR):
            stream = self._streams[Channel(channel)]
            stream.upto = max(stream.upto, upto)
            self._flush(channel, stream)
            if self.is_drained:
                self._drained()

    def ends(self) -> list[StreamEnd]:
        """Return how much each channel held in all."""
        return [
            StreamEnd(channel, stream.size, stream.digest.hexdigest())
            for channel, stream in self._streams.items()
            if stream.size
        ]

    def _flush(self, channel: int, stream: _Stream) -> None:
        while stream.held and stream.start < stream.upto:
            count = min(len(stream.held), stream.upto - stream.start, LINK_CHUNK_MAX_BYTES)
            piece = bytes(stream.held[:count])
            del stream.held[:count]
            start, stream.start = stream.start, stream.start + count
            self._deliver(channel, start, piece)
