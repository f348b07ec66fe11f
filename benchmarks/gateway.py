"""The gateway: round trips on one and on many sockets, handshakes, and the memory of idle connections."""

import http.client
import json
import os
import subprocess
import sys
from typing import Any

from .gatewayclient import Device, Line
from .hub import RunningHub, running

IN_FLIGHT = 64
METHODS = (
    ("health", "health", 100_000),
    ("health_probe", 'health {"probe": true}', 20_000),
    ("status", "status", 20_000),
)
"""`health` may be a minute old, so most answers are ready; with `probe` each is made anew, as that of `status` is."""
SOCKETS = (1, 16, 256)
IDLE = 2_000
ROUNDS = 3


def measure() -> dict[str, Any]:
    """Return the rates, the better of some rounds each, and the KiB of an idle connection."""
    figures: dict[str, Any] = {}
    with running() as hub:
        token = hub.token_file().read_text().strip()
        for name, method, count in METHODS:
            for sockets in SOCKETS:
                words = ("roundtrips", method, sockets, IN_FLIGHT, count)
                figures[f"{name}_{sockets}_sockets"] = _best(hub, token, *words)
        figures["handshake_token"] = _best(hub, token, "handshakes", 2_000)
        seed = os.urandom(32)
        device_token = pair(hub, seed)
        figures["handshake_signed"] = _best(hub, device_token, "handshakes", 2_000, seed=seed)
    figures["idle"] = idle()
    figures["bar_health_per_s"] = 10_000
    return figures


def _best(hub: RunningHub, token: str, *words: object, seed: bytes = b"") -> dict[str, Any]:
    """Return the fastest of some rounds of the load client, with what the hub's process spent on each."""
    rounds: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        before = hub.cpu_s()
        with _client(hub, token, *words, seed=seed) as client:
            printed, _ = client.communicate(timeout=120)
        found = json.loads(printed)
        count = int(str(words[-1]))
        rounds.append(found | {"hub_cpu_us": round((hub.cpu_s() - before) / count * 1e6, 1)})
    return max(rounds, key=lambda found: found["per_s"])


def _client(hub: RunningHub, token: str, *words: object, seed: bytes = b"") -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.gatewayclient", str(words[0]), str(hub.port)]
    secrets = {"BENCH_TOKEN": token, "BENCH_SEED": seed.hex()}
    return subprocess.Popen(
        [*command, *(str(word) for word in words[1:])], env=os.environ | secrets, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def pair(hub: RunningHub, seed: bytes) -> str:
    """Let a device in, as an operator would, and return its token."""
    _ask(hub, "POST", "/v1/pairing/open", {})
    answer = _introduced(hub, Device(seed, ""))
    if not answer["ok"]:
        (request,) = _ask(hub, "GET", "/v1/devices/requests")["requests"]
        _ask(hub, "POST", f"/v1/devices/requests/{request['id']}/approve", {"digest": request["digest"]})
        answer = _introduced(hub, Device(seed, ""))
    return answer["payload"]["auth"]["deviceToken"]


def _introduced(hub: RunningHub, device: Device) -> dict[str, Any]:
    line = Line(hub.port)
    answer = line.connect(device)
    line.close()
    return answer


def _ask(hub: RunningHub, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
    connection = http.client.HTTPConnection("127.0.0.1", hub.port)
    headers = {"Authorization": f"Bearer {hub.token_file().read_text().strip()}", "Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    if answer.status >= 300:
        raise SystemExit(told)
    return told


def idle() -> dict[str, Any]:
    """Return the KiB of a connection that says nothing, at 2,000."""
    with running() as hub:
        token = hub.token_file().read_text().strip()
        _best(hub, token, "handshakes", 50)
        before = hub.memory_bytes()
        with _client(hub, token, "idle", IDLE) as client:
            assert client.stdout is not None
            opened = int(client.stdout.readline())
            after = hub.memory_bytes()
    return {"connections": opened, "kib_per_connection": round((after - before) / 1024 / IDLE, 1)}
