"""The hub about itself: network card, status, health, backup, pairings."""

from msgspec import Struct

from .messages import Page, PageQuery
from .operation import Nothing, ObjectKind, Operation, Route, Verb


class Protocols(Struct, frozen=True):
    """Versions of the dialects that this hub speaks."""

    http: list[str]
    attach: list[str]
    pair: list[str]


class Capabilities(Struct, frozen=True, omit_defaults=True):
    """What this hub can do (Moltnet http.v1 §1.2, and ours after it)."""

    event_stream: str
    attachment_protocol: str
    public_read: bool
    human_ingress: bool
    direct_messages: bool
    message_pagination: str
    pairings: bool
    agent_registration: str = ""
    debug_events: bool = False
    durability: str = ""
    """`durable`: acknowledged means on disk."""
    inbox: bool = False
    search: bool = False
    uploads: bool = False
    native_link: str = ""


class ConsoleAccess(Struct, frozen=True):
    """What the console may do for this caller."""

    can_send_human: bool


class Warning(Struct, frozen=True, omit_defaults=True):  # noqa: A001 - the dialect's word
    """Something that an operator should know."""

    severity: str
    code: str
    message: str
    action: str = ""
    docs_url: str = ""


class Network(Struct, frozen=True):
    """The card of this network."""

    id: str
    name: str
    version: str
    protocols: Protocols
    capabilities: Capabilities
    console: ConsoleAccess
    warnings: list[Warning]


class Health(Struct, frozen=True):
    """`ok` or `ready`; otherwise the answer is an error."""

    status: str


class HubStatus(Struct, frozen=True):
    """The hub's vital signs."""

    version: str
    uptime_s: float
    mode: str
    listen: list[str]
    data_dir: str
    last_seq: int
    rooms: int
    agents: int
    connected_agents: int
    streams: int
    stopped: bool
    search_lag: int
    """Events that the search index has not seen yet."""
    store: str
    pid: int


class Backup(Struct):
    """Where to write a backup: a file name inside the backup folder; empty means a dated name."""

    name: str = ""


class BackupDone(Struct, frozen=True):
    """A verified backup."""

    path: str
    last_seq: int
    size_bytes: int
    sha256: str


class Pairing(Struct, frozen=True):
    """A paired network."""

    id: str
    remote_network_id: str
    status: str


class PairingPage(Struct, frozen=True):
    """Paired networks by id."""

    pairings: list[Pairing]
    page: Page


NETWORK = Operation(
    "hub.network",
    Nothing,
    Network,
    Verb.READ,
    ObjectKind.HUB,
    "Read the network's card",
    Route("GET", "/v1/network"),
)
HEALTH = Operation(
    "hub.health", Nothing, Health, Verb.ENTER, ObjectKind.HUB,
    "Say whether the hub is alive and its store answers", Route("GET", "/healthz"),
)  # fmt: skip
READY = Operation(
    "hub.ready", Nothing, Health, Verb.ENTER, ObjectKind.HUB,
    "Say whether the hub takes work", Route("GET", "/readyz"),
)  # fmt: skip
STATUS = Operation(
    "hub.status", Nothing, HubStatus, Verb.OPERATE, ObjectKind.HUB,
    "Read the hub's vital signs", Route("GET", "/v1/status"),
)  # fmt: skip
BACKUP = Operation(
    "hub.backup", Backup, BackupDone, Verb.OPERATE, ObjectKind.HUB,
    "Write a verified backup while the hub runs", Route("POST", "/v1/backups", 201), audited=True,
)  # fmt: skip
PAIRINGS = Operation(
    "pairings.list", PageQuery, PairingPage, Verb.READ, ObjectKind.HUB,
    "List paired networks", Route("GET", "/v1/pairings"),
)  # fmt: skip

OPERATIONS = (NETWORK, HEALTH, READY, STATUS, BACKUP, PAIRINGS)
