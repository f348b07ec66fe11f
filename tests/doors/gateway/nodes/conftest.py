"""Nodes of the dialects that were let in, permitted something, and serve."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.moltis.node import Node
from conformance.openclaw.app_node import AppNode
from tests.doors.gateway.serving import SECRET, Serving, serving


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Serving]:
    """A hub with a shared secret, whose pairing window is open."""
    async with serving(tmp_path / "data", auth__token=SECRET, pairing__auto_approve="off") as running:
        await running.ask("POST", "/v1/pairing/open", {"for_s": 300})
        yield running


class Machine:
    """A node that was let in, with the hub's view of it."""

    def __init__(self, hub: Serving, node: Node | AppNode, node_id: str) -> None:
        self.hub = hub
        self.node: Any = node
        self.id = node_id
        self.task = asyncio.ensure_future(node.serve())

    async def permit(self, *commands: str) -> Any:
        return await self.hub.ask("PUT", f"/v1/nodes/{self.id}/permit", {"permit": {"commands": list(commands)}})

    async def seen(self) -> Any:
        return await self.hub.ask("GET", f"/v1/nodes/{self.id}")

    async def call(self, tool: str, wait: float = 10, **more: Any) -> Any:
        body = {"tool": tool, "target": self.id, "wait": wait, **more}
        return await self.hub.ask("POST", "/v1/calls", body)

    async def pending(self) -> Any:
        """Return the one approval that waits."""
        listed = await self.hub.ask("GET", "/v1/approvals?wait=10")
        assert len(listed["approvals"]) == 1, listed
        return listed["approvals"][0]

    async def approve(self) -> Any:
        waiting = await self.pending()
        body = {"digest": waiting["digest"]}
        return await self.hub.ask("POST", f"/v1/approvals/{waiting['id']}/approve", body)

    async def ended(self, call_id: str) -> Any:
        while True:
            call = await self.hub.ask("GET", f"/v1/calls/{call_id}?wait=10")
            if "ended_at" in call:
                return call

    async def ran(self, tool: str, **more: Any) -> Any:
        """Ask for a call, approve it, and return it when it has ended."""
        asked = await self.call(tool, wait=0, **more)
        await self.approve()
        return await self.ended(asked["id"])

    async def leave(self) -> None:
        await self.node.leave()
        await asyncio.wait({self.task}, timeout=5)


async def until(condition: Callable[[], Any]) -> None:
    """Wait until something holds that another process, or the hub, brings about."""
    async with asyncio.timeout(8):
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.01)


async def let_in(hub: Serving) -> None:
    [request] = await hub.requests()
    await hub.approve(request["id"])


async def device_id(hub: Serving, name: str) -> str:
    nodes = (await hub.ask("GET", "/v1/nodes"))["nodes"]
    return next(one["id"] for one in nodes if one["name"] == name)


@pytest.fixture
async def moltis(hub: Serving) -> AsyncIterator[Machine]:
    """A stock Moltis node that may be asked for nothing yet."""
    node = Node(f"ws://127.0.0.1:{hub.port}/ws", "node-a")
    joining = asyncio.ensure_future(node.join())
    await node.pending
    await let_in(hub)
    await joining
    machine = Machine(hub, node, await device_id(hub, "Build"))
    yield machine
    await machine.leave()


@pytest.fixture
async def phone(hub: Serving) -> AsyncIterator[Machine]:
    """An app that may be asked for nothing yet."""
    machine = await joined(hub, AppNode(f"ws://127.0.0.1:{hub.port}/", SECRET))
    yield machine
    await machine.leave()


async def joined(hub: Serving, node: AppNode) -> Machine:
    """Let an app in and return it connected."""
    refused = await node.join()
    assert refused["error"]["code"] == "NOT_PAIRED", refused
    await node.leave()
    await let_in(hub)
    answer = await node.join()
    assert answer["ok"], answer
    return Machine(hub, node, node.id)
