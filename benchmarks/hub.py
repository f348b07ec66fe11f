"""A hub to measure: started as a user would, on a fresh data directory on the disk, in a process of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

INSTAR = Path(sys.executable).parent / "instar"
TICKS = os.sysconf("SC_CLK_TCK")


class RunningHub(NamedTuple):
    """A hub that answers."""

    pid: int
    port: int
    data_dir: Path
    ready_s: float

    def cpu_s(self) -> float:
        """Return the CPU seconds that its process has used, all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_bytes(self, kind: str = "Pss") -> int:
        """Return its proportional (`Pss`) or resident (`Rss`) memory."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) * 1024
        raise LookupError(kind)

    def token_file(self) -> Path:
        """Return the file that holds the local operator's token."""
        return self.data_dir / "local-grant"


@contextlib.contextmanager
def running(*flags: str, data_dir: Path | None = None) -> Iterator[RunningHub]:
    """Run a hub until the block ends; its data goes with it unless a directory was given."""
    with tempfile.TemporaryDirectory(prefix="instar-bench-", dir=os.environ.get("INSTAR_BENCH_DIR")) as fresh:
        home = data_dir or Path(fresh)
        began = time.monotonic()
        command = [str(INSTAR), "start", "--json", "--listen", "127.0.0.1:0", "--data-dir", str(home), *flags]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        try:
            announced = json.loads(process.stdout.readline())
            ready_s = time.monotonic() - began
            port = int(announced["url"].rpartition(":")[2].rstrip("/"))
            yield RunningHub(process.pid, port, home, ready_s)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
