"""The load client of the gateway's benchmarks, in a process of its own and without a WebSocket library.

Its frames are made before the clock runs and masked with zeros, so that it costs less than what it measures.
"""

import base64
import hashlib
import json
import os
import selectors
import socket
import struct
import sys
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

READ_BYTES = 1 << 20
QUIET_S = 5.0
"""After so long without a word, everybody has heard of everybody."""
UPGRADE = (
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: aW5zdGFyLWJlbmNobWFyaw==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(payload: bytes) -> bytes:
    """Return a masked text frame; the mask is zero, which every server must take."""
    size = len(payload)
    head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 0x80 | 126, size)
    return head + bytes(4) + payload


class Frames:
    """Cuts what a socket brings into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, received: bytes) -> list[bytes]:
        """Return the messages that are complete now."""
        whole = self._rest + received if self._rest else received
        at, end = 0, len(whole)
        found: list[bytes] = []
        while end - at >= 2:
            size, begin = whole[at + 1], at + 2
            if size == 126:
                if end - at < 4:
                    break
                size, begin = (whole[at + 2] << 8) | whole[at + 3], at + 4
            elif size == 127:
                if end - at < 10:
                    break
                size, begin = int.from_bytes(whole[at + 2 : at + 10], "big"), at + 10
            if end < begin + size:
                break
            found.append(whole[begin : begin + size])
            at = begin + size
        self._rest = whole[at:]
        return found


class Device:
    """A key, and the token that the hub gave it."""

    def __init__(self, seed: bytes, token: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes_raw()
        self._token = token
        self._shown = {"id": hashlib.sha256(public).hexdigest(), "publicKey": _base64url(public)}

    def params(self, nonce: str) -> dict[str, Any]:
        """Return the parameters of a signed `connect`."""
        params = hello(self._token, "deviceToken") if self._token else hello("", "token")
        at = int(time.time() * 1_000)
        scopes = ",".join(params["scopes"])
        text = "|".join(
            ("v3", self._shown["id"], "cli", "cli", "operator", scopes, str(at), self._token, nonce, "linux", "")
        )
        signature = _base64url(self._key.sign(text.encode()))
        return params | {"device": {**self._shown, "signedAt": at, "nonce": nonce, "signature": signature}}


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def hello(token: str, kind: str = "token", mode: str = "cli") -> dict[str, Any]:
    """Return the parameters of `connect`. Clients of mode cli are not shown as present."""
    client = {"id": "cli", "version": "1", "platform": "linux", "mode": mode}
    auth = {"auth": {kind: token}} if token else {}
    return {
        "minProtocol": 4,
        "maxProtocol": 4,
        "client": client,
        "role": "operator",
        "scopes": ["operator.read"],
        **auth,
    }


class Line:
    """One socket, from the upgrade to `hello-ok`."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(UPGRADE.format(port=port).encode())
        self.frames = Frames()
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._receive()
        status, _, rest = head.partition(b"\r\n\r\n")
        if b" 101 " not in status:
            raise SystemExit(head.decode(errors="replace"))
        self._waiting = self.frames.feed(rest)

    def _receive(self) -> bytes:
        received = self.socket.recv(READ_BYTES)
        if not received:
            raise SystemExit("the hub closed the socket")
        return received

    def next(self) -> dict[str, Any]:
        """Return the next message."""
        while not self._waiting:
            self._waiting = self.frames.feed(self._receive())
        return json.loads(self._waiting.pop(0))

    def connect(self, credential: "str | Device", mode: str = "cli") -> dict[str, Any]:
        """Introduce the client and return the answer."""
        nonce = self.next()["payload"]["nonce"]
        params = credential.params(nonce) if isinstance(credential, Device) else hello(credential, mode=mode)
        request = {"type": "req", "id": "c", "method": "connect", "params": params}
        self.socket.sendall(frame(json.dumps(request).encode()))
        while (answer := self.next())["type"] != "res":
            pass
        return answer

    def close(self) -> None:
        """Go without a goodbye, as most clients do."""
        self.socket.close()


