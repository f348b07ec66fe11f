"""A full disk: writers are told so, readers go on, and writing resumes by itself when there is space again."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from faults.hub import ROOM, Http, Hub, all_messages, make_room, message

SIZE = "48m"
RECOVERY_S = 5.0
TEXT = "x" * 20_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """Mount a small tmpfs for one test."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if os.getuid() != 0 or done.returncode:
        pytest.skip("this user may not mount a small disk: a full disk is not tried")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_refuses_writers_and_loses_nothing(small_disk: Path) -> None:
    hub = Hub(small_disk / "hub")
    await hub.start()
    await make_room(hub)
    http = Http(hub)
    acknowledged: list[str] = []
    ballast = small_disk / "ballast"
    free = shutil.disk_usage(small_disk).free
    ballast.write_bytes(bytes(max(0, free - 12 * 1024 * 1024)))
    status, answer = 202, {}
    for number in range(5_000):
        status, answer = await http.ask("POST", "/v1/messages", message(f"m-{number}", TEXT))
        if status != 202:
            break
        acknowledged.append(f"m-{number}")
    assert status == 503, "the disk never got full"
    assert answer["code"] == "storage_full"
    assert answer["retryable"]
    status, page = await http.ask("GET", f"/v1/rooms/{ROOM}/messages?limit=5")
    assert status == 200, "readers must go on"
    assert page["messages"][-1]["id"] == acknowledged[-1]

    ballast.unlink()
    async with asyncio.timeout(RECOVERY_S):
        while (await http.ask("POST", "/v1/messages", message("m-5001", TEXT)))[0] != 202:
            await asyncio.sleep(0.05)  # the hub recovers in its own time, within the bound
    stored = [each["id"] for each in await all_messages(hub)]
    assert stored == [*acknowledged, "m-5001"]
    http.close()
    await hub.stop()
