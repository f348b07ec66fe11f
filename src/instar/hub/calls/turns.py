"""Whose turn it is on a target that takes so many calls at once: each requester in its turn, each in its order."""

import asyncio
from collections import OrderedDict, deque


class _Queue:
    """One target: how many hold a turn, how many may, as it was last heard, and who waits."""

    __slots__ = ("at_once", "held", "waiting")

    def __init__(self) -> None:
        self.held = 0
        self.at_once = 1
        self.waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()


class Turns:
    """The turns of every target."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}

    def held(self, target_id: str) -> int:
        """Return how many hold a turn on this target."""
        queue = self._queues.get(target_id)
        return queue.held if queue else 0

    async def take(self, target_id: str, at_once: int, requester: str) -> None:
        """Wait for a turn; who took one gives it back with `give`. Cancelled, it holds none."""
        queue = self._queues.setdefault(target_id, _Queue())
        queue.at_once = max(1, at_once)
        if queue.held < queue.at_once and not queue.waiting:
            queue.held += 1
            return
        turn = asyncio.get_running_loop().create_future()
        queue.waiting.setdefault(requester, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(target_id)
            raise

    def resume(self, target_id: str) -> None:
        """Hold the turn of a call that an earlier process sent: it runs there, however many the target takes now."""
        self._queues.setdefault(target_id, _Queue()).held += 1

    def give(self, target_id: str) -> None:
        """Give a turn back: the next requester that waits has it, unless more are held than the target takes."""
        queue = self._queues[target_id]
        while queue.waiting and queue.held <= queue.at_once:
            requester, mine = queue.waiting.popitem(last=False)
            turn = mine.popleft()
            if mine:
                queue.waiting[requester] = mine
            if not turn.done():
                turn.set_result(None)
                return
        queue.held -= 1
        if not queue.held:
            del self._queues[target_id]
