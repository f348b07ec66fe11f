"""How this machine is: cores, memory, disks, load, uptime, and what is installed, cheaply and off the loop.

Use of the processor is measured between one report and the next; the first report measures a tenth of a second.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from instar.base.clock import now, to_rfc3339
from instar.wire.limits import DISKS_MAX
from instar.wire.nodes import Disk, Telemetry

from .installed import Installed

FIRST_INTERVAL_S = 0.1
_NOT_DISKS = frozenset({"squashfs", "iso9660", "overlay", "tmpfs", "devtmpfs", "ramfs", "autofs", "nullfs", "erofs"})


class Sampler:
    """Takes reports.

    Args:
        environ: The node's own environment: which keys of providers there are, by name alone.
        path_env: The PATH that programs of this node get.
        calls_running: Says how many calls run.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        path_env: str,
        *,
        calls_running: Callable[[], int] = lambda: 0,
    ) -> None:
        self._installed = Installed(environ, path_env)
        self._calls_running = calls_running
        self._is_primed = False

    async def report(self) -> Telemetry:
        """Take a report. What is installed is looked up once in ten minutes, with time limits; it never raises."""
        installed = await self._installed.found()
        telemetry = await asyncio.to_thread(self._measured)
        return msgspec.structs.replace(telemetry, **installed._asdict(), calls_running=self._calls_running())

    def _measured(self) -> Telemetry:
        import psutil  # noqa: PLC0415 - 10 ms that `instar send` need not wait for

        if not self._is_primed:
            psutil.cpu_percent(percpu=True)
            time.sleep(FIRST_INTERVAL_S)
            self._is_primed = True
        cores = psutil.cpu_percent(percpu=True)
        memory = psutil.virtual_memory()
        return Telemetry(
            taken_at=to_rfc3339(now()),
            cpu_count=psutil.cpu_count() or len(cores),
            cpu_percent=round(sum(cores) / max(1, len(cores)), 1),
            cpu_percents=[round(core, 1) for core in cores],
            memory_total_bytes=memory.total,
            memory_available_bytes=memory.available,
            disks=_disks(),
            load=_load(),
            uptime_s=round(max(0.0, time.time() - psutil.boot_time()), 1),
        )


def _disks() -> list[Disk]:
    """Return each real file system once, the root first."""
    import psutil  # noqa: PLC0415 - as above

    mounts: dict[str, str] = {"/": ""}
    with suppress(OSError):
        for each in psutil.disk_partitions(all=False):
            if each.fstype not in _NOT_DISKS:
                mounts.setdefault(each.mountpoint, each.device)
    found: list[Disk] = []
    seen: set[int] = set()
    for mount in mounts:
        with suppress(OSError):
            device = os.stat(mount).st_dev  # noqa: PTH116 - many, every half minute
            usage = psutil.disk_usage(mount)
            if device not in seen and usage.total and len(found) < DISKS_MAX:
                seen.add(device)
                found.append(Disk(mount, usage.total, usage.free))
    return found


def _load() -> list[float]:
    with suppress(OSError):
        return [round(each, 2) for each in os.getloadavg()]
    return []
