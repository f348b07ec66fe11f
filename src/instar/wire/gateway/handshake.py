"""What the first frame of a client must be: the checks that need no hub, in the dialect's own order.

It is a request; its method is `connect`; its parameters fit their generation; the protocol is one of ours; the role is
known; a page in a browser says where it came from; and a device's proof is of this connection. What follows (the
signature itself, credential, pairing) is the hub's to decide.
"""

from typing import NamedTuple

import msgspec

from instar.wire import machine
from instar.wire.limits import GATEWAY_UNAUTHENTICATED_FRAME_MAX_BYTES

from . import refusals, signing
from .actions import End, Send, ServerAction
from .connect import PROTOCOLS, Introduction, parse_connect
from .frames import Request, decode_any, decode_request, error_frame
from .method import Generation
from .refusals import Refusal
from .scopes import NODE, ROLES
from .signing import Fault, Proof

CONNECT = "connect"
PROBE = "probe"


class Arrival(NamedTuple):
    """How a connection came about: what the handshake depends on besides what the client says."""

    nonce: str
    """Of `connect.challenge`; a device's signature holds it."""
    at_ms: int
    """When it was opened, in milliseconds since 1970."""
    is_local: bool
    has_origin: bool


class Greeting(NamedTuple):
    """A first frame that is in order."""

    request_id: str
    who: Introduction
    proof: Proof | None
    """What its device must have signed; a Moltis node has yet to sign."""


def read_first(payload: bytes, is_text: bool, arrival: Arrival, now_ms: int) -> Greeting | list[ServerAction]:
    """Return what a client says of itself, or how its connection ends."""
    if len(payload) > GATEWAY_UNAUTHENTICATED_FRAME_MAX_BYTES:
        return [End(refusals.TOO_BIG, "preauth payload too large")]
    request = _request(payload, is_text)
    if isinstance(request, End):
        return [request]
    if request.method != CONNECT:
        return refuse(request.id, refusals.plain(refusals.FIRST))
    try:
        who = parse_connect(bytes(request.params) or b"null")
    except machine.UNREADABLE as error:
        return refuse(request.id, refusals.plain(f"invalid connect params: {str(error)[:300]}"))
    checked = check(who, arrival, now_ms)
    return refuse(request.id, checked) if isinstance(checked, Refusal) else Greeting(request.id, who, checked)


def check(who: Introduction, arrival: Arrival, now_ms: int) -> Refusal | Proof | None:
    """Return why a client cannot be admitted whoever it is; else what its device must have signed, if it has one."""
    if not speaks(who):
        return refusals.protocol_mismatch(who)
    if who.role not in ROLES:
        return refusals.plain("invalid role")
    if who.is_control_ui and not arrival.has_origin and who.generation is Generation.V4:
        return refusals.no_origin(who.generation)
    if who.public_key:
        is_key = signing.raw_public_key(who.public_key) is not None
        return None if is_key else refusals.device_fault(signing.BAD_KEY, who.generation)
    if who.device is None:
        return None
    proof = signing.proof_of(who, arrival.nonce, now_ms, is_local=arrival.is_local)
    return refusals.device_fault(proof, who.generation) if isinstance(proof, Fault) else proof


def speaks(who: Introduction) -> bool:
    """Whether the range of protocols that a client names holds one of ours; a probe may be of the next age already."""
    if who.min_protocol <= PROTOCOLS[who.generation] <= who.max_protocol:
        return True
    is_lenient = who.generation is Generation.V4 and (who.mode == PROBE or (who.role == NODE and who.mode == NODE))
    return is_lenient and who.min_protocol <= PROTOCOLS[Generation.V4] and who.max_protocol >= PROTOCOLS[Generation.V3]


def refuse(request_id: str, refusal: Refusal) -> list[ServerAction]:
    """Answer `connect` with a refusal and close."""
    return [Send(error_frame(request_id, refusal.error)), End(refusal.code, refusal.close_reason)]


def _request(payload: bytes, is_text: bool) -> Request | End:
    """Return the first frame, if it is a request; what is no JSON ends without a word, as the original does."""
    if not is_text:
        return End(1000)
    try:
        request = decode_request(payload, None)
    except msgspec.ValidationError:
        return End(refusals.POLICY, refusals.MALFORMED) if is_json(payload) else End(1000)
    except machine.UNREADABLE:
        return End(1000)
    assert isinstance(request, Request)
    return request


def is_json(payload: bytes) -> bool:
    """Whether it is JSON at all: a validation error can come before the place where it stops being any."""
    try:
        decode_any(payload)
    except machine.UNREADABLE:
        return False
    return True
