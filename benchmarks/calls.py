"""Calls on the hub's own machine: there and back, how many a second, how fast output streams; and idle nodes.

The process of this benchmark, the hub and the node share the machine; approvals are answered by one rule.
"""

import asyncio
import statistics
import subprocess
import time
from typing import Any

from instar.base.errors import InstarError
from instar.client.http import Client
from instar.client.link import Link
from instar.client.serving import NodeConnection, open_node
from instar.wire.execution import Declaration
from instar.wire.nodes import Disk, Telemetry

from .hub import RunningHub, running

ROUNDS = 300
IN_FLIGHT = 64
NOOPS = 5_000
STREAM_BYTES = 67_108_864
NODES = 500
WATCHED_S = 60.0
REPORT = Telemetry(
    cpu_count=8, cpu_percent=12.5, cpu_percents=[12.5] * 8, memory_total_bytes=2**34, memory_available_bytes=2**33,
    disks=[Disk("/", 2**38, 2**37), Disk("/home", 2**39, 2**38)], load=[0.5, 0.4, 0.3], uptime_s=86_400.0,
)  # fmt: skip


class Idle:
    """A node that is never asked anything."""

    async def asked(self, method: str, params: bytes, stream: int) -> Any:  # noqa: ANN401, ARG002 - the shape of Service
        """Refuse."""
        raise InstarError("command_refused", f"{method} is not measured")

    def told(self, method: str, params: bytes) -> None:
        """Take no note."""

    def received(self, stream: int, channel: int, offset: int, content: bytes) -> None:
        """Take no note."""

    def granted(self, stream: int, channel: int, upto: int) -> None:
        """Take no note."""


def measure() -> dict[str, Any]:
    """Return the figures of one hub with its local node, and of one with 500 nodes that only report."""
    with running("--set", "limits.streams_per_principal=2000") as hub:
        figures = asyncio.run(_local(hub))
    with running() as hub:
        return {**figures, **asyncio.run(_idle(hub))}


def _client(hub: RunningHub) -> Client:
    return Client(f"http://127.0.0.1:{hub.port}", hub.token_file().read_text().strip())


async def _local(hub: RunningHub) -> dict[str, Any]:
    client = _client(hub)
    client.invoke("approvals.add_rule", {"rule": {"tool": "*", "value": "*", "action": "allow"}})
    async with Link(client.url, hub.token_file().read_text().strip(), feed=False) as link:
        await _call(link, "ping", {})
        bare = _quantiles([_bare() for _ in range(ROUNDS)])
        trips = _quantiles([await _timed(link, "exec", {"argv": ["true"]}) for _ in range(ROUNDS)])
        noop = _quantiles([await _timed(link, "ping", {}) for _ in range(ROUNDS)])
        cpu_s = hub.cpu_s()
        per_s = await _flood(link)
        cpu_s = hub.cpu_s() - cpu_s
        streamed = await _stream(link)
    return {
        "bare_true_ms": bare,
        "call_true_ms": trips,
        "over_bare_p50_ms": round(trips["p50"] - bare["p50"], 2),
        "bar_over_bare_p50_ms": 3.0,
        "noop_ms": noop,
        "noop_per_s": round(per_s),
        "noop_hub_cpu_ms_each": round(1000 * cpu_s / NOOPS, 3),
        "bar_noop_per_s": 1_000,
        "streamed_mb_per_s": round(streamed / 1e6, 1),
        "bar_streamed_mb_per_s": 50,
    }


def _bare() -> float:
    began = time.perf_counter()
    subprocess.run(["true"], check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - began


async def _call(link: Link, tool: str, args: dict[str, Any]) -> dict[str, Any]:
    call = await link.call("calls.start", {"tool": tool, "args": args, "target": "local", "wait": 30})
    if call["state"] != "done":
        raise RuntimeError(f"{tool} ended {call['state']}: {call.get('error')}")
    return call


async def _timed(link: Link, tool: str, args: dict[str, Any]) -> float:
    began = time.perf_counter()
    await _call(link, tool, args)
    return time.perf_counter() - began


async def _flood(link: Link) -> float:
    left = iter(range(NOOPS))

    async def work() -> None:
        for _ in left:
            await _call(link, "ping", {})

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return NOOPS / (time.perf_counter() - began)


async def _stream(link: Link) -> float:
    """Return bytes a second from a process that writes as fast as it is let, to one who watches."""
    argv = ["head", "-c", str(STREAM_BYTES), "/dev/zero"]
    began = time.perf_counter()
    call = await link.call("calls.start", {"tool": "exec", "args": {"argv": argv}, "target": "local"})
    came = 0
    async with link.watch(call["id"]) as watch:
        async for output in watch.outputs():
            came += len(output.content)
    if came != STREAM_BYTES:
        raise RuntimeError(f"{came} of {STREAM_BYTES} bytes came")
    return came / (time.perf_counter() - began)


async def _idle(hub: RunningHub) -> dict[str, Any]:
    """Return what connected nodes cost that report every 30 s."""
    client = _client(hub)
    before = hub.memory_bytes()
    nodes = [await _join(client, number) for number in range(NODES)]
    try:
        memory = hub.memory_bytes() - before
        began, cpu_s = time.perf_counter(), hub.cpu_s()
        reports = int(NODES * WATCHED_S / 30.0)
        for number in range(reports):
            await asyncio.sleep(max(0.0, began + number * WATCHED_S / reports - time.perf_counter()))
            nodes[number % NODES].report(REPORT)
        await asyncio.sleep(max(0.0, began + WATCHED_S - time.perf_counter()))
        share = (hub.cpu_s() - cpu_s) / (time.perf_counter() - began)
    finally:
        for node in nodes:
            await node.close()
    return {
        "nodes": NODES,
        "nodes_core_percent": round(100 * share, 2),
        "bar_nodes_core_percent": 10,
        "kib_per_node": round(memory / 1024 / NODES, 1),
    }


async def _join(client: Client, number: int) -> NodeConnection:
    code = client.invoke("pairing.code", {"scopes": ["node"], "role": "node", "name": f"node {number}"})["code"]
    token = Client(client.url, "").invoke("devices.use_code", {"code": code})["token"]
    declaration = Declaration(name=f"node {number}", platform="linux", version="1", commands=["exec", "shell"])
    node = await open_node(client.url, token, declaration, Idle())
    return await node.__aenter__()


def _quantiles(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50": round(1000 * cuts[49], 2), "p99": round(1000 * cuts[98], 2)}
