"""Damaged WebSocket frames and dialect frames: a typed error or a documented close code, and a hub as fit as before."""

import contextlib
import json
import struct
from collections.abc import AsyncIterator, Callable
from itertools import chain
from pathlib import Path

import pytest

from faults.hostile import check_health, resting_bytes
from faults.hub import Http, Hub
from faults.mutations import Damage
from faults.test_malformed import IS_LONG, no_findings
from faults.valid import VALID, prepare
from faults.websocket import BINARY, CLOSE, PING, PONG, TEXT, Socket, frame
from instar.wire.codes import CODES
from instar.wire.operation import Body
from instar.wire.table import TABLE

SOCKETS = 6_000 if IS_LONG else 250
CLOSE_CODES = {1000, 1002, 1003, 1007, 1008, 1009, 1012, 1013}
"""What the hub may close with; 1011 would be a fault of its own."""
GROWTH_MAX_BYTES = 32 << 20
PINGS = 10_000

VERSION = "moltnet.attach.v1"
IDENTIFY = {"op": "IDENTIFY", "version": VERSION, "network_id": "local", "agent": {"id": "sock", "name": "S"}}
ATTACH_FRAMES = [
    IDENTIFY,
    {**IDENTIFY, "cursor": "evt_unknown", "capabilities": {"rooms": True}},
    {"op": "ACK", "version": VERSION, "cursor": "evt_x"},
    {"op": "PING", "version": VERSION},
    {"op": "PONG"},
    {"op": "ERROR", "version": VERSION, "error": "agent failed"},
    {"op": "EVENT", "version": VERSION, "event": {"id": "e"}, "cursor": "e"},
    {"op": "READY", "version": VERSION},
]
HELLO = {"t": "hello", "client": "x/1", "feed": True, "cursor": "", "signals": True}
LINK_FRAMES = [
    HELLO,
    {**HELLO, "cursor": "1"},
    {"t": "ping", "n": 1},
    {"t": "op", "id": 7, "op": "no.such", "params": {}},
    {"t": "result", "id": 1, "result": {}},
    *({"t": "op", "id": 7, "op": name, "params": params, "key": "k"} for name, params in VALID.items()),
]
RAW_FRAMES = [
    *(frame(opcode, b"x") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    *(frame(TEXT, b"{}", rsv=rsv) for rsv in range(1, 8)),
    frame(TEXT, b"{}", mask=False),
    frame(0, b"never begun"),
    frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
    frame(TEXT, b"a", fin=False) + frame(PING) + frame(0, b"b"),
    frame(TEXT, b"{", fin=False) * 1 + frame(0, b"", fin=False) * 2_000,
    frame(PING, b"x" * 126),
    frame(PING, b"x", fin=False),
    frame(CLOSE, b"x"),
    *(frame(CLOSE, struct.pack("!H", code)) for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535)),
    frame(CLOSE, struct.pack("!H", 1000) + b"\xff\xfe"),
    frame(TEXT, b"\xff\xfe"),
    frame(TEXT, b"\xed\xa0\x80"),
    frame(TEXT, b"\xf0\x9f", fin=False) + frame(0, b"x"),
    frame(BINARY, b"\x00" * 100),
    b"\x81\xfe\x00\x01\0\0\0\0{",
    b"\x81\xff" + b"\x00" * 7 + b"\x01\0\0\0\0{",
    b"\x81\xff" + b"\x80" + b"\x00" * 7 + b"\0\0\0\0",
    b"\x81\xff" + b"\x00\x00\x00\x10" + b"\x00" * 4 + b"\0\0\0\0",
    frame(TEXT, b"x" * ((1 << 20) + 1)),
    frame(TEXT, b"x" * (1 << 19), fin=False) * 3,
    frame(TEXT, b"[" * (1 << 20)),
    frame(TEXT, b""),
    b"GET / HTTP/1.1\r\n\r\n",
    b"",
]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    running = Hub(tmp_path / "hub")
    await running.start()
    await prepare(running)
    await load_all(running)
    yield running
    await check_health(running)
    await running.stop()


async def load_all(hub: Hub) -> None:
    """Have the hub load what it loads at first use, so that it does not count as growth: a shell parser, SSH."""
    http = Http(hub)
    for name in ("approvals.judge", "ssh.scan"):
        operation = TABLE[name]
        assert operation.route is not None
        await http.ask(operation.route.method, operation.route.path, VALID[name])
    http.close()


def check_frames(frames: list[tuple[int, bytes]]) -> None:
    """Fail unless every frame of the hub is one of its dialects, and a close has a documented code."""
    for opcode, payload in frames:
        if opcode == CLOSE:
            assert struct.unpack("!H", payload[:2])[0] in CLOSE_CODES, payload
        elif opcode == TEXT:
            told = json.loads(payload)
            assert "op" in told or "t" in told, told
            if told.get("t") == "error":
                assert told["error"]["code"] in CODES, told
                assert CODES[told["error"]["code"]].status < 500, told
            if told.get("op") == "ERROR":
                assert told["error"], told
                assert "internal" not in told["error"], told
        else:
            assert opcode in {PING, PONG}, opcode


async def converse(socket: Socket, sent: list[bytes]) -> list[tuple[int, bytes]]:
    """Send frames, then close in order; return everything that the hub said, up to its end of the stream."""
    for raw in sent:
        socket.wire.writer.write(raw)
    socket.wire.writer.write(frame(CLOSE, struct.pack("!H", 1000)))
    with contextlib.suppress(OSError):  # the hub may have hung up already
        socket.wire.writer.write_eof()
    try:
        return await socket.until_end()
    finally:
        await socket.wire.close()


