"""R-12: a node is killed at random points of calls. Each call ends once, runs at most once, and leaves no process."""

import asyncio
import collections
import contextlib
import os
import random
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from faults.hub import INSTAR, Hub
from faults.nodes import allow_all, let_in
from faults.test_link_cuts import asked, call
from instar.node import config as remembering
from instar.node.config import NodeFolder

KILLS = int(os.environ.get("INSTAR_FAULTS_KILLS", "200" if os.environ.get("INSTAR_FAULTS_LONG") else "6"))
AT_ONCE = 4
LINES = (
    "echo {mark} >> effects; (setsid sleep 600 &); sleep 0.4; echo end",
    "echo {mark} >> effects; sleep 0.2",
    "echo {mark} >> effects; head -c 300000 /dev/zero",
)


class NodeProcess:
    """`instar node run` on one folder, at times."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub = hub
        self.root = folder / "root"
        self._folder = NodeFolder(folder / "node")
        self._process: Process | None = None

    def let_in(self) -> None:
        self.root.mkdir()
        remembering.save(self._folder, let_in(self.hub, self._folder, self.root, self.hub.port))

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            str(INSTAR), "node", "run",
            env={**os.environ, "INSTAR_NODE_DIR": str(self._folder.path)}, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        while True:
            nodes = (await asked(self.hub, "GET", "/v1/nodes?connected=true"))["nodes"]
            if any(each["name"] == "faults" for each in nodes):
                return
            assert self._process.returncode is None, "the node ended by itself"
            await asyncio.sleep(0.02)

    async def kill(self) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        while any(
            each["name"] == "faults" for each in (await asked(self.hub, "GET", "/v1/nodes?connected=true"))["nodes"]
        ):
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        assert await self._process.wait() == 0

    def left(self) -> list[int]:
        """Return the processes that work in the node's root."""
        found: list[int] = []
        for path in Path("/proc").iterdir():
            if path.name.isdigit():
                with contextlib.suppress(OSError):
                    if (path / "cwd").readlink() == self.root:
                        found.append(int(path.name))
        return found


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[NodeProcess]:
    hub = Hub(tmp_path / "hub")
    await hub.start()
    await asyncio.to_thread(allow_all, hub)
    made = NodeProcess(hub, tmp_path)
    await asyncio.to_thread(made.let_in)
    await made.start()
    yield made
    await made.stop()
    assert made.left() == []
    await hub.stop()
    assert "Traceback" not in hub.log()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.timeout(60 + KILLS * 10)
async def test_each_call_ends_once_whenever_the_node_is_killed(node: NodeProcess, seed: int) -> None:
    print(f"{KILLS} kills")
    chance = random.Random(seed)
    ended: dict[int, dict[str, Any]] = {}
    for kill in range(KILLS):
        batch = range(kill * AT_ONCE, (kill + 1) * AT_ONCE)
        calls = [asyncio.ensure_future(call(node.hub, each, chance.choice(("fail", "queue")), LINES)) for each in batch]
        await asyncio.sleep(chance.uniform(0, 0.4))  # the moment of the fault, not a wait for luck
        await node.kill()
        await node.start()
        assert node.left() == [] or any(not task.done() for task in calls)
        for each, task in zip(batch, calls, strict=True):
            ended[each] = await task
    states = collections.Counter(each["state"] for each in ended.values())
    print(f"{KILLS} kills, {len(ended)} calls: {dict(states)}")
    effects = collections.Counter((node.root / "effects").read_text().split())
    assert max(effects.values()) == 1
    for number, seen in ended.items():
        assert (await asked(node.hub, "GET", f"/v1/calls/{seen['id']}"))["state"] == seen["state"]
        if seen["state"] == "done":
            assert effects[f"m{number}"] == 1
