"""Run benchmarks by name, or all; print each figure beside the bar of the design."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from .machine import stamp

NAMES = ("appends", "fanout", "publisher", "history", "idle", "gateway", "start", "command", "calls")
RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    """Run the named benchmarks and merge their figures into the results."""
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    results["machine"] = stamp()
    for name in sys.argv[1:] or NAMES:
        print(f"== {name}", flush=True)
        figures = importlib.import_module(f"benchmarks.{name}").measure()
        for figure, value in figures.items():
            print(f"   {figure}: {value}", flush=True)
        results[name] = figures
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
