"""From the command to ready, on an empty data directory."""

from typing import Any

from .hub import running

RUNS = 7


def measure() -> dict[str, Any]:
    """Return the seconds of a first start, median and worst of some runs."""
    spent: list[float] = []
    for _ in range(RUNS):
        with running() as hub:
            spent.append(hub.ready_s)
    spent.sort()
    return {"median_s": round(spent[RUNS // 2], 3), "worst_s": round(spent[-1], 3), "bar_s": 1}
