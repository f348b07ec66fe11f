"""Fixtures that every part shares."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from instar.store.sqlite import SqliteStore, open_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A real store in a directory of its own."""
    opened = await open_store(tmp_path / "hub")
    yield opened
    await opened.close()
