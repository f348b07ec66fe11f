"""One timer for all sockets."""

import asyncio
import time
from math import inf

from instar.doors.heartbeat import Heartbeat


class Session:
    def __init__(self, wake_at: float) -> None:
        self.wake_at = wake_at
        self.ticked = asyncio.Event()

    def tick(self, now: float) -> None:
        self.wake_at = inf
        self.ticked.set()


async def test_due_sessions_are_called_and_others_are_not() -> None:
    heartbeat = Heartbeat(tick_s=0.001)
    due, idle = Session(time.monotonic()), Session(inf)
    heartbeat.add(due)
    heartbeat.add(idle)
    async with asyncio.timeout(5):
        await due.ticked.wait()
    assert not idle.ticked.is_set()
    heartbeat.discard(due)
    heartbeat.discard(idle)
    heartbeat.discard(idle)
    assert len(heartbeat) == 0
    assert heartbeat._timer is None