def opened(port: int, credential: "str | Device", mode: str = "cli") -> Line:
    """Return a socket that was let in."""
    line = Line(port)
    answer = line.connect(credential, mode)
    if not answer["ok"]:
        raise SystemExit(json.dumps(answer))
    return line


def _ask(slot: int, method: str) -> bytes:
    """Return a request; JSON behind the method's name is its parameters."""
    name, _, params = method.partition(" ")
    request: dict[str, Any] = {"type": "req", "id": str(slot), "method": name}
    return json.dumps(request | ({"params": json.loads(params)} if params else {})).encode()


def roundtrips(port: int, token: str, method: str, sockets: int, in_flight: int, count: int) -> dict[str, Any]:
    """Keep so many requests under way, the sockets in turn, until `count` are answered; return rate and latency."""
    lines = [opened(port, token) for _ in range(sockets)]
    selector = selectors.DefaultSelector()
    for line in lines:
        line.socket.setblocking(False)
        selector.register(line.socket, selectors.EVENT_READ, line)
    asks = [frame(_ask(slot, method)) for slot in range(in_flight)]
    sent_at = [0.0] * in_flight
    spent: list[float] = []
    began = time.perf_counter()
    for slot in range(in_flight):
        sent_at[slot] = time.perf_counter()
        lines[slot % sockets].socket.send(asks[slot])
    left, turn = count - in_flight, in_flight
    while len(spent) < count:
        for key, _ in selector.select():
            line: Line = key.data
            at = time.perf_counter()
            more: dict[int, bytes] = {}
            for message in line.frames.feed(line.socket.recv(READ_BYTES)):
                if not message.startswith(b'{"type":"res"'):
                    continue
                if b'"ok":true' not in message[:64]:
                    raise SystemExit(message.decode())
                slot = int(message[20 : message.index(b'"', 20)])
                spent.append(at - sent_at[slot])
                if left > 0:
                    left -= 1
                    sent_at[slot] = at
                    turn = (turn + 1) % sockets
                    more[turn] = more.get(turn, b"") + asks[slot]
            for number, requests in more.items():
                lines[number].socket.send(requests)
    elapsed = time.perf_counter() - began
    spent.sort()
    return {
        "per_s": round(count / elapsed),
        "p50_ms": round(spent[count // 2] * 1_000, 2),
        "p99_ms": round(spent[count * 99 // 100] * 1_000, 2),
    }


def handshakes(port: int, credential: "str | Device", count: int) -> dict[str, Any]:
    """Connect one after another, each from the TCP connection to `hello-ok`, and go; return the rate and latency."""
    spent: list[float] = []
    began = time.perf_counter()
    for _ in range(count):
        at = time.perf_counter()
        line = opened(port, credential)
        spent.append(time.perf_counter() - at)
        line.close()
    elapsed = time.perf_counter() - began
    spent.sort()
    return {"per_s": round(count / elapsed), "p50_ms": round(spent[count // 2] * 1_000, 2)}


def idle(port: int, token: str, count: int) -> None:
    """Open sockets that only listen, report it when all is quiet, and hold them until the standard input ends."""
    lines = [opened(port, token, "backend") for _ in range(count)]
    selector = selectors.DefaultSelector()
    for line in lines:
        selector.register(line.socket, selectors.EVENT_READ, line)
    while ready := selector.select(QUIET_S):
        for key, _ in ready:
            key.data.socket.recv(READ_BYTES)
    print(len(lines), flush=True)
    sys.stdin.read()


def main() -> None:
    """Run one of them; credentials come from the environment, never as arguments."""
    what, port, *words = sys.argv[1:]
    token = os.environ["BENCH_TOKEN"]
    if what == "idle":
        idle(int(port), token, int(words[0]))
        return
    if what == "roundtrips":
        method, *numbers = words
        found = roundtrips(int(port), token, method, *(int(number) for number in numbers))
    else:
        seed = os.environ.get("BENCH_SEED", "")
        credential = Device(bytes.fromhex(seed), token) if seed else token
        found = handshakes(int(port), credential, int(words[0]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
