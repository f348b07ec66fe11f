"""Hubs to attack: real ones, over real sockets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.doors.gateway.conftest import collector
from tests.doors.gateway.serving import SECRET, Serving, serving

__all__ = ["collector"]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Serving]:
    """A hub with a shared secret, that lets no device in by itself and believes a proxy at no address."""
    async with serving(tmp_path / "data", auth__token=SECRET, pairing__auto_approve="off") as running:
        yield running


@pytest.fixture
async def fronted(tmp_path: Path) -> AsyncIterator[Serving]:
    """The same behind a proxy on this machine, which names each client."""
    settings = {"auth__token": SECRET, "server__trusted_proxies": ["127.0.0.1"], "pairing__auto_approve": "off"}
    async with serving(tmp_path / "data", **settings) as running:
        yield running
