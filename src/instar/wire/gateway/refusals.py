"""Why a handshake ends: the answer to `connect`, and the close that follows, in the words of each generation."""

from typing import Any, NamedTuple

from msgspec import UNSET

from instar.base.errors import InstarError
from instar.wire.devices import PairingRequest
from instar.wire.limits import GATEWAY_CLOSE_REASON_MAX_BYTES

from . import signing
from .connect import PROTOCOLS, Introduction
from .credentials import unauthorized
from .errors import FORBIDDEN, INVALID_REQUEST, NOT_PAIRED, error_shape
from .frames import ErrorShape
from .method import Generation
from .signing import Fault

POLICY = 1008
MISMATCHED = 1002
TOO_BIG = 1009

FIRST = "invalid handshake: first request must be connect"
MALFORMED = "invalid request frame"
ORIGIN = "origin not allowed (open the page from the hub's own address or add it to server.allowed_origins)"
CONTROL_UI = {
    Generation.V3: "control ui requires HTTPS or localhost (secure context)",
    Generation.V4: "control ui requires device identity (use HTTPS or localhost secure context)",
}
_DEVICE_CODES = {
    signing.MISMATCH: "DEVICE_AUTH_DEVICE_ID_MISMATCH",
    signing.STALE: "DEVICE_AUTH_SIGNATURE_EXPIRED",
    signing.NO_NONCE: "DEVICE_AUTH_NONCE_REQUIRED",
    signing.OTHER_NONCE: "DEVICE_AUTH_NONCE_MISMATCH",
    signing.BAD_SIGNATURE: "DEVICE_AUTH_SIGNATURE_INVALID",
    signing.BAD_KEY: "DEVICE_AUTH_PUBLIC_KEY_INVALID",
}
_FAULTS = {"signature_invalid": signing.BAD_SIGNATURE, "public_key_invalid": signing.BAD_KEY}
_WANTS = {
    "not-paired": "device is not approved yet",
    "role-upgrade": "device is asking for a higher role than currently approved",
    "scope-upgrade": "device is asking for more scopes than currently approved",
    "metadata-upgrade": "device identity changed and must be re-approved",
}
PAIRING_CLOSED = "pairing_closed"
PAIRING_CAUSES = frozenset(_WANTS)
"""Causes of `not_paired` that an operator's approval ends."""


class Refusal(NamedTuple):
    """The `res` of a refused `connect`, and the close."""

    error: ErrorShape
    code: int = POLICY
    reason: str = ""
    """Empty: the message."""

    @property
    def close_reason(self) -> str:
        """What the close frame says."""
        return cut(self.reason or self.error.message)


def cut(reason: str) -> str:
    """Return the reason of a close, no longer than a close frame should hold."""
    return reason.encode()[:GATEWAY_CLOSE_REASON_MAX_BYTES].decode(errors="ignore")


def plain(message: str) -> Refusal:
    """Refuse what is wrong in itself."""
    return Refusal(ErrorShape(INVALID_REQUEST, message))


def protocol_mismatch(who: Introduction) -> Refusal:
    """Refuse a client of another age."""
    lowest, highest = who.min_protocol, who.max_protocol
    if who.generation is Generation.MOLTIS:
        message = f"protocol mismatch: server={PROTOCOLS[Generation.MOLTIS]}, client={lowest}-{highest}"
        return Refusal(ErrorShape("PROTOCOL_ERROR", message), MISMATCHED)
    details: dict[str, Any] = {
        "code": "PROTOCOL_MISMATCH",
        "clientMinProtocol": lowest,
        "clientMaxProtocol": highest,
        "expectedProtocol": PROTOCOLS[Generation.V4],
        "minimumProbeProtocol": PROTOCOLS[Generation.V3],
    }
    return Refusal(ErrorShape(INVALID_REQUEST, "protocol mismatch", details), MISMATCHED)


