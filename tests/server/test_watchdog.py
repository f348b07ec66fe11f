"""The watchdog names the line that blocks the loop."""

import asyncio
import threading
import time

from instar.server.watchdog import Watchdog


async def test_a_blocked_turn_is_reported_once() -> None:
    reports: list[tuple[float, str]] = []
    seen = threading.Event()

    def report(seconds: float, place: str) -> None:
        reports.append((seconds, place))
        seen.set()

    watchdog = Watchdog(report, threshold_s=0.02)
    watchdog.start()
    await asyncio.sleep(0)
    blocked_line(seen)
    watchdog.stop()
    assert len(reports) == 1
    assert "blocked_line" in reports[0][1]


async def test_it_can_be_started_again() -> None:
    seen = threading.Event()
    watchdog = Watchdog(lambda seconds, place: seen.set(), threshold_s=0.02)
    watchdog.stop()
    watchdog.start()
    watchdog.start()
    watchdog.stop()
    assert not any(thread.name == "loop-watchdog" for thread in threading.enumerate())
    watchdog.start()
    await asyncio.sleep(0)
    blocked_line(seen)
    watchdog.stop()
    assert seen.is_set()


def blocked_line(seen: threading.Event) -> None:
    deadline = time.monotonic() + 30
    while not seen.is_set() and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
