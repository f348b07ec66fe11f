"""A whole hub in this process: it opens, serves its metrics, and closes at a signal."""

import asyncio
import gc
import os
import signal
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.hub.delivery.delivery import Delivery
from instar.hub.settings.load import load
from instar.server.app import LOCAL_GRANT, Announcement, App
from instar.server.metrics import METRICS
from instar.store.backup import BLOB_FOLDER
from instar.store.blobs import UNFINISHED
from instar.store.sqlite import open_store


@pytest.fixture(autouse=True)
def _collector():
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


async def get(url: str, path: str, token: str) -> str:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    answer = (await reader.read()).decode()
    writer.close()
    return answer


async def test_a_hub_from_start_to_stop(tmp_path: Path) -> None:
    left = tmp_path / BLOB_FOLDER / UNFINISHED / "half"
    left.parent.mkdir(parents=True)
    left.touch()
    flags = {"data_dir": str(tmp_path), "listen": "127.0.0.1:0", "log.level": "debug"}
    ready: asyncio.Future[Announcement] = asyncio.get_running_loop().create_future()
    hub = asyncio.ensure_future(App(load(flags, {})).serve(ready.set_result))
    await asyncio.wait((hub, ready), return_when=asyncio.FIRST_COMPLETED)
    announced = ready.result()
    assert announced.first_start
    assert not left.exists()
    metrics = await get(announced.url, "/metrics", (tmp_path / LOCAL_GRANT).read_text().strip())
    unlabelled = [name for name, row in METRICS.items() if not row.labels]
    assert [name for name in unlabelled if f"\n{name} " not in metrics and f"\n{name}_count " not in metrics] == []
    os.kill(os.getpid(), signal.SIGTERM)
    assert await hub == 0


async def test_the_store_is_closed_whatever_fails_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: Delivery) -> None:
        raise InstarError("storage_full", "the disk is full")

    monkeypatch.setattr(Delivery, "close", fail)
    app = App(load({"data_dir": str(tmp_path), "listen": "127.0.0.1:0"}, {}))
    with pytest.raises(InstarError, match="the disk is full"):
        await app.serve(lambda _: os.kill(os.getpid(), signal.SIGTERM))
    store = await open_store(tmp_path)
    await store.close()
