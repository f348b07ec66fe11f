"""Principals, grants and keys: who may do what."""

import enum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from .limits import ID_PATTERN, KEY_EXPIRES_MAX_S, NAME_MAX_CHARS
from .operation import Nothing, ObjectKind, Operation, Route, Verb

Id = Annotated[str, Meta(pattern=ID_PATTERN)]
Name = Annotated[str, Meta(max_length=NAME_MAX_CHARS)]


class Scope(enum.StrEnum):
    """What a grant allows. A grant can only be narrowed when it is passed on."""

    OBSERVE = "observe"
    """Read every room, direct conversation, agent and run of the org."""
    WRITE = "write"
    """Send messages where a room's write policy admits the sender."""
    ATTACH = "attach"
    """Register, attach as and consume the inbox of the agents that the grant speaks for."""
    ADMIN = "admin"
    """Create, change and remove rooms and agents; implies observe."""
    PAIR = "pair"
    """Speak for a paired network."""
    KEYS = "keys"
    """Create, list and revoke keys that are no wider than one's own grant."""
    OPERATE = "operate"
    """Back up, stop all agents, read settings, logs, metrics and the audit log; with admin, change settings."""
    DEVICES = "devices"
    """Let devices in, rename, rotate and revoke them, each within one's own grant."""
    APPROVE = "approve"
    """Decide what waits for an approval, and make the rules that decide without one. No agent ever may."""
    EXECUTE = "execute"
    """Ask for calls on machines; what may run is decided by the nodes' permits, by rules and by approvals."""
    NODE = "node"
    """Serve as a node: report what it is and answer what it is asked. It may ask nothing itself."""


class PrincipalKind(enum.StrEnum):
    """Who a principal is."""

    OPERATOR = "operator"
    AGENT = "agent"
    SERVICE = "service"
    PERSON = "person"
    DEVICE = "device"
    ANONYMOUS = "anonymous"


class Principal(Struct, frozen=True):
    """Anyone or anything that can be authenticated."""

    id: str
    kind: PrincipalKind
    name: str = ""


class Key(Struct, frozen=True, omit_defaults=True):
    """A grant with a token, as it is listed: never the token itself."""

    id: str
    principal: str
    name: str
    scopes: list[Scope]
    created_at: str
    agents: list[str] | None = None
    """The agents it speaks for; absent: none by name (it may claim unused ids where registration allows)."""
    rooms: list[str] | None = None
    """The room ids it is confined to; absent: every room its scopes reach."""
    prefix: str = ""
    """The first characters of the token, to recognise it by."""
    expires_at: str = ""
    revoked_at: str = ""
    last_used_at: str = ""
    parent: str = ""
    """The key that it was attenuated from."""
    kind: str = "key"
    """What it was made as: `key`, `agent`, `session`, `device`, `person` or `local`."""


class CreateKey(Struct, omit_defaults=True):
    """A new key; every part of it must lie within the creator's own grant."""

    name: Name
    scopes: Annotated[list[Scope], Meta(min_length=1)]
    agents: list[Id] | None = None
    rooms: list[Id] | None = None
    expires_in_s: Annotated[float, Meta(gt=0, le=KEY_EXPIRES_MAX_S)] | None = None


class CreatedKey(Struct, frozen=True):
    """The only answer that ever carries the token."""

    key: Key
    token: str


class KeyRef(Struct):
    """One key by its id."""

    key_id: Id


class KeyList(Struct, frozen=True):
    """All keys, newest first; revoked and expired ones included."""

    keys: list[Key]


class Whoami(Struct, frozen=True, omit_defaults=True):
    """Who the caller is to the hub."""

    principal: Principal
    scopes: list[Scope]
    mode: Literal["bearer", "none", "open"]
    agents: list[str] | None = None
    expires_at: str = ""


class ExchangeCode(Struct):
    """A single-use sign-in code: from a console link's fragment, or a setup code typed by a person."""

    code: Annotated[str, Meta(min_length=1, max_length=128)]


class ConsoleSession(Struct, frozen=True):
    """A console session; its token travels in an HttpOnly cookie, not in this body."""

    principal: Principal
    expires_at: str


class ConsoleLink(Struct, frozen=True):
    """A single-use link that signs a browser in."""

    url: str
    expires_at: str


KEYS_CREATE = Operation(
    "keys.create", CreateKey, CreatedKey, Verb.GRANT, ObjectKind.KEY,
    "Make a key with a token that is shown once", Route("POST", "/v1/keys", 201), audited=True,
    example={"name": "beta", "scopes": ["attach", "write"], "agents": ["beta"]},
)  # fmt: skip
KEYS_LIST = Operation("keys.list", Nothing, KeyList, Verb.GRANT, ObjectKind.KEY, "List keys", Route("GET", "/v1/keys"))
KEYS_REVOKE = Operation(
    "keys.revoke", KeyRef, Key, Verb.GRANT, ObjectKind.KEY,
    "Revoke a key; its live sockets close within a second", Route("DELETE", "/v1/keys/{key_id}"), audited=True,
)  # fmt: skip
KEYS_ROTATE = Operation(
    "keys.rotate", KeyRef, CreatedKey, Verb.GRANT, ObjectKind.KEY,
    "Replace a key's token; the old one ends at once", Route("POST", "/v1/keys/{key_id}/rotate"), audited=True,
)  # fmt: skip
WHOAMI = Operation(
    "auth.whoami",
    Nothing,
    Whoami,
    Verb.ENTER,
    ObjectKind.HUB,
    "Say who the caller is",
    Route("GET", "/v1/me"),
)
EXCHANGE = Operation(
    "auth.exchange", ExchangeCode, ConsoleSession, Verb.ENTER, ObjectKind.HUB,
    "Exchange a single-use code for a console session", Route("POST", "/v1/auth/exchange"),
)  # fmt: skip
LOGOUT = Operation(
    "auth.logout", Nothing, Nothing, Verb.ENTER, ObjectKind.HUB,
    "End the caller's console session", Route("POST", "/v1/auth/logout"),
)  # fmt: skip
CONSOLE_LINK = Operation(
    "auth.console_link", Nothing, ConsoleLink, Verb.GRANT, ObjectKind.HUB,
    "Make a single-use console sign-in link for the caller", Route("POST", "/v1/auth/console-link", 201), audited=True,
)  # fmt: skip

OPERATIONS = (KEYS_CREATE, KEYS_LIST, KEYS_REVOKE, KEYS_ROTATE, WHOAMI, EXCHANGE, LOGOUT, CONSOLE_LINK)
