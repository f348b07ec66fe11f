"""Tasks have a parent: a crash is reported, closing waits for the end."""

import asyncio

from instar.base.backoff import full_jitter
from instar.base.errors import InstarError
from instar.base.tasks import TaskScope


async def test_a_crash_is_reported_and_the_others_go_on() -> None:
    crashed: list[tuple[str, str]] = []
    scope = TaskScope(lambda name, error: crashed.append((name, str(error))))
    done = asyncio.Event()

    async def fail() -> None:
        raise ValueError("broken")

    async def work() -> None:
        done.set()

    await asyncio.wait([scope.start("failing", fail()), scope.start("working", work())])
    await asyncio.sleep(0)
    assert done.is_set()
    assert crashed == [("failing", "broken")]
    await scope.close()


async def test_closing_cancels_and_waits() -> None:
    scope = TaskScope(lambda name, error: None)
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    scope.start("work", work())
    await asyncio.sleep(0)
    await scope.close()
    assert ended == ["work"]


def test_delays_stay_under_a_growing_ceiling() -> None:
    delays = full_jitter(1.0, 4.0)
    for ceiling in (1.0, 2.0, 4.0, 4.0):
        assert 0 <= next(delays) <= ceiling


def test_an_error_shows_its_code() -> None:
    assert repr(InstarError("conflict", "no")) == "InstarError('conflict', 'no')"
