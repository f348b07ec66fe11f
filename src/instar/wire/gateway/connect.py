"""What clients say first: the parameters of `connect`, of three generations, and the one form that the hub reads.

OpenClaw's are closed at every level: a member too many refuses the handshake. Moltis's are open.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from .frames import NonEmpty
from .method import Generation
from .scopes import ADMIN, APPROVALS, NODE, OPERATOR, READ, WRITE

PROTOCOLS = {Generation.V3: 3, Generation.V4: 4, Generation.MOLTIS: 4}
"""The number that each generation calls itself by."""
MOLTIS_MEMBERS = frozenset({"protocol", "extensions", "timezone"})
MOLTIS_AUTH = frozenset({"publicKey", "api_key"})

MOLTIS_SCOPES = (READ, WRITE, APPROVALS)
"""What a Moltis device that is no node asks for; it cannot say so itself."""

V3Id = Literal[
    "webchat-ui", "openclaw-control-ui", "webchat", "cli", "gateway-client", "openclaw-macos", "openclaw-ios",
    "openclaw-android", "node-host", "test", "fingerprint", "openclaw-probe",
    "clawdbot-control-ui", "clawdbot-macos", "clawdbot-ios", "clawdbot-android", "clawdbot-probe",
    "moltbot-control-ui", "moltbot-macos", "moltbot-ios", "moltbot-android", "moltbot-probe",
]  # fmt: skip
"""Who generation 3 is, under the three names that its project bore."""
V4Id = Literal[
    "webchat-ui", "openclaw-control-ui", "webchat", "cli", "gateway-client", "openclaw-macos", "openclaw-ios",
    "openclaw-android", "node-host", "test", "fingerprint", "openclaw-probe", "openclaw-browser-copilot",
    "openclaw-tui", "openclaw-linux", "openclaw-watchos", "openclaw-worker",
]  # fmt: skip
CONTROL_UI_IDS = frozenset(
    {"openclaw-control-ui", "clawdbot-control-ui", "moltbot-control-ui", "webchat-ui", "openclaw-browser-copilot"}
)
"""Pages in a browser: they always send an Origin, and never come without a device."""

V3Mode = Literal["webchat", "cli", "ui", "backend", "node", "probe", "test"]
V4Mode = Literal["webchat", "cli", "ui", "backend", "node", "probe", "test", "worker"]
Protocol = Annotated[int, Meta(ge=1)]
Words = list[NonEmpty]


class Device(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A device's proof of its key, of generation 3: the nonce may be missing."""

    id: NonEmpty
    public_key: NonEmpty
    signature: NonEmpty
    signed_at: Annotated[int, Meta(ge=0)]
    nonce: str = ""


