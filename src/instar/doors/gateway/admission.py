"""What a client said and how it came, as the hub asks for it: a credential, and what its device asks for."""

import secrets
import uuid
from dataclasses import dataclass, field

from instar.doors import credentials
from instar.hub.operations.hub import Credential, PairingAsk, Signed
from instar.wire.devices import Facts, Role
from instar.wire.gateway.connect import Introduction
from instar.wire.gateway.handshake import Arrival
from instar.wire.gateway.method import Generation
from instar.wire.gateway.scopes import ADMIN, asked, besides, ours
from instar.wire.gateway.signing import Proof
from instar.wire.http import Request
from instar.wire.identity import Scope
from instar.wire.signatures import NONCE_BYTES

from .times import now_ms


@dataclass(frozen=True, slots=True)
class Arrived:
    """The upgrade that a socket began with."""

    request_id: str
    peer: str
    is_local: bool
    has_origin: bool
    vouched_for: str = ""
    """Login of the person whom a trusted proxy or the tailnet names."""
    token: str = field(default="", repr=False)
    """Of the Authorization header or the session cookie; what `connect` brings comes before it."""
    nonce: str = field(default_factory=lambda: str(uuid.uuid4()))
    node_nonce: bytes = field(default_factory=lambda: secrets.token_bytes(NONCE_BYTES))
    at_ms: int = field(default_factory=now_ms)

    @property
    def facts(self) -> Arrival:
        """What the machine needs to know of it."""
        return Arrival(self.nonce, self.at_ms, self.is_local, self.has_origin)


def arrived(request: Request, vouched_for: str = "") -> Arrived:
    """Return how a socket begins.

    Raises:
        InstarError: `bad_request` for a token in the URL; `unauthorized` for an Authorization header of another scheme.
    """
    return Arrived(
        request_id=request.request_id,
        peer=request.peer,
        is_local=request.is_local,
        has_origin=credentials.has_origin(request),
        vouched_for=vouched_for,
        token=credentials.token_of(request),
    )


def credential_of(who: Introduction, proof: Proof | None, came: Arrived) -> Credential:
    """Return what the client presents. Its `Signed` is one object: a signature counts for one connection."""
    is_fourth = who.generation is Generation.V4
    return Credential(
        token=who.token or who.device_token or who.bootstrap_token or came.token,
        password=who.password,
        signed=Signed(proof.public_key, proof.signature, proof.messages) if proof is not None else None,
        role=who.role,
        scopes=_wanted(who, proof),
        also=besides(who.scopes or (), who.role),
        vouched_for=came.vouched_for,
        is_local=came.is_local,
        peer=came.peer,
        has_origin=came.has_origin,
        dialect=dialect_of(who),
        alias=who.id if who.generation is Generation.MOLTIS else "",
        facts=facts_of(who) if is_fourth and who.device is not None else None,
    )


def _wanted(who: Introduction, proof: Proof | None) -> frozenset[Scope] | None:
    """Return what the connection wants to use.

    An admin lets nodes in, which only a grant with that scope can; no device that is an operator has one.
    """
    if who.scopes is None:
        return None
    wanted = ours(who.scopes, who.role)
    return wanted | {Scope.NODE} if ADMIN in who.scopes and proof is None else wanted


def ask_of(who: Introduction, came: Arrived) -> PairingAsk:
    """Return what the client's device asks to be let in for."""
    return PairingAsk(
        role=Role(who.role),
        scopes=asked(who.scopes or (), who.role),
        facts=facts_of(who),
        asked=who.asked,
        alias=who.id if who.generation is Generation.MOLTIS else "",
        dialect=dialect_of(who),
        address=came.peer,
    )


def dialect_of(who: Introduction) -> str:
    """Return the dialect that a device is noted under."""
    return "moltis" if who.generation is Generation.MOLTIS else "openclaw"


def facts_of(who: Introduction) -> Facts:
    """Return what the client says of its machine."""
    return Facts(
        name=who.display_name,
        platform=who.platform,
        family=who.family,
        model=who.model,
        version=who.version,
        client_id=who.id,
        client_mode=who.mode,
    )
