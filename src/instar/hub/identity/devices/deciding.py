"""Decisions on pairing requests. A decision is on the request as it was shown, and is made once."""

from msgspec.structs import replace

from instar.base.clock import Micros, from_rfc3339, to_rfc3339
from instar.base.errors import InstarError
from instar.hub.identity.principals import DEVICE_ID_PREFIX, Grant
from instar.store.seam import Transaction
from instar.wire.devices import Device, PairingRequest, PairingState
from instar.wire.signatures import from_base64

from . import refusals, request_table, table
from .admission import Given, admit
from .events import say


async def waiting(tx: Transaction, request_id: str, at: Micros, digest: str = "") -> PairingRequest:
    """Return a request that waits for its decision.

    Args:
        tx: The transaction that the decision is made in.
        request_id: Which one.
        at: Now.
        digest: Of the request as it was shown to who decides; empty: they name it by its id, which no other bears.

    Raises:
        InstarError: `not_found`; `conflict` when it is decided, expired, or not the one that was shown.
    """
    request = await request_table.find(tx, request_id)
    if request is None:
        raise InstarError(
            "not_found", f"there is no pairing request {request_id!r}", hint="List them with `instar devices list`."
        )
    state = request.state
    if state is PairingState.PENDING and from_rfc3339(request.expires_at) <= at:
        state = PairingState.EXPIRED
    if state is not PairingState.PENDING:
        raise InstarError(
            "conflict",
            f"pairing request {request_id} is {state} already",
            hint="Let the device connect again; that makes a new request.",
            detail={"state": state.value},
        )
    if digest and digest != request.digest:
        raise InstarError(
            "conflict",
            "the pairing request is not the one that was shown",
            hint="Look at it again with `instar devices list`, then decide.",
        )
    return request


async def approve(
    tx: Transaction, request: PairingRequest, approver: Grant, given: Given, at: Micros, *, is_silent: bool = False
) -> Device:
    """Let the device of a waiting request in, with what is given.

    Raises:
        InstarError: `forbidden` for more than was asked for or than the approver has; `device_revoked`;
            `key_mismatch` when another device bears its name by now.
    """
    if excess := given.scopes - set(request.scopes):
        raise InstarError(
            "forbidden",
            f"the device did not ask for {', '.join(sorted(excess))}",
            hint="Give what was asked for, or less; let the device ask for more.",
        )
    known = await table.find(tx, request.device_id)
    if known is not None and known.revoked_at:
        raise refusals.revoked(known)
    key = from_base64(request.public_key) or b""
    pinned = await table.named(tx, request.alias)
    if pinned is not None and pinned.id != request.device_id:
        raise refusals.key_mismatch(pinned, key)
    name = known.facts.name if known and known.facts.name else request.facts.name
    device = Device(
        id=request.device_id,
        principal=DEVICE_ID_PREFIX + request.device_id,
        facts=replace(request.facts, name=name),
        created_at=request.created_at,
        alias=request.alias or (known.alias if known else ""),
        dialect=request.dialect,
        approved_by=approver.principal.id,
    )
    admitted, _ = await admit(tx, approver, device, key, given, at)
    await settle(tx, request, PairingState.APPROVED, at, approver.principal.id, is_silent=is_silent)
    return admitted


async def settle(
    tx: Transaction,
    request: PairingRequest,
    state: PairingState,
    at: Micros,
    actor: str = "",
    *,
    is_silent: bool = False,
) -> PairingRequest:
    """Write down what became of a request, and say it. One that was settled before stays as it is."""
    settled = replace(
        request, state=state, decided_at=to_rfc3339(at), decided_by=actor, is_silent=is_silent
    )  # fmt: skip
    if await request_table.settle(tx, settled, at):
        await say(tx, "device.resolved", settled, at, actor)
    return settled
