"""Output as signals to a room: gathered for a moment, and no more of it than a reader can look at."""

import asyncio

from instar.bus.fanout import Fanout
from instar.wire.calls import OutputSignal
from instar.wire.events import RoomKey
from instar.wire.limits import CALL_SIGNAL_MAX_BYTES, CALL_SIGNAL_S


class Telling:
    """Tells a room what one call writes, at most once in `CALL_SIGNAL_S` for each channel."""

    def __init__(self, fanout: Fanout, call_id: str, room: RoomKey) -> None:
        self._fanout = fanout
        self._call_id = call_id
        self._room = room
        self._gathered: dict[int, tuple[int, bytearray, int]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def took(self, channel: int, offset: int, content: bytes) -> None:
        """Take note of bytes that came."""
        if not self._fanout.listeners:
            return
        begin, text, size = self._gathered.get(channel) or (offset, bytearray(), 0)
        if (room := CALL_SIGNAL_MAX_BYTES - len(text)) > 0 and len(text) == size:
            text += content[:room]
        self._gathered[channel] = (begin, text, size + len(content))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(CALL_SIGNAL_S, self.flush)

    def flush(self) -> None:
        """Tell what was gathered now; the call's end does."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gathered, self._gathered = self._gathered, {}
        for channel, (begin, text, size) in gathered.items():
            signal = OutputSignal(self._call_id, self._room, channel, begin, size, text.decode("utf-8", "replace"))
            self._fanout.signal(self._room, signal)
