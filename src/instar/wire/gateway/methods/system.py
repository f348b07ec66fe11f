"""System methods: health, status, presence, heartbeats, wake, the log."""

from typing import Annotated, Literal

from msgspec import Meta

from instar.wire.gateway.method import Generation, Method, NoParams
from instar.wire.gateway.scopes import ADMIN, READ, WRITE
from instar.wire.limits import LOG_TAIL_MAX_BYTES, LOG_TAIL_MAX_LINES

from .params import Count, Key, OpenParams, Params, Text

Line = Annotated[str, Meta(max_length=256)]


class HealthParams(OpenParams):
    """Ask for the hub's health."""

    probe: bool = False
    """Look anew; else the answer may be a minute old."""


class StatusParams(Params):
    """Ask for a summary."""

    include_channel_summary: bool = True


class SystemEventParams(Params):
    """A note of presence: what a client says of itself or of another program on its machine."""

    text: Annotated[str, Meta(min_length=1, max_length=256)]
    device_id: Line = ""
    instance_id: Line = ""
    host: Line = ""
    ip: Line = ""
    mode: Line = ""
    version: Line = ""
    platform: Line = ""
    device_family: Line = ""
    model_identifier: Line = ""
    last_input_seconds: Annotated[float, Meta(ge=0)] | None = None
    reason: Line = ""
    roles: tuple[Line, ...] = ()
    scopes: tuple[Line, ...] = ()
    tags: Annotated[tuple[Line, ...], Meta(max_length=32)] = ()


class SetHeartbeatsParams(Params):
    """Let all heartbeats rest, or go on."""

    enabled: bool


class WakeParams(Params):
    """Say something to an agent in its main session."""

    mode: Literal["now", "next-heartbeat"]
    text: Text
    session_key: Key | None = None
    agent_id: Text | None = None


class LogsTailParams(Params):
    """Read the hub's log from a byte offset on; without one its end."""

    cursor: Count | None = None
    limit: Annotated[int, Meta(ge=1, le=LOG_TAIL_MAX_LINES)] = 500
    max_bytes: Annotated[int, Meta(ge=1, le=LOG_TAIL_MAX_BYTES)] = 250_000


METHODS = (
    Method("health", HealthParams, "Say how the hub is", READ),
    Method("status", StatusParams, "Summarise sessions, heartbeats and the process", READ),
    Method("system-presence", NoParams, "Say who is connected", READ),
    Method("system-event", SystemEventParams, "Leave a note of who is there", ADMIN),
    Method("last-heartbeat", NoParams, "Say what the latest heartbeat did", READ),
    Method("set-heartbeats", SetHeartbeatsParams, "Let every schedule `sch_heartbeat-…` rest, or go on", ADMIN),
    Method("wake", WakeParams, "Say something to an agent, which wakes it", WRITE),
    Method(
        "gateway.identity.get", NoParams, "Say by which key the hub is known", READ,
        generations=frozenset({Generation.V4, Generation.MOLTIS}),
    ),
    Method("logs.tail", LogsTailParams, "Read the end of the hub's log", ADMIN),
)  # fmt: skip