def attach_frames(damage: Damage) -> list[bytes]:
    """Return an attachment's frames with one of them damaged; often it identifies properly first."""
    pick = damage.random
    opening = [frame(TEXT, json.dumps(IDENTIFY).encode())] if pick.random() < 0.6 else []
    return opening + [damaged(damage, pick.choice(ATTACH_FRAMES)) for _ in range(pick.randrange(1, 5))]


def link_frames(damage: Damage) -> list[bytes]:
    """Return a link's frames with one of them damaged; mostly it says hello properly first."""
    pick = damage.random
    opening = [frame(TEXT, json.dumps(HELLO).encode())] if pick.random() < 0.8 else []
    return opening + [damaged(damage, pick.choice(LINK_FRAMES)) for _ in range(pick.randrange(1, 5))]


def damaged(damage: Damage, shape: dict[str, object]) -> bytes:
    """Return one frame that is wrong as JSON, as a message or as a frame."""
    pick = damage.random
    how = pick.random()
    if how < 0.15:
        return pick.choice(RAW_FRAMES)
    payload = damage.text(damage.tree(shape)) if how < 0.8 else damage.wreck(json.dumps(shape).encode())
    whole = frame(TEXT if pick.random() < 0.97 else BINARY, payload)
    return damage.flipped(whole[:8]) + whole[8:] if pick.random() < 0.05 else whole


async def hostile_sockets(hub: Hub, make: Callable[[Damage], list[bytes]], subprotocol: str, seed: int) -> list[str]:
    """Open sockets one after the other, send each a few damaged frames; return what went wrong."""
    damage, findings = Damage(seed), list[str]()
    for number in range(SOCKETS):
        sent = make(damage)
        try:
            check_frames(await converse(await Socket.open(hub, subprotocol), sent))
        except (AssertionError, TimeoutError, ValueError) as error:
            shown = b" | ".join(sent)[:600]
            findings.append(f"seed {seed}, socket {number} {subprotocol}: {error!r:.600}\n{shown!r}")
    return findings


@pytest.mark.timeout(3_600 if IS_LONG else 60)
async def test_damaged_frames(hub: Hub, seed: int) -> None:
    await hostile_sockets(hub, link_frames, "instar.v1", seed + 2)
    before = await resting_bytes(hub)
    found = [
        await hostile_sockets(hub, attach_frames, "", seed),
        await hostile_sockets(hub, link_frames, "instar.v1", seed + 1),
    ]
    no_findings(chain.from_iterable(found))
    await check_health(hub)
    grown = await resting_bytes(hub) - before
    print(f"{3 * SOCKETS} sockets, grown by {grown >> 20} MiB from {before >> 20} MiB")
    assert grown <= GROWTH_MAX_BYTES


async def test_every_raw_frame_by_itself(hub: Hub) -> None:
    for subprotocol, opening in (("instar.v1", HELLO), ("", IDENTIFY)):
        for raw in RAW_FRAMES:
            socket = await Socket.open(hub, subprotocol)
            check_frames(await converse(socket, [frame(TEXT, json.dumps(opening).encode()), raw]))


async def open_link(hub: Hub) -> Socket:
    """Open a link that wants no events."""
    socket = await Socket.open(hub, "instar.v1")
    socket.send(json.dumps({**HELLO, "feed": False}).encode())
    return socket


async def test_every_operation_is_answered_on_the_link(hub: Hub, seed: int) -> None:
    """Damaged parameters under good ids: each gets a result or a typed error; only what is no JSON ends the link."""
    damage = Damage(seed)
    socket = await open_link(hub)
    names = [name for name, row in TABLE.items() if row.route is None or row.route.body is not Body.BYTES]
    for number, name in enumerate(names * (50 if IS_LONG else 5), 1):
        params = json.dumps(damage.tree(VALID[name]))
        socket.send(f'{{"t":"op","id":{number},"op":"{name}","params":{params}}}'.encode())
        if await answer_id(socket) != number:
            assert "\\ud" in params, f"seed {seed}: the link ended at {name} {params:.600}"
            await socket.wire.close()
            socket = await open_link(hub)
    await socket.wire.close()


async def answer_id(socket: Socket) -> int:
    """Wait for the next answer, check it, and return its id."""
    while True:
        got = await socket.receive()
        assert got is not None, "the link ended without a word"
        check_frames([got])
        told = json.loads(got[1]) if got[0] == TEXT else {}
        if told.get("t") in ("result", "error"):
            return int(told["id"])


@pytest.mark.parametrize("subprotocol", ["", "instar.v1"])
async def test_a_flood_of_pings(hub: Hub, subprotocol: str) -> None:
    before = await resting_bytes(hub)
    socket = await Socket.open(hub, subprotocol)
    if subprotocol:
        socket.send(json.dumps(HELLO).encode())
    for _ in range(PINGS // 100):
        socket.wire.writer.write(frame(PING, b"p") * 100)
        await socket.wire.writer.drain()
    pongs = 0
    while pongs < PINGS:
        got = await socket.receive()
        assert got is not None
        pongs += got == (PONG, b"p")
    await socket.wire.close()
    assert await resting_bytes(hub) - before <= GROWTH_MAX_BYTES
