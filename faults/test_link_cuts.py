"""R-12: a node's link is cut at random points of calls. Each call ends once; what it does is done at most once."""

import asyncio
import collections
import contextlib
import hashlib
import os
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from faults.hub import Http, Hub
from faults.nodes import Cutter, allow_all, let_in
from instar.node import link
from instar.node.config import NodeFolder
from instar.node.main import serve

IS_LONG = bool(os.environ.get("INSTAR_FAULTS_LONG"))
CUTS = int(os.environ.get("INSTAR_FAULTS_CUTS", "2000" if IS_LONG else "100"))
AT_ONCE = 6
"""Calls under way at each cut."""
OVER = {"done", "failed", "cancelled", "expired", "lost"}
LINES = (
    "echo {mark} >> effects",
    "echo {mark} >> effects; head -c 400000 /dev/zero",
    "echo {mark} >> effects; sleep 0.1; echo late",
    "head -c 2000000 /dev/zero; echo {mark} >> effects",
    "sleep 0.05; echo {mark} >> effects; exit 3",
)
SIZES = (0, 400_000, 5, 2_000_000, 0)


class Node:
    """A node in this process, and its way to the hub."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.cutter = Cutter(hub)
        self.root = folder / "root"
        self.hub = hub
        self._folder = NodeFolder(folder / "node")
        self._serving: asyncio.Task[int] | None = None

    async def start(self) -> None:
        self.root.mkdir()
        await self.cutter.start()
        config = await asyncio.to_thread(let_in, self.hub, self._folder, self.root, self.cutter.port)
        self._serving = asyncio.ensure_future(serve(self._folder, config, {}))

    async def connected(self) -> None:
        """Wait until the hub has the node: a fault is to strike a call, not the search for its target."""
        while True:
            nodes = (await asked(self.hub, "GET", "/v1/nodes?connected=true"))["nodes"]
            if any(each["name"] == "faults" for each in nodes):
                return

    async def stop(self) -> None:
        assert self._serving is not None
        self._serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._serving
        await self.cutter.close()

    def effects(self) -> collections.Counter[str]:
        path = self.root / "effects"
        return collections.Counter(path.read_text().split()) if path.exists() else collections.Counter()


@pytest.fixture
async def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    monkeypatch.setattr(link, "NODE_RECONNECT_BASE_S", 0.02)
    hub = Hub(tmp_path / "hub")
    await hub.start()
    await asyncio.to_thread(allow_all, hub)
    made = Node(hub, tmp_path)
    await made.start()
    yield made
    await made.stop()
    await hub.stop()
    assert "Traceback" not in hub.log()


async def asked(hub: Hub, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401 - JSON
    http = Http(hub)
    try:
        status, answer = await http.ask(method, path, body)
    finally:
        http.close()
    assert status in (200, 201), answer
    return answer


async def call(hub: Hub, number: int, if_away: str, lines: Sequence[str] = LINES) -> dict[str, Any]:
    """Ask for a call and wait for its end."""
    line = lines[number % len(lines)].format(mark=f"m{number}")
    body = {"tool": "shell", "args": {"command": line}, "target": "faults", "if_away": if_away, "timeout_s": 60}
    begun = await asked(hub, "POST", "/v1/calls", body)
    assert begun["state"] != "awaiting_approval", begun
    while begun["state"] not in OVER:
        begun = await asked(hub, "GET", f"/v1/calls/{begun['id']}?wait=20")
    return begun


@pytest.mark.timeout(60 + CUTS * 2)
async def test_each_call_ends_once_whenever_the_link_is_cut(node: Node, seed: int) -> None:
    print(f"{CUTS} cuts")
    chance = random.Random(seed)
    hub = node.hub
    ended: dict[int, dict[str, Any]] = {}
    number = 0
    while node.cutter.cuts < CUTS:
        await node.connected()
        batch = range(number, number + AT_ONCE)
        number += AT_ONCE
        calls = [asyncio.ensure_future(call(hub, each, chance.choice(("fail", "queue")))) for each in batch]
        for _ in range(chance.randint(1, 3)):
            await asyncio.sleep(chance.uniform(0, 0.12))  # the moment of the fault, not a wait for luck
            node.cutter.cut()
        for each, task in zip(batch, calls, strict=True):
            ended[each] = await task
    await check(node, ended)
    states = collections.Counter(each["state"] for each in ended.values())
    print(f"{node.cutter.cuts} cuts, {len(ended)} calls: {dict(states)}")
    assert states["done"] > 0


INPUT_PIECES = 24
INPUT_PIECE = 500_000


async def test_input_comes_whole_and_once_whenever_the_link_is_cut(node: Node) -> None:
    hub = node.hub
    await node.connected()
    body = {"tool": "exec", "args": {"argv": ["sha256sum"]}, "target": "faults", "if_away": "queue", "has_input": True}
    begun = await asked(hub, "POST", "/v1/calls", body)
    digest, http = hashlib.sha256(), Http(hub)
    try:
        for piece in range(INPUT_PIECES):
            content = random.Random(piece).randbytes(INPUT_PIECE)
            digest.update(content)
            if piece % 5 == 3:
                node.cutter.cut()
            eof = "&eof=true" if piece == INPUT_PIECES - 1 else ""
            path = f"/v1/calls/{begun['id']}/input?offset={piece * INPUT_PIECE}{eof}"
            status, answer = await http.ask("POST", path, content)
            assert status == 200, answer
    finally:
        http.close()
    while begun["state"] not in OVER:
        begun = await asked(hub, "GET", f"/v1/calls/{begun['id']}?wait=20")
    assert (begun["state"], begun["stdout"]) == ("done", f"{digest.hexdigest()}  -\n")


async def check(node: Node, ended: dict[int, dict[str, Any]]) -> None:
    hub, effects = node.hub, node.effects()
    assert max(effects.values()) == 1, [mark for mark, count in effects.items() if count > 1]
    for number, seen in ended.items():
        now = await asked(hub, "GET", f"/v1/calls/{seen['id']}")
        assert now["state"] == seen["state"], f"call {number} ended twice"
        done = effects[f"m{number}"]
        if seen["state"] == "done":
            assert done == 1
            assert seen.get("exit_status") == (3 if number % len(LINES) == 4 else 0)
            sizes = {each["channel"]: each["size_bytes"] for each in seen.get("streams", [])}
            assert sizes.get(1, 0) == SIZES[number % len(LINES)]
    finals = collections.Counter(await endings(hub))
    assert all(finals[seen["id"]] == 1 for seen in ended.values())


async def endings(hub: Hub) -> list[str]:
    """Return the ids of calls as their end stands in the log."""
    found: list[str] = []
    cursor, has_more = "0", True
    while has_more:
        page = await asked(hub, "GET", f"/v1/events?after={cursor}&limit=500")
        found += [
            str(event.get("call_id") or event["call"]["id"])
            for event in page["events"]
            if event["type"] == "call.ended"
        ]
        cursor, has_more = page["cursor"], page["has_more"]
    return found
