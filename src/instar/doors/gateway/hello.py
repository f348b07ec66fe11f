"""`hello-ok`: what a client is told that was admitted, in the shape of its generation."""

import socket
from typing import Any

import msgspec

import instar
from instar.base.errors import InstarError
from instar.hub.operations.hub import Caller
from instar.wire.devices import DeviceToken
from instar.wire.gateway.connect import Introduction
from instar.wire.gateway.events import events_of
from instar.wire.gateway.method import NODE, Generation
from instar.wire.gateway.methods import SERVED
from instar.wire.gateway.scopes import ADMIN
from instar.wire.gateway.session_keys import MAIN
from instar.wire.limits import (
    GATEWAY_BUFFER_MAX_BYTES,
    GATEWAY_FRAME_MAX_BYTES,
    GATEWAY_TICK_S,
    GATEWAY_V3_BUFFER_MAX_BYTES,
    GATEWAY_V3_FRAME_MAX_BYTES,
)
from instar.wire.operation import Nothing
from instar.wire.presence import LIST, PresenceList

from .agents import default_of, registered
from .call import Client
from .gateway import Gateway
from .native import NATIVE
from .presence import presence_row
from .times import millis

RESUME = "instar.resume"
"""The capability, and the method, of going on after a gap."""
HEALTH = "health"

_encode = msgspec.json.Encoder().encode


class Policy(msgspec.Struct, frozen=True, rename="camel"):
    """Limits of a connection, as it is told them and as they are kept."""

    max_payload: int
    max_buffered_bytes: int
    tick_interval_ms: int = int(GATEWAY_TICK_S * 1_000)


_SMALL = Policy(GATEWAY_V3_FRAME_MAX_BYTES, GATEWAY_V3_BUFFER_MAX_BYTES)
POLICIES = {
    Generation.V3: _SMALL,
    Generation.V4: Policy(GATEWAY_FRAME_MAX_BYTES, GATEWAY_BUFFER_MAX_BYTES),
    Generation.MOLTIS: _SMALL,
}


async def hello_ok(
    gateway: Gateway, caller: Caller, who: Introduction, client: Client, token: DeviceToken | None, cursor: str
) -> bytes:
    """Return the payload of `hello-ok` as JSON.

    Args:
        gateway: What the connections share.
        caller: Who was admitted.
        who: What it said of itself.
        client: What it holds.
        token: Its device's token, when it is given one now.
        cursor: Where its events begin in the log.
    """
    generation = who.generation
    payload: dict[str, Any] = {
        "type": "hello-ok",
        "protocol": who.protocol,
        "server": _server(gateway, generation, client.conn_id),
        "features": _features(generation, who.role, cursor),
        "snapshot": {} if generation is Generation.MOLTIS else await _snapshot(gateway, caller, client, generation),
    }
    if (auth := _auth(caller, who, client, token)) is not None:
        payload["auth"] = auth
    payload["policy"] = POLICIES[generation]
    return _encode(payload)


def _server(gateway: Gateway, generation: Generation, conn_id: str) -> dict[str, Any]:
    if generation is Generation.V4:
        return {"version": instar.__version__, "bootId": gateway.boot_id, "connId": conn_id}
    return {"version": instar.__version__, "host": socket.gethostname(), "connId": conn_id}


def methods_of(generation: Generation, role: str) -> list[str]:
    """Return the methods that a client of this generation and role may find."""
    is_node = role == NODE
    names = [
        name
        for name, row in SERVED.items()
        if generation in row.generations and (row.scope == NODE or name == HEALTH if is_node else row.scope != NODE)
    ]
    return names if is_node else [*names, RESUME, *NATIVE]


def _features(generation: Generation, role: str, cursor: str) -> dict[str, Any]:
    features: dict[str, Any] = {"methods": methods_of(generation, role), "events": events_of(generation)}
    if generation is Generation.V4:
        # Objects are closed here, lists of words are not: a client that knows the word finds its cursor.
        features["capabilities"] = [RESUME, f"instar.cursor:{cursor}"] if cursor else [RESUME]
    return features


async def _snapshot(gateway: Gateway, caller: Caller, client: Client, generation: Generation) -> dict[str, Any]:
    hub = gateway.hub
    snapshot: dict[str, Any] = {"presence": [], "health": {}, "stateVersion": {"presence": 0, "health": 0}}
    try:
        health = await gateway.health.health(hub, caller)
        present: PresenceList = await hub.invoke(caller, LIST, Nothing())
        default = default_of(await registered(hub, caller))
    except InstarError:
        # Who may not observe is shown nothing, and is told so when it asks.
        pass
    else:
        snapshot["presence"] = [presence_row(entry) for entry in present.entries]
        snapshot["health"] = health
        snapshot["stateVersion"] = {"presence": present.version, "health": gateway.health_version}
        snapshot["sessionDefaults"] = {
            "defaultAgentId": default,
            "mainKey": MAIN,
            "mainSessionKey": f"agent:{default}:{MAIN}",
        }
    snapshot["uptimeMs"] = gateway.uptime_ms
    if ADMIN in client.scopes:
        at = gateway.installation
        known = {"configPath": at.config_path, "stateDir": at.data_dir}
        if generation is Generation.V4:
            known["authMode"] = at.auth_mode
        snapshot |= {name: value for name, value in known.items() if value}
    return snapshot


def _auth(caller: Caller, who: Introduction, client: Client, token: DeviceToken | None) -> dict[str, Any] | None:
    """Return what the connection holds; generation 3 hears of it only together with a device token."""
    held: dict[str, Any] = {"role": who.role, "scopes": list(client.scopes)}
    given = {"deviceToken": token.token, "issuedAtMs": millis(token.rotated_at)} if token is not None else {}
    match who.generation:
        case Generation.V3:
            return {**given, **held} if given else None
        case Generation.V4:
            return {"method": _method(caller, who), **held, **given}
        case Generation.MOLTIS:
            return {"deviceToken": "", "issuedAtMs": 0, **held, **given}


def _method(caller: Caller, who: Introduction) -> str:
    """Return by which credential the client came in."""
    if who.password:
        return "password"
    if who.token and caller.grant.kind != "device":
        return "token"
    if caller.grant.kind == "device":
        return "device-token"
    return "token" if who.device_token or who.bootstrap_token else "none"
