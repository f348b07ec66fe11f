"""The stamp of the machine that figures belong to."""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path


def stamp() -> dict[str, str]:
    """Return what a reader needs to compare figures: only those of one stamp compare."""
    memory_kib = next(
        int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")
    )
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpus": str(os.cpu_count()),
        "cpu": model,
        "memory_gib": f"{memory_kib / 1024**2:.0f}",
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
    }
