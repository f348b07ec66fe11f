"""Presence: who is connected now. It is in memory only; connects and disconnects of agents are events besides."""

from typing import Annotated

from msgspec import Meta, Struct

from .operation import Nothing, ObjectKind, Operation, Route, Verb

GONE = "disconnect"
"""The reason of an entry whose connection has ended; it is shown for a while."""

Line = Annotated[str, Meta(max_length=256)]


class PresenceEntry(Struct, frozen=True, omit_defaults=True):
    """One connection, or a note that a client left of itself."""

    key: str
    """Stable for a device, instance or connection, in that order; case does not matter."""
    at: str
    """When it was heard of last."""
    since: str = ""
    principal: str = ""
    door: str = ""
    """The dialect that it speaks."""
    role: str = ""
    scopes: list[str] = []
    device_id: str = ""
    instance_id: str = ""
    host: str = ""
    address: str = ""
    mode: str = ""
    version: str = ""
    platform: str = ""
    family: str = ""
    model: str = ""
    time_zone: str = ""
    reason: str = ""
    """`self`, `connect`, `disconnect`, or what a client said."""
    text: str = ""
    tags: list[str] = []
    idle_s: float | None = None


class PresenceList(Struct, frozen=True):
    """Everybody, the hub itself first."""

    version: int
    """Rises with each change."""
    entries: list[PresenceEntry]


class PresenceNote(Struct, omit_defaults=True):
    """What a client says of itself or of another program on its machine."""

    text: Line
    key: Line = ""
    host: Line = ""
    mode: Line = ""
    version: Line = ""
    platform: Line = ""
    family: Line = ""
    model: Line = ""
    reason: Line = ""
    tags: Annotated[list[Line], Meta(max_length=32)] = []
    idle_s: float | None = None


class PresenceChanged(Struct, frozen=True, tag="presence.changed", tag_field="signal"):
    """Somebody came, went or changed; `presence.list` replaces it."""

    version: int
    entries: list[PresenceEntry]


LIST = Operation(
    "presence.list", Nothing, PresenceList, Verb.OBSERVE, ObjectKind.HUB,
    "Say who is connected", Route("GET", "/v1/presence"),
)  # fmt: skip
NOTE = Operation(
    "presence.note", PresenceNote, PresenceEntry, Verb.CONFIGURE, ObjectKind.HUB,
    "Leave a note of who is there", Route("POST", "/v1/presence"),
)  # fmt: skip

OPERATIONS = (LIST, NOTE)