class NoncedDevice(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The same of generation 4."""

    id: NonEmpty
    public_key: NonEmpty
    signature: NonEmpty
    signed_at: Annotated[int, Meta(ge=0)]
    nonce: NonEmpty


class V3Auth(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Credentials of generation 3."""

    token: str = ""
    password: str = ""


class V4Auth(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Credentials of generation 4."""

    token: str = ""
    password: str = ""
    device_token: str = ""
    bootstrap_token: str = ""
    approval_runtime_token: str = ""
    agent_runtime_identity_token: str = ""


class V3Client(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Who a client of generation 3 is."""

    id: V3Id
    version: NonEmpty
    platform: NonEmpty
    mode: V3Mode
    display_name: NonEmpty = ""
    device_family: NonEmpty = ""
    model_identifier: NonEmpty = ""
    instance_id: NonEmpty = ""


class V4Client(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Who a client of generation 4 is."""

    id: V4Id
    version: NonEmpty
    platform: NonEmpty
    mode: V4Mode
    display_name: NonEmpty = ""
    device_family: NonEmpty = ""
    model_identifier: NonEmpty = ""
    instance_id: NonEmpty = ""
    build_id: Annotated[str, Meta(min_length=1, max_length=96)] = ""
    time_zone: Annotated[str, Meta(min_length=1, max_length=64)] = ""


class WorkerRuns(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What a node host says of the runs that it can take; nothing is decided on it."""

    bundle_hash: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    openclaw_version: Annotated[str, Meta(min_length=1, max_length=128)]
    protocol_features: Annotated[list[str], Meta(max_length=64)]
    bundle_prewarm: Annotated[int, Meta(ge=1)] = 1


class ModelCatalog(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """For which agent or session a client wants the models first."""

    agent_id: NonEmpty = ""
    session_key: NonEmpty = ""
    short_id: NonEmpty = ""
    slug_hint: NonEmpty = ""


class V3Connect(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Parameters of `connect`, generation 3."""

    min_protocol: Protocol
    max_protocol: Protocol
    client: V3Client
    caps: Words = []
    commands: Words = []
    permissions: dict[NonEmpty, bool] = {}
    path_env: str = ""
    role: NonEmpty = OPERATOR
    scopes: Words = []
    device: Device | UnsetType = UNSET
    auth: V3Auth = V3Auth()
    locale: str = ""
    user_agent: str = ""


class V4Connect(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Parameters of `connect`, generation 4."""

    min_protocol: Protocol
    max_protocol: Protocol
    client: V4Client
    caps: Words = []
    commands: Words = []
    permissions: dict[NonEmpty, bool] = {}
    path_env: str = ""
    role: NonEmpty = OPERATOR
    scopes: Words = []
    device: NoncedDevice | UnsetType = UNSET
    auth: V4Auth = V4Auth()
    locale: str = ""
    user_agent: str = ""
    computer_use: Any = None
    worker_runs: WorkerRuns | UnsetType = UNSET
    model_catalog: ModelCatalog | UnsetType = UNSET


class MoltisRange(Struct, frozen=True):
    """Which protocols a Moltis client speaks."""

    min: Annotated[int, Meta(ge=0)]
    max: Annotated[int, Meta(ge=0)]


class MoltisClient(Struct, frozen=True, rename="camel"):
    """Who a Moltis client is. The id of a node is its own choice."""

    id: Annotated[str, Meta(min_length=1, max_length=128)]
    version: str
    platform: str
    mode: str
    display_name: str | None = None
    device_family: str | None = None
    model_identifier: str | None = None
    instance_id: str | None = None


class MoltisAuth(Struct, frozen=True, rename={"device_token": "deviceToken", "public_key": "publicKey"}):
    """Credentials of a Moltis client; one of its members is in snake case, as theirs is."""

    token: str | None = None
    password: str | None = None
    api_key: str | None = None
    device_token: str | None = None
    public_key: str | None = None


class MoltisExtension(Struct, frozen=True, rename="camel"):
    """What a Moltis node offers."""

    caps: list[str] | None = None
    commands: list[str] | None = None
    permissions: dict[str, bool] | None = None
    path_env: str | None = None
    user_agent: str | None = None


class MoltisExtensions(Struct, frozen=True):
    """Where a Moltis client puts what is not everybody's."""

    moltis: MoltisExtension = MoltisExtension()


class MoltisConnect(Struct, frozen=True, rename="camel"):
    """Parameters of `connect`, Moltis: its own nested form, and the flat one that it takes as well."""

    client: MoltisClient
    protocol: MoltisRange | None = None
    min_protocol: int | None = None
    max_protocol: int | None = None
    role: str | None = None
    auth: MoltisAuth | None = None
    locale: str | None = None
    timezone: str | None = None
    extensions: MoltisExtensions | None = None
    caps: list[str] | None = None
    commands: list[str] | None = None
    permissions: dict[str, bool] | None = None
    path_env: str | None = None


class _Shape(Struct, rename="camel"):
    """Enough to tell the generations apart, whatever else is wrong."""

    max_protocol: Any = None
    auth: dict[str, Any] | list[Any] | str | float | bool | None = None


class Introduction(Struct, frozen=True, kw_only=True):
    """What a client said of itself in `connect`, whichever form it took. Nothing here is believed yet."""

    generation: Generation
    min_protocol: int
    max_protocol: int
    id: str
    mode: str
    version: str
    platform: str
    role: str
    asked: tuple[str, ...]
    """The scopes that it wrote, in its order: what it signed."""
    scopes: tuple[str, ...] | None
    """The scopes that it thereby asks for; None: all that its credential has."""
    token: str = ""
    password: str = ""
    device_token: str = ""
    bootstrap_token: str = ""
    device: Device | None = None
    public_key: str = ""
    """A Moltis node's key, which it has yet to prove."""
    display_name: str = ""
    family: str = ""
    model: str = ""
    instance_id: str = ""
    time_zone: str = ""
    caps: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    permissions: dict[str, bool] = {}
    path_env: str = ""

    is_flat: bool = False
    """Whether a Moltis client wrote the older form, whose clients expect to hear all without asking."""

    @property
    def protocol(self) -> int:
        """The number that was agreed on."""
        return PROTOCOLS[self.generation]

    @property
    def is_control_ui(self) -> bool:
        """Whether it is a page in a browser."""
        return self.id in CONTROL_UI_IDS


_shape = msgspec.json.Decoder(_Shape).decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_v3 = msgspec.json.Decoder(V3Connect).decode
_decode_v4 = msgspec.json.Decoder(V4Connect).decode
_decode_moltis = msgspec.json.Decoder(MoltisConnect).decode


def parse_connect(params: bytes) -> Introduction:
    """Return what a client says of itself.

    Raises:
        msgspec.DecodeError: The parameters do not fit their generation; one of `wire.machine.UNREADABLE` in any case.
    """
    generation = generation_of(params)
    if generation is Generation.MOLTIS:
        return _from_moltis(_decode_moltis(params))
    return _from_openclaw(_decode_v3(params) if generation is Generation.V3 else _decode_v4(params), generation)


def generation_of(params: bytes) -> Generation:
    """Return which generation these parameters are of; a range that holds 4 is the fourth.

    Raises:
        msgspec.DecodeError: They are no JSON object.
    """
    members = _members(params)
    shape = _shape(params)
    auth = shape.auth if isinstance(shape.auth, dict) else {}
    if not MOLTIS_MEMBERS.isdisjoint(members) or not MOLTIS_AUTH.isdisjoint(auth):
        return Generation.MOLTIS
    return Generation.V3 if shape.max_protocol == PROTOCOLS[Generation.V3] else Generation.V4


def _from_openclaw(params: V3Connect | V4Connect, generation: Generation) -> Introduction:
    client, auth = params.client, params.auth
    device = params.device
    if isinstance(device, NoncedDevice):
        device = Device(device.id, device.public_key, device.signature, device.signed_at, device.nonce)
    asked = tuple(params.scopes)
    is_everything = generation is Generation.V3 and params.role == OPERATOR and not asked
    return Introduction(
        generation=generation,
        min_protocol=params.min_protocol,
        max_protocol=params.max_protocol,
        id=client.id,
        mode=client.mode,
        version=client.version,
        platform=client.platform,
        role=params.role,
        asked=asked,
        scopes=(ADMIN,) if is_everything else asked,
        token=auth.token,
        password=auth.password,
        device_token=auth.device_token if isinstance(auth, V4Auth) else "",
        bootstrap_token=auth.bootstrap_token if isinstance(auth, V4Auth) else "",
        device=None if isinstance(device, UnsetType) else device,
        display_name=client.display_name,
        family=client.device_family,
        model=client.model_identifier,
        instance_id=client.instance_id,
        time_zone=client.time_zone if isinstance(client, V4Client) else "",
        caps=tuple(params.caps),
        commands=tuple(params.commands),
        permissions=dict(params.permissions),
        path_env=params.path_env,
    )


def _from_moltis(params: MoltisConnect) -> Introduction:
    client, auth = params.client, params.auth or MoltisAuth()
    offered = params.extensions.moltis if params.extensions is not None else MoltisExtension()
    spoken = params.protocol or MoltisRange(params.min_protocol or 0, params.max_protocol or 0)
    role = params.role or (NODE if auth.public_key else OPERATOR)
    return Introduction(
        generation=Generation.MOLTIS,
        min_protocol=spoken.min,
        max_protocol=spoken.max,
        id=client.id,
        mode=client.mode,
        version=client.version,
        platform=client.platform,
        role=role,
        asked=(),
        scopes=MOLTIS_SCOPES if auth.public_key else None,
        token=auth.token or auth.api_key or "",
        password=auth.password or "",
        device_token=auth.device_token or "",
        public_key=auth.public_key or "",
        is_flat=params.protocol is None,
        display_name=client.display_name or "",
        family=client.device_family or "",
        model=client.model_identifier or "",
        instance_id=client.instance_id or "",
        time_zone=params.timezone or "",
        caps=tuple(offered.caps or params.caps or ()),
        commands=tuple(offered.commands or params.commands or ()),
        permissions=dict(offered.permissions or params.permissions or {}),
        path_env=offered.path_env or params.path_env or "",
    )
