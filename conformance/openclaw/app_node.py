"""An app of OpenClaw as a node (a phone: camera, place, canvas), written from the protocol alone, generation 4."""

import asyncio
import base64
import hashlib
import json
import os
import time
import uuid
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

OFFERED = [
    "camera.list", "camera.snap", "camera.clip", "screen.record", "location.get", "canvas.present", "canvas.eval",
    "canvas.snapshot", "device.status", "system.run",
]  # fmt: skip
"""What it declares; a phone has no shell, so that `system.run` is never its to offer."""
PICTURE = bytes(range(256)) * 512
PLACE = {"lat": 52.5, "lon": 13.4, "accuracyMeters": 5, "timestamp": 1_700_000_000_000, "isPrecise": True}


class CommandError(Exception):
    """A command that the app refuses."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class AppNode:
    """One app.

    Args:
        url: The gateway's, `ws://…`.
        token: Its shared secret.
        name: What it calls itself.
        offered: What it declares.
        platform: Of which system.
    """

    def __init__(
        self, url: str, token: str, name: str = "phone", offered: list[str] | None = None, platform: str = "iOS 26.1"
    ) -> None:
        self.url = url
        self.token = token
        self.name = name
        self.platform = platform
        self.offered = OFFERED if offered is None else offered
        self._private = Ed25519PrivateKey.generate()
        self._public = self._private.public_key().public_bytes_raw()
        self.id = hashlib.sha256(self._public).hexdigest()
        self.socket: ClientConnection | None = None
        self.asked: list[dict[str, Any]] = []
        """What the gateway asked for, in order."""
        self.cancelled: list[str] = []
        self.answers: list[dict[str, Any]] = []
        """What the gateway said to its answers."""
        self.release = asyncio.Event()
        """Lets commands that hang (`canvas.eval` of `hang`) go on."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self) -> dict[str, Any]:
        """Connect and return the answer to `connect`: `hello-ok`, or why not."""
        self.socket = await connect(self.url, user_agent_header=None, proxy=None, max_size=None)
        challenge = json.loads(await self.socket.recv())["payload"]
        request_id = await self.send("connect", self._greeting(challenge))
        return await self.answer(request_id)

    def _greeting(self, challenge: dict[str, Any]) -> dict[str, Any]:
        signed_at = challenge.get("ts") or int(time.time() * 1_000)
        parts = ["v3", self.id, "openclaw-ios", "node", "node", "", str(signed_at), self.token, challenge["nonce"]]
        text = "|".join([*parts, self.platform.lower(), "iphone"])
        device = {
            "id": self.id,
            "publicKey": _base64url(self._public),
            "signature": _base64url(self._private.sign(text.encode())),
            "signedAt": signed_at,
            "nonce": challenge["nonce"],
        }
        client = {"id": "openclaw-ios", "version": "2026.9", "platform": self.platform, "mode": "node"}
        return {
            "minProtocol": 4, "maxProtocol": 4, "role": "node", "scopes": [], "device": device,
            "client": client | {"displayName": self.name, "deviceFamily": "iPhone"}, "auth": {"token": self.token},
            "caps": ["camera", "canvas", "location"], "commands": self.offered, "permissions": {"camera": True},
        }  # fmt: skip

    async def send(self, method: str, params: dict[str, Any]) -> str:
        """Send a request and return its id."""
        assert self.socket is not None
        request_id = str(uuid.uuid4())
        await self.socket.send(json.dumps({"type": "req", "id": request_id, "method": method, "params": params}))
        return request_id

    async def answer(self, request_id: str) -> dict[str, Any]:
        """Return the response to a request; what is asked meanwhile is kept."""
        while True:
            frame = await self._frame()
            if frame["type"] == "res" and frame["id"] == request_id:
                return frame

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its response; not while `serve` runs."""
        return await self.answer(await self.send(method, params))

    async def serve(self) -> None:
        """Carry out what the gateway asks for until the socket ends; several things at once."""
        while True:
            try:
                frame = await self._frame()
            except ConnectionClosed:
                return
            if frame["type"] == "res":
                self.answers.append(frame)

    async def _frame(self) -> dict[str, Any]:
        assert self.socket is not None
        frame = json.loads(await self.socket.recv())
        if frame.get("event") == "node.invoke.request":
            task = asyncio.ensure_future(self._carry_out(frame["payload"]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif frame.get("event") == "node.invoke.cancel":
            self.cancelled.append(frame["payload"]["invokeId"])
        return frame

    async def _carry_out(self, asked: dict[str, Any]) -> None:
        self.asked.append(asked)
        answer: dict[str, Any] = {"id": asked["id"], "nodeId": asked["nodeId"]}
        try:
            payload = await self.done(asked, json.loads(asked["paramsJSON"] or "{}"))
        except CommandError as error:
            answer |= {"ok": False, "error": {"code": error.code, "message": error.message}}
        else:
            answer |= {"ok": True, "payloadJSON": json.dumps(payload)}
        await self.send("node.invoke.result", answer)

    async def done(self, asked: dict[str, Any], params: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        """Do a command."""
        match asked["command"]:
            case "camera.snap":
                if params.get("facing") not in (None, "front", "back"):
                    raise CommandError("INVALID_REQUEST", "facing must be front or back")
                return {"format": "jpg", "width": 16, "height": 16, "base64": base64.b64encode(PICTURE).decode()}
            case "canvas.snapshot":
                return {"format": "png", "base64": base64.b64encode(PICTURE[:1_000]).decode()}
            case "screen.record":
                raise CommandError("SCREEN_PERMISSION_REQUIRED", "grant Screen Recording permission")
            case "location.get":
                return PLACE
            case "camera.list":
                return {"devices": [{"id": "0", "name": "Back", "position": "back", "deviceType": "wide"}]}
            case "canvas.eval":
                return await self._evaluated(asked, params["javaScript"])
            case _:
                return None

    async def _evaluated(self, asked: dict[str, Any], script: str) -> Any:  # noqa: ANN401 - any JSON value
        if script == "hang":
            await self.release.wait()
        for seq, chunk in enumerate(["one ", "two "] if script == "stream" else []):
            told = {"invokeId": asked["id"], "nodeId": self.id, "seq": seq, "chunk": chunk}
            await self.send("node.invoke.progress", told)
        return {"result": script}

    async def leave(self) -> None:
        """Go away."""
        if self.socket is not None:
            await self.socket.close()
        for task in self._tasks:
            task.cancel()


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


async def main() -> None:
    """Serve the gateway that `OPENCLAW_GATEWAY_URL` and `OPENCLAW_GATEWAY_TOKEN` name."""
    node = AppNode(os.environ["OPENCLAW_GATEWAY_URL"], os.environ["OPENCLAW_GATEWAY_TOKEN"])
    print(json.dumps(await node.join()))
    await node.serve()


if __name__ == "__main__":
    asyncio.run(main())
