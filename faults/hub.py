"""A hub in a process of its own, that may be killed at any moment and started again on the same data."""

import asyncio
import contextlib
import json
import signal
import sys
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any, ClassVar

INSTAR = Path(sys.executable).parent / "instar"
START_S = 20.0
ROOM = "faults"
"""A room of its own: in `general` the built-in agent would answer."""


class Hub:
    """One data directory and, at times, a process on it."""

    started: ClassVar[list["Hub"]] = []

    def __init__(self, data_dir: Path, *flags: str, log: Path | None = None) -> None:
        self.data_dir = data_dir
        self._flags = flags
        self._log = log or data_dir.with_name(f"{data_dir.name}.log")
        self.process: Process | None = None
        self.port = 0

    async def start(self) -> None:
        """Start the process and wait until it says that it is ready; the port stays the same over restarts."""
        words = [
            "start",
            "--json",
            "--listen",
            f"127.0.0.1:{self.port}",
            "--data-dir",
            str(self.data_dir),
            *self._flags,
        ]
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                str(INSTAR), *words, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        Hub.started.append(self)
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), START_S)
        announced = json.loads(line)
        assert "url" in announced, announced
        self.port = int(announced["url"].rstrip("/").rpartition(":")[2])

    @property
    def token(self) -> str:
        """The local operator's token."""
        return (self.data_dir / "local-grant").read_text().strip()

    def log(self) -> str:
        """Return what the hub has logged so far."""
        return self._log.read_text()

    async def kill(self) -> None:
        """End the process at once, as `kill -9` does."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> None:
        """End the process in order."""
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), START_S)


class Http:
    """One keep-alive HTTP/1.1 connection; broken by design whenever the hub dies."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:  # noqa: ANN401 - JSON
        """Send a request (a body of bytes as it is); return status and decoded body.

        Raises:
            OSError, asyncio.IncompleteReadError: The hub is gone; whether the request took effect is unknown.
        """
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._hub.port, limit=1 << 24)
        reader, writer = self._streams
        payload = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._hub.port}\r\n"
            f"Authorization: Bearer {self._hub.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        try:
            writer.write(head.encode() + payload)
            status_line = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in status_line.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            content = await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            raise
        return int(status_line.split(b" ", 2)[1]), json.loads(content) if content else None

    def close(self) -> None:
        """Drop the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def all_messages(hub: Hub, room: str = ROOM) -> list[dict[str, Any]]:
    """Return every message of a room, oldest first, page by page."""
    http = Http(hub)
    messages: list[dict[str, Any]] = []
    path = f"/v1/rooms/{room}/messages?limit=500"
    status, page = await http.ask("GET", path)
    while True:
        assert status == 200, page
        messages[:0] = page["messages"]
        if not page["page"]["has_more"]:
            http.close()
            return messages
        status, page = await http.ask("GET", f"{path}&before={page['page']['next_before']}")


def message(message_id: str, text: str) -> dict[str, Any]:
    """Return the body of a send into the room of the faults."""
    return {
        "id": message_id,
        "target": {"kind": "room", "room_id": ROOM},
        "parts": [{"kind": "text", "text": text}],
    }


async def make_room(hub: Hub) -> None:
    """Make the room of the faults."""
    http = Http(hub)
    status, answer = await http.ask("POST", "/v1/rooms", {"id": ROOM})
    assert status == 201, answer
    http.close()
