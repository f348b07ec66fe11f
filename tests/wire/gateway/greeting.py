"""A machine and what clients say to it, at a time that stands still."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from instar.wire.gateway.actions import Admit, End, Invoke, Send, ServerAction
from instar.wire.gateway.handshake import Arrival
from instar.wire.gateway.machine import ServerMachine
from instar.wire.signatures import device_id, to_base64url

NONCE = "8d0b7c1e-6f3a-4c55-9a83-0f6f5f3f4a10"
AT_MS = 1_790_000_000_000
NODE_NONCE = bytes(range(32))
SEED = bytes(range(32))
PRIVATE = Ed25519PrivateKey.from_private_bytes(SEED)
PUBLIC = PRIVATE.public_key().public_bytes_raw()
DEVICE_ID = device_id(PUBLIC)
NUMBERS = {"v3": 3, "v4": 4}


def machine(*, is_local: bool = True, has_origin: bool = False) -> ServerMachine:
    """Return a machine that has challenged its client."""
    made = ServerMachine(Arrival(NONCE, AT_MS, is_local, has_origin), NODE_NONCE)
    made.start(0.0)
    return made


def params(generation: str = "v4", **changes: Any) -> dict[str, Any]:
    number = NUMBERS[generation]
    client = {"id": "cli", "version": "1", "platform": "linux", "mode": "cli", **changes.pop("client", {})}
    made = {"minProtocol": number, "maxProtocol": number, "client": client, "role": "operator", "scopes": [], **changes}
    return {name: value for name, value in made.items() if value is not None}


def moltis(**changes: Any) -> dict[str, Any]:
    client = {"id": "node-a", "displayName": "Build", "version": "20260820.01", "platform": "linux", "mode": "headless"}
    offered = {"caps": ["system.run"], "commands": ["system.run"]}
    return {
        "protocol": {"min": 4, "max": 4}, "client": client, "role": "node",
        "auth": {"publicKey": base64.b64encode(PUBLIC).decode()}, "extensions": {"moltis": offered}, **changes,
    }  # fmt: skip


def signed(version: str, made: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the parameters with a device that signed them; the payload is written out by hand here."""
    client, auth = made["client"], made.get("auth", {})
    at_ms = changes.pop("signedAt", AT_MS)
    nonce = changes.pop("nonce", NONCE)
    parts = [version, DEVICE_ID, client["id"], client["mode"], made["role"], ",".join(made["scopes"]), str(at_ms)]
    parts.append(auth.get("token") or auth.get("deviceToken") or "")
    if version != "v1":
        parts.append(nonce)
    if version == "v3":
        parts += [client["platform"], client.get("deviceFamily", "").lower()]
    device = {
        "id": DEVICE_ID, "publicKey": to_base64url(PUBLIC), "signedAt": at_ms,
        "signature": to_base64url(PRIVATE.sign("|".join(parts).encode())),
    }  # fmt: skip
    device |= {} if version == "v1" else {"nonce": nonce}
    return made | {"device": {name: value for name, value in (device | changes).items() if value is not None}}


def request(method: str, value: Any = None, request_id: str = "c1", **more: Any) -> bytes:
    frame = {"type": "req", "id": request_id, "method": method, **more}
    return json.dumps(frame if value is None else frame | {"params": value}).encode()


def sent(actions: list[ServerAction]) -> list[Any]:
    """Return the frames among the actions."""
    return [json.loads(action.payload) for action in actions if isinstance(action, Send)]


def refused(actions: list[ServerAction]) -> tuple[Any, int, str]:
    """Return the error and the close of a refusal: `res`, then the end."""
    [send, end] = actions
    assert isinstance(send, Send)
    assert isinstance(end, End)
    frame = json.loads(send.payload)
    assert frame["type"] == "res"
    assert frame["id"] == "c1"
    assert frame["ok"] is False
    return frame["error"], end.code, end.reason


def admitted(made: dict[str, Any] | None = None) -> ServerMachine:
    """Return a machine whose client was let in."""
    open_ = machine()
    [admit] = open_.receive(request("connect", made or params()), True, 0.0)
    assert isinstance(admit, Admit)
    open_.admitted(b'{"type":"hello-ok"}')
    return open_


def invoked(actions: list[ServerAction]) -> list[str]:
    return [action.request.method for action in actions if isinstance(action, Invoke)]
