"""How an operation is declared: law 1, one table for each thing a caller can do.

From these declarations come the HTTP routes, the native link, OpenAPI, AsyncAPI, JSON Schema and the reference.
"""

import enum
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

P = TypeVar("P", bound=msgspec.Struct)
R = TypeVar("R", bound=msgspec.Struct)


class Verb(enum.StrEnum):
    """What a caller does to an object; `may(caller, verb, object)` decides on it."""

    READ = "read"
    SEND = "send"
    CREATE = "create"
    MANAGE = "manage"
    REGISTER = "register"
    ATTACH = "attach"
    CONSUME = "consume"
    """Lease and settle inbox items, mark as read: acting as the agent itself."""
    GRANT = "grant"
    OPERATE = "operate"
    OBSERVE = "observe"
    CONFIGURE = "configure"
    ENTER = "enter"
    """What needs no right beyond reaching the hub: health, sign-in, one's own identity."""


class ObjectKind(enum.StrEnum):
    """What a verb is applied to."""

    HUB = "hub"
    ROOM = "room"
    MESSAGE = "message"
    AGENT = "agent"
    KEY = "key"
    RUN = "run"
    SESSION = "session"
    DEVICE = "device"
    PERSON = "person"
    SCHEDULE = "schedule"
    NODE = "node"
    CALL = "call"
    ROUTE = "route"
    APPROVAL = "approval"
    SSH = "ssh"


class Body(enum.StrEnum):
    """What the HTTP body is."""

    JSON = "json"
    BYTES = "bytes"
    """Raw bytes that the handler reads as a stream; parameters come from path, query and headers."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where an operation is found over HTTP. Path parameters are fields of the parameters, in braces."""

    method: str
    path: str
    status: int = 200
    body: Body = Body.JSON
    repeat_status: int = 0
    """Status of a success that made nothing new; 0: `status` says both."""
    media_type: str = "application/json"
    """Of the answer; `*/*` when the stored file says it."""


class Nothing(msgspec.Struct, frozen=True):
    """No parameters."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation(Generic[P, R]):
    """One thing that a caller can do.

    Args:
        name: `noun.verb`, the name on the native link and in MCP.
        params: Struct of its parameters; path and query parameters are fields of it.
        result: Struct of its answer.
        verb: The right that it needs …
        object: … on this kind of object.
        route: Its HTTP route; None keeps it off HTTP.
        idempotent: It may be repeated with an `Idempotency-Key` and answers the first result.
        audited: It leaves an `audit.recorded` event.
        summary: One sentence for the reference, without a period.
        example: Parameters as JSON for the reference; path parameters included.
    """

    name: str
    params: type[P]
    result: type[R]
    verb: Verb
    object: ObjectKind
    summary: str
    route: Route | None = None
    idempotent: bool = False
    audited: bool = False
    example: dict[str, Any] | None = None
