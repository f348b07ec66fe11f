"""History pages of 50 in a room of 1,000,000 messages: over HTTP and in the store; and start with that many events."""

import asyncio
import http.client
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from instar.base.clock import now
from instar.store import log
from instar.store.seam import Draft
from instar.store.sqlite import open_store
from instar.wire.events import RoomKey, message_event_id
from instar.wire.messages import Actor, Message, Origin, Part, PartKind, Target, TargetKind

from .hub import RunningHub, running

MESSAGES = 1_000_000
BATCH = 2_000
PAGES = 2_000
GENERAL = RoomKey("room:general")


def quantiles_ms(seconds: list[float]) -> dict[str, float]:
    """Return p50 and p99 in milliseconds."""
    ordered = sorted(seconds)
    return {
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 3),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 3),
    }


def message(number: int) -> Draft:
    """Return a message of about 400 bytes as the hub stores it."""
    message_id = f"load-{number}"
    body = Message(
        id=message_id,
        network_id="local",
        origin=Origin("local", message_id),
        target=Target(kind=TargetKind.ROOM, room_id="general"),
        from_=Actor("human", "operator", "Operator", "local", "molt://local/agents/operator"),
        parts=[Part(kind=PartKind.TEXT, text=f"message {number} " + "x" * 150)],
        created_at="2026-01-01T00:00:00Z",
    )
    payload = msgspec.json.encode(body)
    return Draft(GENERAL, message_event_id(message_id), "message.created", payload, now(), "operator", counted=True)


async def fill(data_dir: Path) -> dict[str, Any]:
    """Append the messages to the store of a stopped hub; return the rate and the page times in the store."""
    store = await open_store(data_dir)
    began = time.monotonic()
    for first in range(0, MESSAGES, BATCH):
        await store.append([message(number) for number in range(first, first + BATCH)])
    took = time.monotonic() - began
    last = await store.last_seq()
    spent: list[float] = []
    for _ in range(PAGES):
        edge = random.randint(1, last)
        at = time.perf_counter()
        await store.read(
            lambda reader, edge=edge: log.before(reader, edge, 50, rooms=[GENERAL], kind="message.created")
        )
        spent.append(time.perf_counter() - at)
    await store.close()
    return {"fill_per_s": round(MESSAGES / took), "store": quantiles_ms(spent)}


def page_times(hub: RunningHub) -> dict[str, float]:
    """Return how long pages of 50 at random places take over HTTP."""
    connection = http.client.HTTPConnection("127.0.0.1", hub.port)
    headers = {"Authorization": f"Bearer {hub.token_file().read_text().strip()}"}
    spent: list[float] = []
    for _ in range(PAGES):
        before = f"load-{random.randrange(MESSAGES)}"
        at = time.perf_counter()
        connection.request("GET", f"/v1/rooms/general/messages?limit=50&before={before}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        spent.append(time.perf_counter() - at)
        assert answer.status == 200, body
    assert len(json.loads(body)["messages"]) <= 50
    return quantiles_ms(spent)


def measure() -> dict[str, Any]:
    """Return page times and start times, empty and with a million events."""
    with tempfile.TemporaryDirectory(prefix="instar-bench-") as folder:
        home = Path(folder)
        with running(data_dir=home) as hub:
            empty_s = hub.ready_s
        figures = asyncio.run(fill(home))
        with running(data_dir=home) as hub:
            figures |= {"http": page_times(hub), "bar_http_p99_ms": 15}
            figures |= {
                "start_first_s": round(hub.ready_s, 2),
                "resident_mib": round(hub.memory_bytes("Rss") / 1024**2, 1),
            }
        with running(data_dir=home) as hub:
            figures |= {"start_empty_s": round(empty_s, 2), "start_full_s": round(hub.ready_s, 2), "bar_full_s": 2}
    return figures
