"""Connections that send any bytes and check that every answer is whole and typed."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import NamedTuple

from faults.hub import Http, Hub
from instar.wire.codes import CODES

ANSWER_S = 10.0
"""No answer takes longer than this; a hub that lets a client wait for it hangs."""


class Answer(NamedTuple):
    """One response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def check(self, success: int | None = None) -> None:
        """Fail unless it is the documented success or a typed error that is no fault of the hub's."""
        if self.status < 400:
            assert self.status in {200, 201, 204, 307, success}, self
            return
        assert self.headers.get("content-type", "").startswith("application/json"), self
        if not self.body:
            return  # the answer to a HEAD
        problem = json.loads(self.body)
        code = problem["code"]
        assert code in CODES, self
        assert CODES[code].status == self.status, self
        assert self.status < 500, self
        assert problem["error"], self
        assert problem["hint"], self
        assert problem["request_id"], self


class Wire:
    """A TCP connection to the hub."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, hub: Hub) -> "Wire":
        return cls(*await asyncio.open_connection("127.0.0.1", hub.port, limit=1 << 24))

    async def ask(self, raw: bytes) -> Answer | None:
        """Send bytes and return the answer; None when the hub closed without one."""
        self.writer.write(raw)
        return await self.answer(is_head=raw.startswith(b"HEAD "))

    async def answer(self, *, is_head: bool = False) -> Answer | None:
        """Return the next response, None at the end of the stream; an interim one is passed over."""
        try:
            async with asyncio.timeout(ANSWER_S):
                while (found := await self._answer(is_head)).status == 100:
                    pass
                return found
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            if getattr(error, "partial", b""):
                raise ValueError("a response was cut off") from error
            return None

    async def _answer(self, is_head: bool) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ", 2)[1])
        if is_head or status in {100, 101, 204, 304}:
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
            return Answer(status, headers, body)
        return Answer(status, headers, await self.reader.readexactly(int(headers["content-length"])))

    async def rest(self) -> bytes:
        """Return everything up to the end of the stream."""
        async with asyncio.timeout(ANSWER_S):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read(-1)
        return b""

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


SAMPLES = 10
SAMPLE_S = 0.1


async def resting_bytes(hub: Hub) -> int:
    """Return the least memory that the hub's process held within a second.

    A password being hashed borrows 64 MiB for a moment; that is no growth, and nothing to measure growth from.
    """
    least = resident_bytes(hub)
    for _ in range(SAMPLES):
        await asyncio.sleep(SAMPLE_S)
        least = min(least, resident_bytes(hub))
    return least


def resident_bytes(hub: Hub) -> int:
    """Return how much memory the hub's process holds."""
    assert hub.process is not None
    status = Path(f"/proc/{hub.process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1_024 for line in status.splitlines() if line.startswith("VmRSS"))


async def check_health(hub: Hub) -> None:
    """Fail unless the hub serves, has met no fault and has logged no traceback."""
    http = Http(hub)
    assert (await http.ask("GET", "/readyz"))[0] == 200
    http.close()
    wire = await Wire.open(hub)
    head = f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\nAuthorization: Bearer {hub.token}\r\n\r\n"
    answer = await wire.ask(head.encode())
    assert answer is not None
    assert answer.status == 200
    await wire.close()
    faults = [line for line in answer.body.decode().splitlines() if line.startswith("instar_faults_total")]
    assert [line for line in faults if not line.endswith(" 0.0")] == [], hub.log()[-4_000:]
    assert "Traceback" not in hub.log(), hub.log()[-4_000:]
