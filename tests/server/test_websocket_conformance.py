"""The fast Autobahn groups (1-7, 10) as our own cases, against an echo session.

Non-strict, with the reason:
- 6.4.3, 6.4.4: text that goes bad in the middle of a *frame* is refused when the frame is complete, not at the bad
  byte. The frame machine hands over whole frames; a frame is at most 1 MiB, so the delay is bounded.
- 7.9.x codes 0-999 … and 3.x, 4.x in byte-wise chops: the refusal comes at the byte that completes the frame head,
  which is as early as the RFC asks.
- 7.1.5: websockets itself refuses a close between fragments with 1002; `_Frames` accepts it (RFC 6455 §5.4).
"""

import asyncio
import struct

import pytest

from .conftest import Running, Socket, StubDoor, running

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
VALID_CLOSE = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
INVALID_CLOSE = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
BAD_UTF8 = [
    "ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64",
    "80", "bf", "80 bf 80", "c0 af", "e0 80 af", "f0 80 80 af", "f8 80 80 80 af", "fc 80 80 80 80 af",
    "c1 bf", "e0 9f bf", "f0 8f bf bf", "ed a0 80", "ed bf bf", "ed a0 80 ed b0 80", "f4 90 80 80",
    "fe", "ff", "fe fe ff ff", "c0", "e0 80", "f0 80 80", "f5 80 80 80", "20 e2 82",
]  # fmt: skip
GOOD_UTF8 = [
    "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\x00", "\x80", "ࠀ", "\U00010000", "\x7f", "߿", "￿", "\U0010ffff",
    "\ud7ff", "\ue000", "�", "￾", "\U0001fffe", "\U000fffff",
]  # fmt: skip


@pytest.fixture
async def hub():
    async with running(StubDoor()) as hub:
        yield hub


async def closes_cleanly(socket: Socket) -> None:
    """Every good case ends with a clean close handshake."""
    socket.send(CLOSE, struct.pack("!H", 1000))
    assert await socket.until_end() == [(CLOSE, struct.pack("!H", 1000))]


async def is_failed_with(socket: Socket, code: int, before: list[tuple[int, bytes]] | None = None) -> None:
    """The hub says why, then ends the stream."""
    *frames, (opcode, payload) = await socket.until_end()
    assert frames == (before or [])
    assert opcode == CLOSE
    assert struct.unpack("!H", payload[:2])[0] == code


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65_535, 65_536, 1_048_576])
async def test_group_1_framing(hub: Running, opcode: int, size: int) -> None:
    async with await hub.socket() as socket:
        socket.send(opcode, b"*" * size)
        assert await socket.receive() == (opcode, b"*" * size)
        await closes_cleanly(socket)


@pytest.mark.parametrize("chop", [1, 7, 997])
async def test_group_1_chopped_on_the_way(hub: Running, chop: int) -> None:
    async with await hub.socket() as socket:
        raw = Socket.frame(TEXT, b"*" * (200 if chop == 1 else 65_536))
        for at in range(0, len(raw), chop):
            socket.raw.send(raw[at : at + chop])
            await asyncio.sleep(0)
        received = await socket.receive()
        assert received is not None
        assert received[0] == TEXT
        await closes_cleanly(socket)


@pytest.mark.parametrize("payload", [b"", b"Hello", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125])
async def test_group_2_ping_is_answered(hub: Running, payload: bytes) -> None:
    async with await hub.socket() as socket:
        socket.send(PING, payload)
        assert await socket.receive() == (PONG, payload)
        await closes_cleanly(socket)


async def test_group_2_ping_chopped_and_many(hub: Running) -> None:
    async with await hub.socket() as socket:
        for byte in Socket.frame(PING, b"x" * 125):
            socket.raw.send(bytes([byte]))
            await asyncio.sleep(0)
        assert await socket.receive() == (PONG, b"x" * 125)
        for number in range(10):
            socket.send(PING, b"%d" % number)
        assert [await socket.receive() for _ in range(10)] == [(PONG, b"%d" % number) for number in range(10)]
        await closes_cleanly(socket)


