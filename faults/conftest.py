"""No hub outlives its test, whatever became of the test."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from faults.hub import Hub


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    yield
    while Hub.started:
        hub = Hub.started.pop()
        if hub.process is not None and hub.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                await hub.kill()
