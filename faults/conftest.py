"""No hub outlives its test, whatever became of the test."""

import contextlib
import os
import random
from collections.abc import AsyncIterator

import pytest

from faults.hub import Hub

IS_LONG = bool(os.environ.get("INSTAR_FAULTS_LONG"))


@pytest.fixture
def seed() -> int:
    """Whatever is random comes from it: the same in each short run, so that a change answers for its own faults only;
    another one in each long run, or INSTAR_FAULTS_SEED."""
    chosen = int(os.environ.get("INSTAR_FAULTS_SEED") or (random.SystemRandom().randrange(1 << 32) if IS_LONG else 1))
    print(f"INSTAR_FAULTS_SEED={chosen}")
    return chosen


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    yield
    while Hub.started:
        hub = Hub.started.pop()
        if hub.process is not None and hub.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                await hub.kill()
