"""A debugging aid, on where `log.level` is debug: reports which line kept the event loop from turning."""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType

BLOCKED_S = 0.05
"""A turn of the loop that takes longer is reported."""

_frames_now: Callable[[], dict[int, FrameType]] = getattr(sys, "_current_frames")  # noqa: B009 - documented, despite its name


class Watchdog:
    """Watches the running loop from a thread of its own.

    Args:
        report: Called in that thread with the seconds so far and the place, once per blocked turn.
        threshold_s: How long a turn may take.
    """

    def __init__(self, report: Callable[[float, str], None], threshold_s: float = BLOCKED_S) -> None:
        self._report = report
        self._threshold_s = threshold_s
        self._turned_at = time.monotonic()
        self._is_over = threading.Event()
        self._loop_thread = 0
        self._timer: asyncio.TimerHandle | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the running loop from now on. Twice is no error."""
        if self._thread is not None:
            return
        self._is_over.clear()
        loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._turn(loop)
        self._thread = threading.Thread(target=self._watch, name="loop-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._is_over.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turned_at = time.monotonic()
        self._timer = loop.call_later(self._threshold_s / 5, self._turn, loop)

    def _watch(self) -> None:
        reported = 0.0
        while not self._is_over.wait(self._threshold_s / 5):
            turned_at = self._turned_at
            spent = time.monotonic() - turned_at
            if spent > self._threshold_s and turned_at != reported:
                reported = turned_at
                self._report(spent, _place(_frames_now().get(self._loop_thread)))


def _place(frame: FrameType | None) -> str:
    """Return the innermost line of Instar's own code, or the innermost line at all."""
    stack: list[traceback.FrameSummary] = traceback.extract_stack(frame) if frame is not None else []
    own = [entry for entry in stack if "instar" in entry.filename]
    where = (own or stack)[-1:]
    return f"{where[0].filename}:{where[0].lineno} in {where[0].name}" if where else "unknown"
