"""Hostile input from outside: damaged requests, frames and connections get typed answers; no fault, no hang."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from itertools import chain
from pathlib import Path

import pytest

from faults.hostile import Wire, check_health, resident_bytes
from faults.hub import Hub
from faults.mutations import Damage
from faults.valid import prepare

IS_LONG = os.environ.get("INSTAR_FAULTS_LONG") == "1"
REQUESTS = 80_000 if IS_LONG else 2_000
WORKERS = 8


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    running = Hub(tmp_path / "hub")
    await running.start()
    await prepare(running)
    yield running
    await check_health(running)
    await running.stop()


def no_findings(found: Iterable[str]) -> None:
    findings = list(found)
    assert findings == [], "\n\n".join(findings[:10])


async def damaged_requests(hub: Hub, seed: int, count: int, statuses: Counter[int]) -> list[str]:
    """Send damaged requests over one connection, opened anew whenever it is closed; return what went wrong."""
    damage, wire = Damage(seed, f"127.0.0.1:{hub.port}", hub.token), await Wire.open(hub)
    findings: list[str] = []
    for number in range(count):
        case, answer = damage.request(), None
        try:
            answer = await wire.ask(case.raw)
            assert answer is not None, "closed without an answer"
            statuses[answer.status] += 1
            answer.check(case.status)
        except (AssertionError, TimeoutError, ValueError) as error:
            findings.append(f"seed {seed}, case {number}, {case.label}: {error!r:.600}\n{case.raw[:600]!r}")
        if answer is None or answer.headers.get("connection") == "close" or answer.status == 101:
            await wire.close()
            wire = await Wire.open(hub)
    await wire.close()
    return findings


@pytest.mark.timeout(3_600 if IS_LONG else 60)
async def test_damaged_requests(hub: Hub, seed: int) -> None:
    statuses: Counter[int] = Counter()
    each = REQUESTS // WORKERS
    found = await asyncio.gather(*(damaged_requests(hub, seed + worker, each, statuses) for worker in range(WORKERS)))
    no_findings(chain.from_iterable(found))
    await check_health(hub)
    print(f"{REQUESTS} requests, statuses {dict(sorted(statuses.items()))}, {resident_bytes(hub) >> 20} MiB resident")
