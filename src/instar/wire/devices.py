"""Devices: programs and machines with a key of their own, and how one is let in."""

import enum
from typing import Annotated

from msgspec import Meta, Struct

from .identity import Id, Name, Principal, Scope
from .limits import (
    KEY_EXPIRES_MAX_S,
    PAIRING_CODE_MAX_S,
    PAIRING_CODE_S,
    PAIRING_WINDOW_MAX_S,
    PAIRING_WINDOW_S,
    WAIT_MAX_S,
)
from .operation import Nothing, ObjectKind, Operation, Route, Verb

Encoded = Annotated[str, Meta(min_length=1, max_length=128)]
"""Bytes as base64url (padding and plain base64 are read as well)."""
Word = Annotated[str, Meta(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A short text of one line, for people."""


class Role(enum.StrEnum):
    """What a device connects as. It has a grant of its own for each."""

    OPERATOR = "operator"
    """A client of people or programs: it does what its scopes allow."""
    NODE = "node"
    """A machine that offers itself; it may answer, never ask."""


class Facts(Struct, frozen=True, omit_defaults=True):
    """What a device says of itself. Shown, never believed: nothing is decided on it."""

    name: Word = ""
    platform: Word = ""
    family: Word = ""
    model: Word = ""
    version: Word = ""
    client_id: Word = ""
    client_mode: Word = ""


class DeviceGrant(Struct, frozen=True, omit_defaults=True):
    """What a device may do in one role. Its token is never listed."""

    role: Role
    key_id: str
    """The grant, as `keys.list` shows it."""
    scopes: list[Scope]
    created_at: str
    agents: list[str] | None = None
    rooms: list[str] | None = None
    rotated_at: str = ""
    last_used_at: str = ""
    expires_at: str = ""
    withheld: list[Scope] = []
    """Scopes that it asked for and was not given: asking for them again is no new request, and gives nothing."""


class Device(Struct, frozen=True, omit_defaults=True):
    """A device that was let in."""

    id: str
    """SHA-256 of its public key in hex; of a device without a key a random id of the same form."""
    principal: str
    facts: Facts
    created_at: str
    grants: list[DeviceGrant] = []
    """One for each role that holds."""
    fingerprint: str = ""
    """`SHA256:…` of its public key; empty: it has none and shows its token alone."""
    public_key: str = ""
    alias: str = ""
    """The id that its dialect knows it by, if another (a Moltis node id)."""
    dialect: str = ""
    approved_by: str = ""
    revoked_at: str = ""
    last_seen_at: str = ""


class PairingState(enum.StrEnum):
    """What became of a pairing request."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    """The device asked for something else, under a new id."""


class PairingReason(enum.StrEnum):
    """Why a device has to ask."""

    NOT_PAIRED = "not-paired"
    ROLE = "role-upgrade"
    SCOPES = "scope-upgrade"
    FACTS = "metadata-upgrade"


class PairingRequest(Struct, frozen=True, omit_defaults=True):
    """A device that asks to be let in. It never changes: one that asks for something else gets another id."""

    id: str
    device_id: str
    facts: Facts
    role: Role
    scopes: list[Scope]
    state: PairingState
    created_at: str
    expires_at: str
    digest: str
    """SHA-256 of everything above that an approver decides on; approving names it."""
    fingerprint: str = ""
    public_key: str = ""
    alias: str = ""
    dialect: str = ""
    asked: list[str] = []
    """The scopes in the words of its dialect, in its order."""
    address: str = ""
    reason: PairingReason = PairingReason.NOT_PAIRED
    is_repair: bool = False
    """Whether the device was known before."""
    is_silent: bool = False
    """Whether the hub approved it by itself (`pairing.auto_approve`)."""
    decided_at: str = ""
    decided_by: str = ""


class KeyMismatch(Struct, frozen=True, omit_defaults=True):
    """Payload of `device.key_mismatch`: somebody else's key under a known device's name, or a new key of its own."""

    device_id: str
    alias: str
    name: str
    expected_fingerprint: str
    presented_fingerprint: str
    dialect: str = ""
    address: str = ""


class Challenge(Struct, frozen=True):
    """The hub's half of a handshake: what the device signs, and the proof that the hub is the one it knows."""

    hub_id: str
    hub_public_key: str
    hub_fingerprint: str
    nonce: str
    """Good once, for `CHALLENGE_S`."""
    signature: str
    """Of `signatures.hub_message` by the hub's key."""


class AskChallenge(Struct):
    """A device begins."""

    public_key: Encoded
    client_nonce: Encoded
    """32 random bytes, so that no old answer serves as the hub's proof."""


class AskPairing(Struct, omit_defaults=True):
    """A device asks to be let in; `signature` is of `signatures.device_message("pair", …)`."""

    public_key: Encoded
    nonce: Encoded
    signature: Encoded
    scopes: Annotated[list[Scope], Meta(max_length=16)] = []
    role: Role = Role.OPERATOR
    facts: Facts = Facts()


class RequestRef(Struct):
    """One pairing request by its id."""

    request_id: Id


class AwaitPairing(Struct, omit_defaults=True):
    """Ask what became of one's request; wait for the decision up to `wait` seconds."""

    request_id: Id
    wait: Annotated[float, Meta(ge=0, le=WAIT_MAX_S)] = 0.0


class PairingOutcome(Struct, frozen=True):
    """What the asking device may know of its request."""

    request_id: str
    state: PairingState
    expires_at: str


class SignIn(Struct, omit_defaults=True):
    """A device proves itself; `signature` is of `signatures.device_message("sign-in", …)`."""

    public_key: Encoded
    nonce: Encoded
    signature: Encoded
    scopes: Annotated[list[Scope], Meta(max_length=16)] = []
    """What it wants to use; none asks for all that it has."""
    role: Role = Role.OPERATOR


class SignedIn(Struct, frozen=True):
    """A short session of a device; the only answer that carries its token."""

    token: str
    expires_at: str
    principal: Principal
    scopes: list[Scope]


class ApprovePairing(Struct, omit_defaults=True):
    """Let a device in, with these grants. What is left out is as it was asked for; nothing can be wider."""

    request_id: Id
    digest: str = ""
    """Of the request as it was shown; another one is a conflict."""
    scopes: list[Scope] | None = None
    agents: list[Id] | None = None
    rooms: list[Id] | None = None
    expires_in_s: Annotated[float, Meta(gt=0, le=KEY_EXPIRES_MAX_S)] | None = None


class DeviceRef(Struct):
    """One device by its id, or its alias."""

    device_id: Id


class RenameDevice(Struct):
    """Call a device something else."""

    device_id: Id
    name: Name


class RevokeDevice(Struct, omit_defaults=True):
    """End a device's rights: of one role, or of all, after which its key is refused until it is removed."""

    device_id: Id
    role: Role | None = None


class RotateToken(Struct, omit_defaults=True):
    """Replace the token of one role; `scopes` can only narrow."""

    device_id: Id
    role: Role = Role.OPERATOR
    scopes: list[Scope] | None = None


class DeviceToken(Struct, frozen=True):
    """A device's new token: the only answer that carries it."""

    device_id: str
    role: Role
    token: str
    scopes: list[Scope]
    rotated_at: str


class DeviceList(Struct, frozen=True):
    """Devices, newest first; revoked ones included."""

    devices: list[Device]


class RequestList(Struct, frozen=True):
    """Pairing requests that wait, oldest first."""

    requests: list[PairingRequest]


class OpenPairing(Struct, omit_defaults=True):
    """Let unknown devices ask, for this long."""

    for_s: Annotated[float, Meta(gt=0, le=PAIRING_WINDOW_MAX_S)] = PAIRING_WINDOW_S


class Reach(Struct, frozen=True):
    """How another machine reaches the hub, as far as the hub itself knows."""

    url: str = ""
    """Where it dials. Empty: the hub listens on its own machine alone."""
    certificate: str = ""
    """Fingerprint of the certificate that the hub made itself and shows there: what `--fingerprint` of `instar node
    join` takes. Empty: it is not encrypted there, or authorities vouch for the operator's own certificate."""


class PairingWindow(Struct, frozen=True):
    """Whether unknown devices may ask."""

    is_open: bool
    closes_at: str
    """Empty while it is closed."""
    pending: int
    pending_max: int
    hub_fingerprint: str
    """Of the hub's key: what a device that pairs shows of it."""
    reach: Reach = Reach()


class MakeCode(Struct, omit_defaults=True):
    """Make a short code that lets one device in without a request, with these grants."""

    scopes: Annotated[list[Scope], Meta(min_length=1)]
    role: Role = Role.OPERATOR
    name: Name = ""
    expires_in_s: Annotated[float, Meta(gt=0, le=PAIRING_CODE_MAX_S)] = PAIRING_CODE_S


class PairingCode(Struct, frozen=True):
    """A short code, shown once."""

    code: str
    expires_at: str


class UseCode(Struct, omit_defaults=True):
    """A client without a key is let in by a code; from then on it shows its token alone."""

    code: Annotated[str, Meta(min_length=1, max_length=64)]
    facts: Facts = Facts()


CHALLENGE = Operation(
    "devices.challenge", AskChallenge, Challenge, Verb.ENTER, ObjectKind.HUB,
    "Begin a device's handshake; the hub proves itself", Route("POST", "/v1/devices/challenge"),
)  # fmt: skip
ASK = Operation(
    "devices.ask", AskPairing, PairingRequest, Verb.ENTER, ObjectKind.HUB,
    "Ask to be let in as a device", Route("POST", "/v1/devices/requests", 201),
)  # fmt: skip
OUTCOME = Operation(
    "devices.outcome", AwaitPairing, PairingOutcome, Verb.ENTER, ObjectKind.HUB,
    "Ask what became of one's pairing request", Route("GET", "/v1/devices/requests/{request_id}/outcome"),
)  # fmt: skip
SIGN_IN = Operation(
    "devices.sign_in", SignIn, SignedIn, Verb.ENTER, ObjectKind.HUB,
    "Prove a device's key and get a session", Route("POST", "/v1/devices/sign-in"),
)  # fmt: skip
USE_CODE = Operation(
    "devices.use_code", UseCode, DeviceToken, Verb.ENTER, ObjectKind.HUB,
    "Be let in by a pairing code", Route("POST", "/v1/devices/use-code", 201),
)  # fmt: skip
LIST = Operation(
    "devices.list", Nothing, DeviceList, Verb.GRANT, ObjectKind.DEVICE, "List devices", Route("GET", "/v1/devices")
)
GET = Operation(
    "devices.get", DeviceRef, Device, Verb.READ, ObjectKind.DEVICE,
    "Show one device", Route("GET", "/v1/devices/{device_id}"),
)  # fmt: skip
REQUESTS = Operation(
    "devices.requests", Nothing, RequestList, Verb.GRANT, ObjectKind.DEVICE,
    "List the pairing requests that wait", Route("GET", "/v1/devices/requests"),
)  # fmt: skip
APPROVE = Operation(
    "devices.approve", ApprovePairing, Device, Verb.GRANT, ObjectKind.DEVICE,
    "Let a device in, with the grants that it should have",
    Route("POST", "/v1/devices/requests/{request_id}/approve"), idempotent=True, audited=True,
)  # fmt: skip
REJECT = Operation(
    "devices.reject", RequestRef, PairingRequest, Verb.GRANT, ObjectKind.DEVICE,
    "Turn a device away", Route("POST", "/v1/devices/requests/{request_id}/reject"), idempotent=True, audited=True,
)  # fmt: skip
RENAME = Operation(
    "devices.rename", RenameDevice, Device, Verb.MANAGE, ObjectKind.DEVICE,
    "Call a device something else", Route("PATCH", "/v1/devices/{device_id}"), audited=True,
)  # fmt: skip
ROTATE = Operation(
    "devices.rotate", RotateToken, DeviceToken, Verb.MANAGE, ObjectKind.DEVICE,
    "Replace a device's token; the old one and its sockets end at once",
    Route("POST", "/v1/devices/{device_id}/rotate"), audited=True,
)  # fmt: skip
REVOKE = Operation(
    "devices.revoke", RevokeDevice, Device, Verb.MANAGE, ObjectKind.DEVICE,
    "End a device's rights; its sockets close within a second",
    Route("POST", "/v1/devices/{device_id}/revoke"), audited=True,
)  # fmt: skip
REMOVE = Operation(
    "devices.remove", DeviceRef, Device, Verb.MANAGE, ObjectKind.DEVICE,
    "Forget a device; its key may ask again", Route("DELETE", "/v1/devices/{device_id}"), audited=True,
)  # fmt: skip
WINDOW = Operation(
    "pairing.status", Nothing, PairingWindow, Verb.GRANT, ObjectKind.DEVICE,
    "Say whether unknown devices may ask", Route("GET", "/v1/pairing"),
)  # fmt: skip
OPEN = Operation(
    "pairing.open", OpenPairing, PairingWindow, Verb.GRANT, ObjectKind.DEVICE,
    "Let unknown devices ask for a while", Route("POST", "/v1/pairing/open"), audited=True,
)  # fmt: skip
CLOSE = Operation(
    "pairing.close", Nothing, PairingWindow, Verb.GRANT, ObjectKind.DEVICE,
    "Let unknown devices ask no more", Route("POST", "/v1/pairing/close"), audited=True,
)  # fmt: skip
MAKE_CODE = Operation(
    "pairing.code", MakeCode, PairingCode, Verb.GRANT, ObjectKind.DEVICE,
    "Make a short code that lets one device in", Route("POST", "/v1/pairing/codes", 201), audited=True,
)  # fmt: skip

OPERATIONS = (
    CHALLENGE, ASK, OUTCOME, SIGN_IN, USE_CODE, LIST, GET, REQUESTS, APPROVE, REJECT, RENAME, ROTATE, REVOKE, REMOVE,
    WINDOW, OPEN, CLOSE, MAKE_CODE,
)  # fmt: skip
