"""Hubs that run for a whole module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .running import RunningHub


@pytest.fixture(scope="module", params=["bearer", "none"])
def any_hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub in each mode that the reference's clients must work in."""
    hub = RunningHub(tmp_path_factory.mktemp("hub") / "data", request.param)
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub in its default mode, bearer."""
    hub = RunningHub(tmp_path_factory.mktemp("hub") / "data", "bearer")
    yield hub
    hub.stop()


@pytest.fixture
def own_hub(tmp_path: Path) -> Iterator[RunningHub]:
    """A hub that the test may stop and start."""
    hub = RunningHub(tmp_path / "data", "bearer")
    yield hub
    if hub.process.poll() is None:
        hub.stop()
