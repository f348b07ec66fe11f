"""Hubs that run in this process."""

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from .serving import SECRET, Serving, serving


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """A hub tunes the collector of its process for good: this process goes on."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Serving]:
    """A hub with a shared secret, which lets no device in by itself."""
    async with serving(tmp_path / "data", auth__token=SECRET, pairing__auto_approve="off") as running:
        yield running
