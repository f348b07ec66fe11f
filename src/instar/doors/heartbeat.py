"""One timer for all sockets: no task and no timer handle per session."""

import asyncio
import time
from typing import Protocol

TICK_S = 0.5
"""How often due sessions are looked for; a ping may be late by this much."""


class Beating(Protocol):
    """A session that wants to be called when its time has come."""

    @property
    def wake_at(self) -> float:
        """Monotonic seconds; infinity for never."""
        ...

    def tick(self, now: float) -> None:
        """Do what is due."""
        ...


class Heartbeat:
    """Calls `tick` of every session whose `wake_at` has passed. It runs while there are sessions."""

    def __init__(self, tick_s: float = TICK_S) -> None:
        self._tick_s = tick_s
        self._sessions: set[Beating] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, session: Beating) -> None:
        """Look after `session` until it is discarded."""
        self._sessions.add(session)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._beat)

    def discard(self, session: Beating) -> None:
        """Forget `session`; an unknown one is no error."""
        self._sessions.discard(session)
        if not self._sessions and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self) -> None:
        now = time.monotonic()
        self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._beat)
        for session in [session for session in self._sessions if session.wake_at <= now]:
            session.tick(now)
