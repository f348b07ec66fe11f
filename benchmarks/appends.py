"""Durable appends at the store: 64 writers grouped, against the same writers one commit each (serialised)."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from instar.base.clock import now
from instar.base.ids import new_id
from instar.store.seam import Draft, Store
from instar.store.sqlite import open_store
from instar.wire.events import RoomKey

SECONDS = 4.0
PAYLOAD = b'{"text":"' + b"x" * 400 + b'"}'


def draft() -> Draft:
    """Return a message-sized draft."""
    return Draft(RoomKey("room:general"), new_id("evt"), "message.created", PAYLOAD, now(), "operator", counted=True)


async def rate(store: Store, writers: int, turn: asyncio.Lock | None = None) -> dict[str, Any]:
    """Return the appends per second and their latency; with `turn`, each waits for its own commit alone."""
    until = time.monotonic() + SECONDS
    spent: list[float] = []

    async def write() -> None:
        while time.monotonic() < until:
            at = time.perf_counter()
            if turn is None:
                await store.append([draft()])
            else:
                async with turn:
                    await store.append([draft()])
            spent.append(time.perf_counter() - at)

    await asyncio.gather(*(write() for _ in range(writers)))
    spent.sort()
    return {
        "per_s": round(len(spent) / SECONDS),
        "p50_ms": round(spent[len(spent) // 2] * 1000, 3),
        "p99_ms": round(spent[int(len(spent) * 0.99)] * 1000, 3),
    }


async def run() -> dict[str, Any]:
    """Measure grouped, single and lonely appends on one fresh store."""
    with tempfile.TemporaryDirectory(prefix="instar-bench-") as folder:
        store = await open_store(Path(folder))
        grouped = await rate(store, 64)
        single = await rate(store, 64, asyncio.Lock())
        alone = await rate(store, 1)
        await store.close()
    ratio = round(grouped["per_s"] / single["per_s"], 1)
    return {"grouped_64": grouped, "one_commit_each_64": single, "alone": alone, "ratio": ratio, "bar_ratio": 4}


def measure() -> dict[str, Any]:
    """Return the figures and the ratio of grouped to single."""
    return asyncio.run(run())
