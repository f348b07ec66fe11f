"""A subscriber that stops reading beside healthy ones: they lose nothing, it is closed, and resumes without loss."""

import asyncio
import json
from pathlib import Path

from faults.hub import Http, Hub, make_room, message

MESSAGES = 4_000
TEXT = "x" * 4_000


async def stream(hub: Hub, last: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open the event stream; the kernel's buffers are kept small, so that a frozen reader shows soon."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=1 << 16)
    resume = f"Last-Event-ID: {last}\r\n" if last else ""
    writer.write(
        f"GET /v1/events/stream HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\n"
        f"Authorization: Bearer {hub.token}\r\n{resume}\r\n".encode()
    )
    await reader.readuntil(b": stream-open")
    return reader, writer


async def messages_until(reader: asyncio.StreamReader, last_id: str) -> list[str]:
    """Return the ids of the messages that the stream brings, up to `last_id`."""
    found: list[str] = []
    while not found or found[-1] != last_id:
        line = await reader.readline()
        if not line:
            break
        if line.startswith(b"data:"):
            event = json.loads(line[5:])
            if event["type"] == "message.created":
                found.append(event["message"]["id"])
    return found


async def test_the_healthy_lose_nothing_and_the_frozen_resumes(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "hub")
    await hub.start()
    await make_room(hub)
    frozen_reader, frozen_writer = await stream(hub)
    healthy = [await stream(hub) for _ in range(4)]
    sent = [f"m-{number}" for number in range(MESSAGES)]
    listening = [asyncio.create_task(messages_until(reader, sent[-1])) for reader, _ in healthy]
    http = Http(hub)
    for first in range(0, MESSAGES, 100):
        batch = [message(message_id, TEXT) for message_id in sent[first : first + 100]]
        status, answer = await http.ask("POST", "/v1/messages/batch", {"messages": batch})
        assert status == 202, answer
    assert await asyncio.gather(*listening) == [sent] * len(healthy)

    got = await messages_until(frozen_reader, sent[-1])
    assert got == sent[: len(got)], "the frozen reader has a hole"
    if got != sent:
        assert got, "it was closed before it saw anything"
        resumed_reader, resumed_writer = await stream(hub, await _event_id(http, got[-1]))
        assert await messages_until(resumed_reader, sent[-1]) == sent[len(got) :]
        resumed_writer.close()
    for _, writer in [*healthy, (frozen_reader, frozen_writer)]:
        writer.close()
    http.close()
    await hub.stop()
    assert "Traceback" not in hub.log()


async def _event_id(http: Http, message_id: str) -> str:
    """Return the id of the event that stored a message: the hub answers a repeated send with the first ids."""
    _, answer = await http.ask("POST", "/v1/messages", message(message_id, TEXT))
    return answer["event_id"]
