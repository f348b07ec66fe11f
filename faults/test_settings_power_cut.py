"""A power cut while the settings change: what was answered is on the disk, whole."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faults.test_power_cut import HAS_FUSE, until
from instar.hub.settings.changing import Changing
from instar.hub.settings.file import read
from instar.hub.settings.load import load

CUTS = 50 if os.environ.get("INSTAR_FAULTS_LONG") else 3
pytestmark = pytest.mark.skipif(not HAS_FUSE, reason="this machine has no FUSE: power cuts are not simulated")


def change_until(folder: Path, count: int) -> list[str]:
    """Make so many changes; return the texts that were answered."""
    path, texts = folder / "instar.yaml", list[str]()
    for number in range(1, count + 1):
        writer = Changing(load({}, {"INSTAR_DATA_DIR": str(folder)}), is_host=True)
        writer.change({"loops.max_hops": number, "network.name": "n" * number}, read(path).hash, by="me")
        texts.append(path.read_text())
    return texts


async def cut_after(folder: Path, count: int) -> None:
    mount_point, found = folder / "mount", folder / "found"
    mount_point.mkdir(parents=True)
    found.mkdir()
    disk = subprocess.Popen([sys.executable, "-m", "faults.lossy_disk", str(mount_point), str(found)])
    try:
        await until(mount_point.is_mount, "the disk was not mounted")
        (mount_point / "hub").mkdir()
        texts = await asyncio.to_thread(change_until, mount_point / "hub", count)
        disk.send_signal(signal.SIGUSR1)
        await until((found / ".done").exists, "the disk gave nothing back")
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(mount_point)], check=False)
        disk.wait(20)
    assert (found / "hub" / "instar.yaml").read_text() == texts[-1]
    versions = Changing(load({}, {"INSTAR_DATA_DIR": str(found / "hub")}), is_host=True).versions
    assert [versions.text(version.version) for version in versions.all()] == texts[:-11:-1]


@pytest.mark.timeout(CUTS * 30)
async def test_what_was_answered_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parent.parent))
    for number in range(1, CUTS + 1):
        await cut_after(tmp_path / str(number), 4 * number)
