"""The client half of RFC 6455 as bytes: it can also send what the RFC forbids."""

import asyncio
import base64
import os
import struct

from faults.hostile import ANSWER_S, Wire
from faults.hub import Hub

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True) -> bytes:
    """Return one frame; every rule can be broken."""
    size = len(payload)
    head = bytes([(fin << 7) | (rsv << 4) | opcode])
    if size < 126:
        head += bytes([(mask << 7) | size])
    elif size < 65_536:
        head += bytes([(mask << 7) | 126]) + struct.pack("!H", size)
    else:
        head += bytes([(mask << 7) | 127]) + struct.pack("!Q", size)
    if not mask:
        return head + payload
    key = os.urandom(4)
    repeated = (key * (size // 4 + 1))[:size]
    return head + key + (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


class Socket:
    """One WebSocket on the hub."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    @classmethod
    async def open(cls, hub: Hub, subprotocol: str = "") -> "Socket":
        wire = await Wire.open(hub)
        wanted = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
        head = (
            f"GET /v1/attach HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\nAuthorization: Bearer {hub.token}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n{wanted}\r\n"
        )
        answer = await wire.ask(head.encode())
        assert answer is not None, "no answer to a handshake"
        assert answer.status == 101, answer
        return cls(wire)

    def send(self, payload: bytes) -> None:
        """Send one text message."""
        self.wire.writer.write(frame(TEXT, payload))

    async def receive(self) -> tuple[int, bytes] | None:
        """Return the next frame of the hub as (opcode, payload); None at the end of the stream."""
        reader = self.wire.reader
        try:
            async with asyncio.timeout(ANSWER_S):
                first, second = await reader.readexactly(2)
                assert first & 0x70 == 0, "the hub has agreed on no extension"
                assert not second & 0x80, "a server does not mask"
                size = second
                if second == 126:
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                elif second == 127:
                    (size,) = struct.unpack("!Q", await reader.readexactly(8))
                return first & 0x0F, await reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def until_end(self) -> list[tuple[int, bytes]]:
        """Return every frame up to the end of the stream."""
        frames: list[tuple[int, bytes]] = []
        while (got := await self.receive()) is not None:
            frames.append(got)
        return frames
