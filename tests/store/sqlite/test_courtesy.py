"""A saturated event loop does not starve the writer."""

import asyncio
import threading
import time

from instar.store.sqlite.courtesy import Courtesy


async def test_writes_end_while_the_loop_is_never_idle(store, draft):
    is_over = False

    async def saturate():
        while not is_over:
            until = time.perf_counter() + 0.0002
            while time.perf_counter() < until:
                pass
            await asyncio.sleep(0)

    busy = asyncio.ensure_future(saturate())
    for _ in range(5):
        writes = [store.append([draft(f"evt_{n}_{time.monotonic_ns()}", f"room:{n}")]) for n in range(64)]
        await asyncio.wait_for(asyncio.gather(*writes), 10)
    is_over = True
    await busy


async def test_it_looks_only_while_work_is_unanswered():
    courtesy = Courtesy(asyncio.get_running_loop())
    courtesy.begin()
    courtesy.begin()
    threading.Timer(0.01, courtesy.batch_ended).start()
    while courtesy._batches == 0:  # noqa: ASYNC110 - what is tested is that this loop blocks
        await asyncio.sleep(0)
    courtesy.end(2)
    while courtesy._is_watching:  # noqa: ASYNC110
        await asyncio.sleep(0)
    courtesy.is_syncing = True
    courtesy.begin()
    assert courtesy._is_watching
    await asyncio.sleep(0.01)
    courtesy.end(1)
