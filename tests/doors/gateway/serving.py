"""A whole hub in this process, and a client of the dialect that shares no code with it."""

import asyncio
import base64
import hashlib
import json
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import websockets
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect

from instar.hub.settings.load import load
from instar.server.app import LOCAL_GRANT, Announcement, App

SECRET = "s" * 40
PROTOCOLS = {"v3": 3, "v4": 4}


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Serving:
    """A hub that runs: its address, its operator's token, and a way to ask it over HTTP."""

    def __init__(self, data_dir: Path, announced: Announcement) -> None:
        self.data_dir = data_dir
        self.port = int(announced.url.rpartition(":")[2])
        self.operator = (data_dir / LOCAL_GRANT).read_text().strip()

    async def http(self, head: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = f"{head}\nHost: 127.0.0.1:{self.port}\nConnection: close\nContent-Length: {len(body)}\n\n"
        writer.write(lines.replace("\n", "\r\n").encode() + body)
        answer = await reader.read()
        writer.close()
        first, _, payload = answer.partition(b"\r\n\r\n")
        status, *headers = first.decode().split("\r\n")
        return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in headers), payload

    async def ask(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        head = f"{method} {path} HTTP/1.1\nAuthorization: Bearer {token or self.operator}"
        status, _, payload = await self.http(head, b"" if body is None else json.dumps(body).encode())
        answer = json.loads(payload) if payload else None
        assert status < 300, answer
        return answer

    async def key(self, *scopes: str, **more: object) -> str:
        return (await self.ask("POST", "/v1/keys", {"name": "k", "scopes": scopes, **more}))["token"]

    async def approve(self, request_id: str) -> Any:
        [request] = [one for one in (await self.requests()) if one["id"] == request_id]
        return await self.ask("POST", f"/v1/devices/requests/{request_id}/approve", {"digest": request["digest"]})

    async def requests(self) -> Any:
        return (await self.ask("GET", "/v1/devices/requests"))["requests"]

    @asynccontextmanager
    async def socket(self, path: str = "/", **headers: str) -> AsyncIterator["Peer"]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with connect(
            f"ws://127.0.0.1:{self.port}{path}", additional_headers=named, compression=None, max_size=None,
            user_agent_header=None, proxy=None,
        ) as socket:  # fmt: skip
            yield Peer(socket)


@asynccontextmanager
async def serving(data_dir: Path, *, file: Path | None = None, **settings: object) -> AsyncIterator[Serving]:
    """Run a hub until the block ends; a setting `auth__token` is `auth.token`."""
    flags = {"data_dir": str(data_dir), "listen": "127.0.0.1:0"}
    flags |= {name.replace("__", "."): value for name, value in settings.items()}
    ready: asyncio.Future[Announcement] = asyncio.get_running_loop().create_future()
    hub = asyncio.ensure_future(App(load(flags, {}, file)).serve(ready.set_result))
    await asyncio.wait((hub, ready), return_when=asyncio.FIRST_COMPLETED)
    if hub.done():
        hub.result()
    try:
        yield Serving(data_dir, ready.result())
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        assert await hub == 0


class Key:
    """A device's key; it signs the payloads as the dialect's page says, written anew here."""

    def __init__(self, seed: bytes | None = None) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(seed or os.urandom(32))
        self.public = self.private.public_key().public_bytes_raw()
        self.id = hashlib.sha256(self.public).hexdigest()

    def sign(self, text: str) -> str:
        return base64url(self.private.sign(text.encode()))

    def device(self, version: str, params: dict[str, Any], nonce: str, /, **changes: Any) -> dict[str, Any]:
        """Return `device` of connect's parameters; `changes` make it wrong."""
        signed_at = changes.pop("signed_at", int(time.time() * 1_000))
        client, auth = params["client"], params.get("auth", {})
        token = auth.get("token") or auth.get("deviceToken") or ""
        parts = [version, self.id, client["id"], client["mode"], params.get("role", "operator")]
        parts += [",".join(params.get("scopes", [])), str(signed_at), token]
        if version != "v1":
            parts.append(nonce)
        if version == "v3":
            parts += [client["platform"].strip().lower(), client.get("deviceFamily", "").strip().lower()]
        shown = {"id": self.id, "publicKey": base64url(self.public), "signedAt": signed_at}
        shown["signature"] = self.sign("|".join(parts))
        if version != "v1":
            shown["nonce"] = nonce
        return {name: value for name, value in (shown | changes).items() if value is not None}


def hello(generation: str = "v4", **changes: Any) -> dict[str, Any]:
    """Return the parameters of `connect` of a client on this machine."""
    number = PROTOCOLS[generation]
    client = {"id": "cli", "version": "2026.1", "platform": "linux", "mode": "cli"}
    params = {"minProtocol": number, "maxProtocol": number, "client": client | changes.pop("client", {})}
    return {"role": "operator", "scopes": ["operator.read"], **params, **changes}


class Peer:
    """One socket as a client sees it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self.nonce = ""

    async def say(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def frame(self) -> dict[str, Any]:
        return json.loads(await self.socket.recv())

    async def challenge(self) -> str:
        event = await self.event("connect.challenge")
        self.nonce = event["payload"]["nonce"]
        return self.nonce

    async def event(self, name: str) -> dict[str, Any]:
        """Return the next event of this name; others are kept in `events`."""
        for event in self.events:
            if event["event"] == name:
                self.events.remove(event)
                return event
        while True:
            frame = await self.frame()
            if frame["type"] == "event" and frame["event"] == name:
                return frame
            assert frame["type"] == "event", frame
            self.events.append(frame)

    async def answer(self, request_id: str) -> dict[str, Any]:
        while True:
            frame = await self.frame()
            if frame["type"] == "res" and frame["id"] == request_id:
                return frame
            assert frame["type"] == "event", frame
            self.events.append(frame)

    async def call(self, method: str, params: Any = None) -> dict[str, Any]:
        request_id = str(uuid.uuid4())
        await self.say(type="req", id=request_id, method=method, **({} if params is None else {"params": params}))
        return await self.answer(request_id)

    async def connect(self, params: dict[str, Any], key: Key | None = None, version: str = "v3", **changes: Any) -> Any:
        """Wait for the challenge, introduce oneself and return the answer."""
        nonce = self.nonce or await self.challenge()
        if key is not None:
            params = params | {"device": key.device(version, params, nonce, **changes)}
        return await self.call("connect", params)

    async def hello(self, params: dict[str, Any], key: Key | None = None, version: str = "v3") -> Any:
        """Introduce oneself and return `hello-ok`."""
        answer = await self.connect(params, key, version)
        assert answer["ok"], answer
        return answer["payload"]

    async def closed(self) -> tuple[int, str]:
        """Wait for the end; return the close code and reason."""
        try:
            while True:
                frame = await self.frame()
                self.events.append(frame)
        except websockets.ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd is not None else (1006, "")