async def test_group_2_unsolicited_pongs_mean_nothing(hub: Running) -> None:
    async with await hub.socket() as socket:
        socket.send(PONG)
        socket.send(PONG, b"unsolicited")
        socket.send(PING, b"p")
        assert await socket.receive() == (PONG, b"p")
        await closes_cleanly(socket)


async def test_group_2_too_long_a_ping(hub: Running) -> None:
    async with await hub.socket() as socket:
        socket.send(PING, b"\xfe" * 126)
        await is_failed_with(socket, 1002)


@pytest.mark.parametrize("rsv", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
async def test_group_3_reserved_bits(hub: Running, rsv: int, opcode: int) -> None:
    async with await hub.socket() as socket:
        socket.send(TEXT, b"first")
        socket.send(opcode, b"" if opcode == CLOSE else b"x", rsv=rsv)
        socket.send(PING)
        await is_failed_with(socket, 1002, [(TEXT, b"first")])


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("payload", [b"", b"reserved"])
async def test_group_4_reserved_opcodes(hub: Running, opcode: int, payload: bytes) -> None:
    async with await hub.socket() as socket:
        socket.send(TEXT, b"first")
        socket.send(opcode, payload)
        socket.send(PING)
        await is_failed_with(socket, 1002, [(TEXT, b"first")])


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_group_5_control_frames_are_not_fragmented(hub: Running, opcode: int) -> None:
    async with await hub.socket() as socket:
        socket.send(opcode, b"a", fin=False)
        socket.send(CONT, b"b")
        await is_failed_with(socket, 1002)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("at_once", [True, False])
async def test_group_5_fragments_with_a_ping_between(hub: Running, opcode: int, at_once: bool) -> None:
    async with await hub.socket() as socket:
        frames = [
            Socket.frame(opcode, b"frag", fin=False),
            Socket.frame(PING, b"p1"),
            Socket.frame(CONT, b"ment", fin=False),
            Socket.frame(PING, b"p2"),
            Socket.frame(CONT, b"s"),
        ]
        for frame in [b"".join(frames)] if at_once else frames:
            socket.raw.send(frame)
            await asyncio.sleep(0)
        assert [await socket.receive() for _ in range(3)] == [(PONG, b"p1"), (PONG, b"p2"), (opcode, b"fragments")]
        await closes_cleanly(socket)


async def test_group_5_empty_fragments(hub: Running) -> None:
    async with await hub.socket() as socket:
        socket.send(TEXT, fin=False)
        socket.send(CONT, b"middle", fin=False)
        socket.send(CONT)
        assert await socket.receive() == (TEXT, b"middle")
        await closes_cleanly(socket)


@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize("before", [b"", b"text"])
async def test_group_5_a_continuation_of_nothing(hub: Running, fin: bool, before: bytes) -> None:
    async with await hub.socket() as socket:
        if before:
            socket.send(TEXT, before)
        socket.send(CONT, b"x", fin=fin)
        await is_failed_with(socket, 1002, [(TEXT, before)] if before else [])


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_group_5_a_message_inside_a_message(hub: Running, opcode: int) -> None:
    async with await hub.socket() as socket:
        socket.send(TEXT, b"a", fin=False)
        socket.send(opcode, b"b")
        await is_failed_with(socket, 1002)


@pytest.mark.parametrize("text", GOOD_UTF8)
@pytest.mark.parametrize("split", [0, 1])
async def test_group_6_valid_text(hub: Running, text: str, split: int) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    async with await hub.socket() as socket:
        if split:
            for at in range(len(raw)):
                socket.send(CONT if at else TEXT, raw[at : at + 1], fin=False)
            socket.send(CONT)
        else:
            socket.send(TEXT, raw)
        assert await socket.receive() == (TEXT, raw)
        await closes_cleanly(socket)


@pytest.mark.parametrize("sequence", BAD_UTF8)
@pytest.mark.parametrize("split", [0, 1])
async def test_group_6_invalid_text(hub: Running, sequence: str, split: int) -> None:
    raw = bytes.fromhex(sequence)
    async with await hub.socket() as socket:
        if split:
            for at in range(len(raw)):
                socket.send(CONT if at else TEXT, raw[at : at + 1], fin=False)
            socket.send(CONT)
        else:
            socket.send(TEXT, raw)
        await is_failed_with(socket, 1007)


async def test_group_6_4_bad_text_is_refused_at_its_fragment(hub: Running) -> None:
    async with await hub.socket() as socket:
        socket.send(TEXT, "κόσμε".encode(), fin=False)
        socket.send(CONT, b"\xf4\x90\x80\x80", fin=False)
        await is_failed_with(socket, 1007)


async def test_group_6_binary_may_be_anything(hub: Running) -> None:
    async with await hub.socket() as socket:
        socket.send(BINARY, b"\xff\xfe")
        assert await socket.receive() == (BINARY, b"\xff\xfe")
        await closes_cleanly(socket)


@pytest.mark.parametrize("code", VALID_CLOSE)
@pytest.mark.parametrize("reason", [b"", b"bye", "ö".encode() * 61])
async def test_group_7_close_is_echoed(hub: Running, code: int, reason: bytes) -> None:
    async with await hub.socket() as socket:
        socket.send(CLOSE, struct.pack("!H", code) + reason)
        assert await socket.until_end() == [(CLOSE, struct.pack("!H", code) + reason)]


async def test_group_7_close_without_a_code(hub: Running) -> None:
    async with await hub.socket() as socket:
        socket.send(CLOSE)
        assert await socket.until_end() == [(CLOSE, b"")]


@pytest.mark.parametrize("code", INVALID_CLOSE)
async def test_group_7_forbidden_close_codes(hub: Running, code: int) -> None:
    async with await hub.socket() as socket:
        socket.send(CLOSE, struct.pack("!H", code))
        await is_failed_with(socket, 1002)


@pytest.mark.parametrize(
    ("payload", "code"), [(b"\x03", 1002), (b"\x03\xe8" + b"*" * 124, 1002), (b"\x03\xe8\xce", 1007)]
)
async def test_group_7_malformed_close(hub: Running, payload: bytes, code: int) -> None:
    async with await hub.socket() as socket:
        socket.send(CLOSE, payload)
        await is_failed_with(socket, code)


@pytest.mark.parametrize("opcode", [TEXT, PING, CLOSE])
async def test_group_7_what_comes_after_close_is_ignored(hub: Running, opcode: int) -> None:
    async with await hub.socket() as socket:
        socket.send(CLOSE, struct.pack("!H", 1000))
        socket.send(opcode, b"" if opcode == CLOSE else b"late")
        assert await socket.until_end() == [(CLOSE, struct.pack("!H", 1000))]


async def test_group_7_close_between_fragments(hub: Running) -> None:
    async with await hub.socket() as socket:
        socket.send(TEXT, b"fragment", fin=False)
        socket.send(CLOSE, struct.pack("!H", 1000))
        socket.send(CONT, b"late")
        assert await socket.until_end() == [(CLOSE, struct.pack("!H", 1000))]


async def test_group_7_a_large_message_then_close(hub: Running) -> None:
    async with await hub.socket() as socket:
        socket.send(TEXT, b"*" * 262_144)
        socket.send(CLOSE, struct.pack("!H", 1000))
        assert await socket.until_end() == [(TEXT, b"*" * 262_144), (CLOSE, struct.pack("!H", 1000))]


async def test_group_10_a_large_message_in_small_frames(hub: Running) -> None:
    async with await hub.socket() as socket:
        payload = b"*" * 65_536
        for at in range(0, len(payload), 1_300):
            part = payload[at : at + 1_300]
            socket.send(CONT if at else TEXT, part, fin=at + 1_300 >= len(payload))
        assert await socket.receive() == (TEXT, payload)
        await closes_cleanly(socket)


async def test_an_unmasked_frame_is_refused(hub: Running) -> None:
    async with await hub.socket() as socket:
        socket.send(TEXT, b"bare", mask=False)
        await is_failed_with(socket, 1002)


@pytest.mark.parametrize("is_fragmented", [True, False])
async def test_a_message_of_one_byte_too_many(hub: Running, is_fragmented: bool) -> None:
    async with await hub.socket() as socket:
        if is_fragmented:
            socket.send(TEXT, b"*" * 1_048_576, fin=False)
            socket.send(CONT, b"*")
        else:
            socket.send(TEXT, b"*" * 1_048_577)
        await is_failed_with(socket, 1009)
