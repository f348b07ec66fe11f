"""A stock Moltis node, written from the protocol alone: connect, answer every challenge, wait, serve."""

import asyncio
import base64
import hashlib
import json
import os
import shutil
import uuid
from contextlib import suppress
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

OFFERED = ["system.run", "system.which", "system.providers"]


class HandshakeError(Exception):
    """The gateway refused the node."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"handshake failed: {code}: {message}")
        self.code = code
        self.message = message


async def run(args: dict[str, Any]) -> dict[str, Any]:
    """Run a line in a shell and return what it wrote; one whose time is over goes on, as the stock node has it."""
    process = await asyncio.create_subprocess_shell(
        args["command"],
        cwd=args.get("cwd"),
        env={**os.environ, **(args.get("env") or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    limit_ms = args.get("timeout", 300_000)
    try:
        async with asyncio.timeout(limit_ms / 1_000):
            stdout, stderr = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.communicate()
        raise
    except TimeoutError:
        return {"error": f"command timed out after {limit_ms}ms"}
    status = process.returncode if process.returncode is not None and process.returncode >= 0 else -1
    return {"stdout": stdout.decode(errors="replace"), "stderr": stderr.decode(errors="replace"), "exitCode": status}


class Node:
    """One machine: its key, its id, and at most one socket.

    Args:
        url: The gateway's address, `ws://host:port/ws`.
        node_id: What it calls itself.
        seed: Its key, so that it can come back.
    """

    def __init__(self, url: str, node_id: str, seed: bytes | None = None) -> None:
        self.url = url
        self.node_id = node_id
        self.seed = seed or os.urandom(32)
        self._private = Ed25519PrivateKey.from_private_bytes(self.seed)
        self._public = self._private.public_key().public_bytes_raw()
        self.pending: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        """What `node.pair.pending` said."""
        self.events: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        """What the gateway asked for, in order."""
        self.socket: ClientConnection | None = None

    @property
    def fingerprint(self) -> str:
        """What the operator compares."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self._public).digest()).decode()

    def greeting(self) -> dict[str, Any]:
        """Return the parameters of `connect`."""
        client = {"id": self.node_id, "displayName": "Build", "version": "20260820.01", "platform": "linux"}
        return {
            "protocol": {"min": 4, "max": 4},
            "client": client | {"mode": "headless"},
            "role": "node",
            "auth": {"publicKey": base64.b64encode(self._public).decode()},
            "extensions": {"moltis": {"caps": OFFERED, "commands": OFFERED}},
        }

    async def join(self) -> dict[str, Any]:
        """Connect and return `hello-ok`, however long the operator takes.

        Raises:
            HandshakeError: The gateway refused.
        """
        self.socket = await connect(self.url, user_agent_header=None, proxy=None)
        request_id = await self._send("connect", self.greeting())
        while True:
            frame = await self._frame()
            if frame["type"] == "event":
                await self._react(frame)
            elif frame["type"] == "res" and frame["id"] == request_id:
                if not frame["ok"]:
                    raise HandshakeError(frame["error"]["code"], frame["error"]["message"])
                return frame["payload"]

    async def _react(self, event: dict[str, Any]) -> None:
        if event["event"] == "node.auth.challenge":
            signature = self._private.sign(base64.b64decode(event["payload"]["nonce"], validate=True))
            await self._send("node.auth.challenge-response", {"signature": base64.b64encode(signature).decode()})
        elif event["event"] == "node.pair.pending" and not self.pending.done():
            self.pending.set_result(event["payload"])
        else:
            self.events.append(event)

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its response frame."""
        request_id = await self._send(method, params)
        while True:
            frame = await self._frame()
            if frame["type"] == "res" and frame["id"] == request_id:
                return frame
            self.events.append(frame)

    async def report(self) -> dict[str, Any]:
        """Send telemetry, as a node does every half a minute."""
        measured = {"nodeId": self.node_id, "mem": {"total": 1, "available": 1}, "cpuCount": 2, "cpuUsage": 0.0}
        return await self.ask("node.event", {"event": "node.telemetry", "payload": measured})

    async def serve(self) -> None:
        """Carry out what the gateway asks for, one thing after the other, until the socket ends.

        `system.run` really runs, in a shell, with the whole environment of this process.
        """
        with suppress(ConnectionClosed):
            for event in [one for one in self.events if one.get("event") == "node.invoke.request"]:
                self.events.remove(event)
                await self._carry_out(event["payload"])
            while True:
                frame = await self._frame()
                if frame.get("event") == "node.invoke.request":
                    await self._carry_out(frame["payload"])
                else:
                    self.events.append(frame)

    async def _carry_out(self, asked: dict[str, Any]) -> None:
        if not isinstance(asked.get("invokeId"), str):
            return
        self.asked.append(asked)
        result = await self._done(asked.get("command", ""), asked.get("args") or {})
        await self._send("node.invoke.result", {"invokeId": asked["invokeId"], "result": result})

    async def _done(self, command: str, args: dict[str, Any]) -> dict[str, Any]:
        match command:
            case "system.run":
                return await run(args)
            case "system.which":
                path = shutil.which(args.get("binary", ""))
                return {"found": path is not None, "path": path}
            case "system.providers":
                return {"providers": [{"provider": "ollama", "models": ["llama3"]}]}
            case _:
                return {"error": f"unsupported command: {command}"}

    async def leave(self) -> None:
        """Go away."""
        if self.socket is not None:
            await self.socket.close()

    async def _send(self, method: str, params: dict[str, Any]) -> str:
        assert self.socket is not None
        request_id = str(uuid.uuid4())
        await self.socket.send(json.dumps({"type": "req", "id": request_id, "method": method, "params": params}))
        return request_id

    async def _frame(self) -> dict[str, Any]:
        assert self.socket is not None
        received = await self.socket.recv()
        if not isinstance(received, str):
            raise TypeError("a binary frame during the handshake aborts a node")
        return json.loads(received)
