"""CPU time of `instar send` and `instar --help` as processes, beside the bare interpreter."""

import os
import resource
import subprocess
import sys
from typing import Any

from .hub import INSTAR, running

RUNS = 15


def cpu_ms(words: list[str], environment: dict[str, str]) -> float:
    """Return the median CPU milliseconds of a command."""
    spent: list[float] = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, env=environment, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000)
    return round(sorted(spent)[RUNS // 2], 1)


def measure() -> dict[str, Any]:
    """Return the milliseconds and the ratio to the bare interpreter."""
    with running() as hub:
        environment = {**os.environ, "INSTAR_URL": f"http://127.0.0.1:{hub.port}", "INSTAR_DATA_DIR": str(hub.data_dir)}
        bare = cpu_ms([sys.executable, "-c", "pass"], environment)
        send = cpu_ms([str(INSTAR), "send", "general", "hello"], environment)
        text = cpu_ms([str(INSTAR), "--help"], environment)
    return {
        "bare_interpreter_ms": bare,
        "send_ms": send,
        "help_ms": text,
        "send_over_bare": round(send / bare, 1),
        "bar_send_ms": 150,
    }
