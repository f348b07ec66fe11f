"""Every setting as a typed tree. Names end in their unit; defaults come from `wire.limits`; docstrings are the docs."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from instar.hub.identity.policy import AuthPolicy, PairingPolicy
from instar.wire import limits
from instar.wire.limits import ID_PATTERN, NAME_MAX_CHARS

Count = Annotated[int, Meta(ge=1)]
Rate = Annotated[float, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0)]


class ListenSettings(Struct, frozen=True, kw_only=True):
    """Where the hub is reached."""

    address: str = "127.0.0.1:8787"
    """Address and port that the hub listens on; an empty address is every interface."""
    compat: list[str] = []
    """Further addresses, for clients that dial the default port of another system."""


class NetworkSettings(Struct, frozen=True, kw_only=True):
    """What this network is called."""

    id: Annotated[str, Meta(pattern=ID_PATTERN)] = "local"
    """The network's id, part of every fully qualified id: choose it before the first message."""
    name: Annotated[str, Meta(min_length=1, max_length=NAME_MAX_CHARS)] = "Instar"
    """The network's name, as people read it."""


class ServerSettings(Struct, frozen=True, kw_only=True):
    """How the server treats requests."""

    public_url: str = ""
    """Where browsers reach the hub, if not at `listen.address`; links are made from it."""
    allowed_origins: list[str] = []
    """Browser origins that are served besides the hub's own, as `scheme://host[:port]`."""
    allowed_hosts: list[str] = []
    """Host names that are served besides the hub's own address and localhost."""
    trusted_proxies: list[str] = []
    """Addresses or networks whose forwarding headers are believed."""
    access_log: bool = False
    """Whether each request leaves a line in the log."""


class TlsSettings(Struct, frozen=True, kw_only=True):
    """How connections are encrypted."""

    mode: Literal["auto", "on", "off"] = "auto"
    """`auto`: every address that other machines reach, unless a trusted proxy stands before the hub. `on`: every
    address. `off`: none; for a bind that other machines reach it needs a trusted proxy."""
    certificate: str = ""
    """Certificate chain as a PEM file; empty: the hub makes its own and prints its fingerprint."""
    key: str = ""
    """Private key of the certificate as a PEM file, readable by its owner alone."""


class LimitSettings(Struct, frozen=True, kw_only=True):
    """How much is too much."""

    requests_per_s: Rate = limits.HTTP_RATE_PER_S
    """Requests per second of one principal; 0 is unlimited."""
    agent_messages_per_s: Rate = limits.AGENT_RATE_PER_S
    """Messages per second of one agent; 0 is unlimited."""
    room_messages_per_s: Rate = limits.ROOM_RATE_PER_S
    """Messages per second in one room; 0 is unlimited."""
    streams: Count = limits.STREAMS_MAX
    """Live sockets and streams of the hub."""
    streams_per_principal: Count = limits.STREAMS_PER_PRINCIPAL_MAX
    """Live sockets and streams of one credential."""


class UploadSettings(Struct, frozen=True, kw_only=True):
    """Which files may be uploaded."""

    max_bytes: Count = limits.UPLOAD_MAX_BYTES
    """Largest file in bytes."""
    media_types: list[str] = field(default_factory=lambda: ["*/*"])
    """Accepted media types; `image/*` accepts every image."""


class DeliverySettings(Struct, frozen=True, kw_only=True):
    """How inbox items are handed out."""

    lease_s: Seconds = limits.INBOX_LEASE_S
    """Seconds for which a leased item is hidden from other consumers."""
    attempts: Count = limits.INBOX_ATTEMPTS_MAX
    """Failed attempts before an item is dead-lettered."""


class LoopSettings(Struct, frozen=True, kw_only=True):
    """When agents that answer each other are stopped."""

    max_hops: Count = limits.LOOP_HOPS_MAX
    """Longest chain of agents answering agents."""
    pair_per_min: Count = limits.LOOP_PAIR_RATE_PER_MIN
    """Answers between the same two agents in one room per minute."""
    room_per_min: Count = limits.LOOP_ROOM_RATE_PER_MIN
    """Caused agent messages in one room per minute."""
    cool_down_s: Seconds = limits.LOOP_COOL_DOWN_S
    """Seconds for which a room refuses caused agent messages after a stopped loop."""


class RunSettings(Struct, frozen=True, kw_only=True):
    """How long agents may work."""

    budget_s: Seconds = limits.RUN_BUDGET_S
    """Longest run in seconds."""


class NodeSettings(Struct, frozen=True, kw_only=True):
    """Machines that serve calls."""

    local: bool = True
    """Whether calls may run on the hub's own machine, under the hub's account; its node starts at the first of them."""
    telemetry_keep_s: Seconds = limits.TELEMETRY_KEEP_S
    """Seconds for which what nodes said of themselves is kept."""


class ApprovalSettings(Struct, frozen=True, kw_only=True):
    """Calls that wait for a person."""

    expires_s: Seconds = limits.APPROVAL_S
    """Seconds after which a call that nobody decided about is not run."""


class CallSettings(Struct, frozen=True, kw_only=True):
    """What is kept of calls."""

    output_max_bytes: Annotated[int, Meta(ge=0)] = limits.CALL_OUTPUT_MAX_BYTES
    """So many bytes of each output of a call are stored; the rest is counted and thrown away."""
    keep_s: Seconds = limits.CALL_KEEP_S
    """Seconds for which the output of ended calls is kept."""
    unwatched_s: Seconds = limits.CALL_UNWATCHED_S
    """Seconds for which a terminal of the console goes on when nobody watches it."""


class LogSettings(Struct, frozen=True, kw_only=True):
    """What the hub says of its own work."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe lines that are written."""
    format: Literal["auto", "text", "json"] = "auto"
    """`text` for people, `json` for machines; `auto` is text on a terminal."""
    file: bool = True
    """Whether the lines are kept in the data folder as well, where `instar logs` reads them."""


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting of a hub."""

    data_dir: str = ""
    """Folder that holds everything the hub remembers; empty is the user's data folder."""
    listen: ListenSettings = field(default_factory=ListenSettings)
    """Where the hub is reached."""
    network: NetworkSettings = field(default_factory=NetworkSettings)
    """What this network is called."""
    auth: AuthPolicy = field(default_factory=AuthPolicy)
    """Who is let in."""
    pairing: PairingPolicy = field(default_factory=PairingPolicy)
    """How devices are let in."""
    tls: TlsSettings = field(default_factory=TlsSettings)
    """How connections are encrypted."""
    server: ServerSettings = field(default_factory=ServerSettings)
    """How the server treats requests."""
    limits: LimitSettings = field(default_factory=LimitSettings)
    """How much is too much."""
    uploads: UploadSettings = field(default_factory=UploadSettings)
    """Which files may be uploaded."""
    delivery: DeliverySettings = field(default_factory=DeliverySettings)
    """How inbox items are handed out."""
    loops: LoopSettings = field(default_factory=LoopSettings)
    """When agents that answer each other are stopped."""
    runs: RunSettings = field(default_factory=RunSettings)
    """How long agents may work."""
    approvals: ApprovalSettings = field(default_factory=ApprovalSettings)
    """Calls that wait for a person."""
    nodes: NodeSettings = field(default_factory=NodeSettings)
    """Machines that serve calls."""
    calls: CallSettings = field(default_factory=CallSettings)
    """What is kept of calls."""
    log: LogSettings = field(default_factory=LogSettings)
    """What the hub says of its own work."""
