"""AsyncAPI 3.0 of the sockets: the native link and attach.v1 on `/v1/attach`, and the event stream."""

from typing import Any

from instar.wire.attach import frames as attach
from instar.wire.events import EVENT_TYPES
from instar.wire.native.frames import SUBPROTOCOL, ClientFrame, HubFrame

from .components import REF, name_of, schemas

ATTACH_FRAME = "AttachFrame"
_OPS = (
    attach.HELLO, attach.IDENTIFY, attach.READY, attach.EVENT, attach.ACK, attach.PING, attach.PONG, attach.ERROR,
)  # fmt: skip


def _attach_frame() -> dict[str, Any]:
    """Return the schema of the one flat frame of attach.v1; the struct's own holds raw JSON, which has no schema."""
    members: dict[str, Any] = {name: {} for name in attach.Frame.__struct_fields__}
    members["op"] = {"enum": list(_OPS)}
    members["version"] = {"const": attach.VERSION}
    members["event"] = {"$ref": REF.format(name="EventView")}
    members["agent"] = {"$ref": REF.format(name="Actor")}
    return {"title": ATTACH_FRAME, "type": "object", "properties": members, "required": ["op"]}


def asyncapi(version: str) -> dict[str, Any]:
    """Return the AsyncAPI document of this version of the hub."""
    channels = {
        "native": _channel(f"/v1/attach with subprotocol {SUBPROTOCOL}", _names(ClientFrame) + _names(HubFrame)),
        "attach": _channel("/v1/attach (moltnet.attach.v1)", [ATTACH_FRAME]),
        "events": _channel("/v1/events/stream (server-sent events)", ["EventView"]),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Instar sockets", "version": version, "license": {"name": "Apache-2.0"}},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {
            "native.send": _operation("receive", "native", _names(ClientFrame)),
            "native.receive": _operation("send", "native", _names(HubFrame)),
            "attach.send": _operation("receive", "attach", [ATTACH_FRAME]),
            "attach.receive": _operation("send", "attach", [ATTACH_FRAME]),
            "events.receive": _operation("send", "events", ["EventView"]),
        },
        "components": {"schemas": {**schemas(), ATTACH_FRAME: _attach_frame()}},
        "x-instar-event-types": {name: kind._asdict() for name, kind in EVENT_TYPES.items()},
    }


def _names(union: Any) -> list[str]:  # noqa: ANN401 - a union of Struct types
    return [name_of(struct) for struct in union.__args__]


def _channel(address: str, names: list[str]) -> dict[str, Any]:
    return {"address": address, "messages": {name: {"payload": {"$ref": REF.format(name=name)}} for name in names}}


def _operation(action: str, channel: str, names: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
    }
