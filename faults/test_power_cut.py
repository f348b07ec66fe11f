"""Power cuts on a disk that forgets what was not synced: what was acknowledged is there, and the database is whole."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faults.hub import Hub, all_messages, make_room
from faults.test_kill9 import Ledger, publish

CUTS = 300 if os.environ.get("INSTAR_FAULTS_LONG") else 5
PUBLISHERS = 16
HAS_FUSE = Path("/dev/fuse").exists() and os.access("/dev/fuse", os.W_OK) and shutil.which("fusermount3") is not None
pytestmark = pytest.mark.skipif(not HAS_FUSE, reason="this machine has no FUSE: power cuts are not simulated")


async def until(holds: object, what: str) -> None:
    """Wait until a path exists (or a mount is a mount), at most ten seconds."""
    for _ in range(1_000):
        if holds():  # type: ignore[operator]
            return
        await asyncio.sleep(0.01)
    raise TimeoutError(what)


async def cut_once(folder: Path, chance: random.Random) -> int:
    """Run a hub on a lossy disk, cut the power, and check what is found; return how many were acknowledged."""
    mount_point, found = folder / "mount", folder / "found"
    mount_point.mkdir(parents=True)
    found.mkdir()
    disk = subprocess.Popen([sys.executable, "-m", "faults.lossy_disk", str(mount_point), str(found)])
    try:
        await until(mount_point.is_mount, "the disk was not mounted")
        hub = Hub(mount_point / "hub", log=folder / "hub.log")
        hub.data_dir.mkdir()
        ledger = Ledger()
        await hub.start()
        await make_room(hub)
        token = hub.token
        workers = [asyncio.create_task(publish(hub, name, ledger)) for name in range(PUBLISHERS)]
        await asyncio.sleep(chance.uniform(0.5, 1.5))  # the moment of the fault
        acknowledged = dict(ledger.acknowledged)
        disk.send_signal(signal.SIGUSR1)
        await until((found / ".done").exists, "the disk gave nothing back")
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await hub.kill()
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(mount_point)], check=False)
        disk.wait(20)

    after = Hub(found / "hub")
    await after.start()
    assert after.token == token, "the operator's grant did not survive"
    texts = {message["id"]: message["parts"][0]["text"] for message in await all_messages(after)}
    assert {message_id: texts.get(message_id) for message_id in acknowledged} == acknowledged
    await after.stop()
    return len(acknowledged)


@pytest.mark.timeout(CUTS * 30)
async def test_power_cuts_lose_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    print(f"{CUTS} cuts")
    chance = random.Random(seed)
    counts = [await cut_once(tmp_path / str(number), chance) for number in range(CUTS)]
    assert all(counts), "a cut came before anything was acknowledged"
    print(f"acknowledged before each cut: {counts}")