def no_origin(generation: Generation) -> Refusal:
    """Refuse a page that hides where it came from."""
    details = {"code": "CONTROL_UI_ORIGIN_NOT_ALLOWED", "reason": "origin missing or invalid"}
    return Refusal(ErrorShape(INVALID_REQUEST, ORIGIN, details if generation is Generation.V4 else UNSET))


def device_fault(fault: Fault, generation: Generation) -> Refusal:
    """Refuse a device's proof."""
    if generation is Generation.MOLTIS:
        is_key = fault in (signing.BAD_KEY, signing.MISMATCH)
        return Refusal(
            ErrorShape(INVALID_REQUEST, "invalid Ed25519 public key")
            if is_key
            else ErrorShape(FORBIDDEN, "challenge-response verification failed")
        )
    details = {"code": _DEVICE_CODES[fault], "reason": fault.cause}
    return Refusal(ErrorShape(INVALID_REQUEST, fault.message, details if generation is Generation.V4 else UNSET))


def pairing_required(who: Introduction, device_id: str, cause: str, request: PairingRequest | None) -> Refusal:
    """Refuse a device that an operator has yet to let in; None: it may not even ask, as pairing is closed."""
    if who.generation is Generation.V3:
        asked = {"requestId": request.id} if request is not None else UNSET
        return Refusal(ErrorShape(NOT_PAIRED, "pairing required", asked))
    message = f"pairing required: {_WANTS[cause]}"
    details: dict[str, Any] = {"code": "PAIRING_REQUIRED", "reason": cause}
    if request is not None:
        details["requestId"] = request.id
        details["remediationHint"] = f"Approve it with `instar devices approve {request.id}`."
    else:
        details["remediationHint"] = "Run `instar pairing enable` where the hub runs, then connect again."
    details |= {"deviceId": device_id, "requestedRole": who.role, "requestedScopes": list(who.asked)}
    reason = f"{message} (requestId: {request.id})" if request is not None else message
    return Refusal(ErrorShape(NOT_PAIRED, message, details), reason=reason)


def refusal_of(error: InstarError, who: Introduction, *, is_local: bool) -> Refusal:
    """Return what a client is told whom `hub.authenticate` or `hub.request_pairing` refused."""
    cause = str(error.detail.get("cause", ""))
    if cause in _FAULTS:
        return device_fault(_FAULTS[cause], who.generation)
    if who.generation is Generation.MOLTIS:
        return _moltis(error, cause)
    if cause == "device_required":
        return _device_required(who)
    if cause in PAIRING_CAUSES or cause == PAIRING_CLOSED:
        reason = "not-paired" if cause == PAIRING_CLOSED else cause
        return pairing_required(who, who.device.id if who.device else "", reason, None)
    if error.code in ("unauthorized", "rate_limited"):
        return Refusal(unauthorized(error, cause, who, is_local=is_local))
    return Refusal(error_shape(error, who.generation))


def _device_required(who: Introduction) -> Refusal:
    is_fourth = who.generation is Generation.V4
    if who.is_control_ui:
        details = {"code": "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"} if is_fourth else UNSET
        return Refusal(ErrorShape(INVALID_REQUEST, CONTROL_UI[who.generation], details))
    details = {"code": "DEVICE_IDENTITY_REQUIRED"} if is_fourth else UNSET
    return Refusal(ErrorShape(NOT_PAIRED, "device identity required", details))


def _moltis(error: InstarError, cause: str) -> Refusal:
    if error.code == "device_revoked":
        return Refusal(ErrorShape(FORBIDDEN, "public key has been revoked"))
    if cause == PAIRING_CLOSED:
        return Refusal(ErrorShape(FORBIDDEN, "node pairing is disabled; an operator opens it for a while"))
    if error.code == "unauthorized":
        return Refusal(ErrorShape("UNAUTHORIZED", "authentication failed"))
    return Refusal(error_shape(error, Generation.MOLTIS))


REJECTED = Refusal(ErrorShape(FORBIDDEN, "pairing request rejected"))
EXPIRED = Refusal(ErrorShape("TIMEOUT", "pairing request expired"))
"""How the wait of a Moltis node ends badly."""
