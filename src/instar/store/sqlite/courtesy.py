"""A busy event loop gives way to the writer.

A thread gets Python's interpreter lock for sure only after a whole switch interval (5 ms) in which its holder never let
go. A loop that polls more often lets go for a microsecond each time and takes the lock back before the writer has
woken up: with the loop saturated, a batch that needs the lock ten times was seen to wait for seconds. So the loop looks
at the writer while somebody waits for it, and when no batch ended since the last look, it blocks for a moment.
"""

import asyncio
import threading

LOOK_S = 0.002
YIELD_S = 0.002
"""Longest block for a batch that is being worked on; most end within a tenth of it."""
YIELD_TO_DISK_S = 0.0002
"""Longest block for a batch that waits for the disk: just enough to take over when the disk is done."""


class Courtesy:
    """Watches the writer from the event loop while work is unanswered."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._unanswered = 0
        self._is_watching = False
        self._seen = 0
        self._batches = 0
        self._batch_ended = threading.Event()
        self.is_syncing = False
        """Set by the writer while it waits for the disk."""

    def begin(self) -> None:
        """Count work that was handed to the writer."""
        self._unanswered += 1
        if not self._is_watching:
            self._is_watching = True
            self._seen = self._batches
            self._loop.call_later(LOOK_S, self._look)

    def end(self, answered: int) -> None:
        """Count work that was answered."""
        self._unanswered -= answered

    def batch_ended(self) -> None:
        """Say, from the writer thread, that it has handed over a batch."""
        self._batches += 1
        self._batch_ended.set()

    def _look(self) -> None:
        if not self._unanswered:
            self._is_watching = False
            return
        if self._batches == self._seen:
            self._batch_ended.clear()
            self._batch_ended.wait(YIELD_TO_DISK_S if self.is_syncing else YIELD_S)
        self._seen = self._batches
        self._loop.call_later(LOOK_S, self._look)
