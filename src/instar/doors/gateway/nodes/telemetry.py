"""How a node says that it is: of Moltis and of OpenClaw, as the hub keeps it, and back."""

from collections.abc import Sequence
from typing import Any

from instar.wire.nodes import Disk, Provider, Runtime, Telemetry

from .results import items, members

NUMBER_MAX = 2**53
NAMES_MAX = 64
"""Runtimes of one report."""


def of_moltis(payload: object, providers: Sequence[Provider]) -> Telemetry:
    """Return a `node.telemetry`; whose it is, is settled by the socket, whatever name stands in it."""
    told = members(payload)
    memory, disk = members(told.get("mem")), members(told.get("disk"))
    names = [one[:64] for one in items(told.get("runtimes"))[:NAMES_MAX] if isinstance(one, str) and one]
    return Telemetry(
        cpu_count=_count(told.get("cpuCount")),
        cpu_percent=_number(told.get("cpuUsage")),
        memory_total_bytes=_count(memory.get("total")),
        memory_available_bytes=_count(memory.get("available")),
        disks=_disks(disk.get("total"), disk.get("available")),
        uptime_s=_number(told.get("uptime")),
        runtimes=[Runtime(name) for name in names],
        providers=list(providers),
    )


def of_openclaw(payload: object) -> Telemetry:
    """Return a `node.host.stats`."""
    told = members(payload)
    return Telemetry(
        cpu_count=_count(told.get("cpuCount")),
        memory_total_bytes=_count(told.get("memoryTotalBytes")),
        memory_available_bytes=_count(told.get("memoryFreeBytes")),
        disks=_disks(told.get("diskTotalBytes"), told.get("diskAvailableBytes")),
        load=[_number(one) for one in items(told.get("loadAverage"))[:3]],
    )


def in_moltis(telemetry: Telemetry, *, is_stale: bool) -> dict[str, Any]:
    """Return telemetry as `node.list` of Moltis shows it."""
    disk = telemetry.disks[0] if telemetry.disks else None
    return {
        "memTotal": telemetry.memory_total_bytes or None,
        "memAvailable": telemetry.memory_available_bytes or None,
        "cpuCount": telemetry.cpu_count or None,
        "cpuUsage": telemetry.cpu_percent,
        "uptimeSecs": int(telemetry.uptime_s),
        "services": [],
        "diskTotal": disk.total_bytes if disk else None,
        "diskAvailable": disk.available_bytes if disk else None,
        "runtimes": [one.name for one in telemetry.runtimes],
        "stale": is_stale,
    }


def in_openclaw(telemetry: Telemetry, at_ms: int) -> dict[str, Any] | None:
    """Return telemetry as `hostStats` of OpenClaw; None where it would not be one."""
    if not (telemetry.cpu_count and telemetry.memory_total_bytes):
        return None
    stats: dict[str, Any] = {
        "cpuCount": telemetry.cpu_count,
        "memoryTotalBytes": telemetry.memory_total_bytes,
        "memoryFreeBytes": min(telemetry.memory_available_bytes, telemetry.memory_total_bytes),
        "updatedAtMs": at_ms,
    }
    if len(telemetry.load) == 3:
        stats["loadAverage"] = telemetry.load
    if telemetry.disks:
        stats["diskTotalBytes"] = telemetry.disks[0].total_bytes
        stats["diskAvailableBytes"] = min(telemetry.disks[0].available_bytes, telemetry.disks[0].total_bytes)
    return stats


def _disks(total: object, available: object) -> list[Disk]:
    return [Disk("/", size, _count(available))] if (size := _count(total)) else []


def _number(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= NUMBER_MAX else 0.0  # pyright: ignore[reportOperatorIssue, reportArgumentType]


def _count(value: object) -> int:
    return int(_number(value))
