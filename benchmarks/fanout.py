"""64 HTTP publishers, 100 and 1,000 attached readers that each receive all: durable acknowledgements and deliveries.

The acknowledgement mode of the readers: one cumulative ACK each 250 ms. The hub runs on the first CPU's share of the
scheduler like everybody else: the load client competes with it for the same two cores.
"""

import http.client
import json
import subprocess
from pathlib import Path
from typing import Any

from .hub import running

SOURCE = Path(__file__).parent / "loadclient.c"
CLIENT = Path(__file__).parent / "bin" / "loadclient"
SECONDS = 8.0
WARMUP_S = 2.0
ACK_MS = 250
ROOM = "load"
ROUNDS = 3


def build() -> Path:
    """Compile the load client if its source is newer; return its path."""
    if not CLIENT.is_file() or CLIENT.stat().st_mtime < SOURCE.stat().st_mtime:
        CLIENT.parent.mkdir(exist_ok=True)
        subprocess.run(["cc", "-O2", "-o", str(CLIENT), str(SOURCE)], check=True)
    return CLIENT


def make_room(port: int) -> None:
    """Make a room of its own for the load: in `general` the built-in agent would answer every message."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = json.dumps({"id": ROOM, "visibility": "public"})
    connection.request("POST", "/v1/rooms", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    connection.close()


def load(subs: int, pubs: int, seconds: float = SECONDS, *flags: str) -> dict[str, Any]:
    """Run one load against a fresh hub and return the client's figures with the hub's CPU time per second."""
    with running("--auth-mode", "none", *flags) as hub:
        make_room(hub.port)
        before = hub.cpu_s()
        words = [str(build()), str(hub.port), str(subs), str(pubs), str(seconds), str(WARMUP_S), ROOM, str(ACK_MS)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        if not done.stdout:
            raise RuntimeError(done.stderr)
        figures: dict[str, Any] = json.loads(done.stdout)
        figures["hub_cpu_s"] = round(hub.cpu_s() - before, 2)
        if done.returncode:
            figures["complaint"] = done.stderr.strip()[-300:]
        return figures


def measure() -> dict[str, Any]:
    """Return the best of some rounds for each number of readers, and the ratio of deliveries to acknowledgements."""
    figures: dict[str, Any] = {}
    for subs in (1, 100, 1000):
        rounds = [load(subs, 64) for _ in range(ROUNDS)]
        best = max(rounds, key=lambda each: each["acks_per_s"])
        best["acks_per_s_of_rounds"] = [each["acks_per_s"] for each in rounds]
        best["lost_of_rounds"] = [each["lost"] for each in rounds]
        figures[f"{subs}_readers"] = best
    return figures
