"""How a call finds its handler: the row, its parameters decoded, its key present, then the handler."""

from dataclasses import dataclass
from math import ceil

import msgspec

from instar.base.errors import InstarError
from instar.hub.operations.hub import Caller
from instar.wire.gateway.errors import UNKNOWN_METHOD, WRONG_ROLE, error_shape
from instar.wire.gateway.frames import AnyRequest, ErrorShape
from instar.wire.gateway.method import NODE, Generation, Method
from instar.wire.gateway.methods import METHODS
from instar.wire.gateway.methods.params import unserved
from instar.wire.gateway.scopes import ADMIN, OPERATOR
from instar.wire.machine import UNREADABLE

from .call import Call, Client, Peer, TurnFailedError
from .gateway import Gateway
from .hello import HEALTH
from .methods import HANDLERS
from .native import NATIVE, invoke_native


@dataclass(frozen=True, slots=True)
class CallContext:
    """Who calls, and over what."""

    gateway: Gateway
    caller: Caller
    generation: Generation
    client: Client
    request_id: str
    address: str
    peer: Peer | None = None


_DECODERS = {
    (name, generation): msgspec.json.Decoder(method.params_for(generation)).decode
    for name, method in METHODS.items()
    for generation in method.generations
}


CONTROL_WRITES = frozenset({"config.set", "config.patch", "config.apply"})
BARE = frozenset((b"", b"{}"))


def ready_answer(context: CallContext, request: AnyRequest) -> bytes | None:
    """Return the payload of a request that needs no work at all, or None: then it goes the long way.

    It is the same answer: health that was taken within the last minute for the very grant that asks.
    """
    if request.method != HEALTH or context.client.role != OPERATOR or bytes(request.params) not in BARE:
        return None
    return context.gateway.health.kept(context.caller)


async def call_method(context: CallContext, name: str, raw_params: bytes) -> object:
    """Do a call and return its payload.

    Who may do what is decided by the operations that the handler invokes. Told here, in the dialect's words, is only
    what they cannot know: a method of another role, and one that there is not, of which only an admin learns.

    Raises:
        InstarError: `forbidden` or `not_found` for these; `bad_request` for parameters that do not fit; what the
            handler raises; `rate_limited` for too many writes of settings.
    """
    row = METHODS.get(name)
    if row is not None and context.generation not in row.generations:
        row = None
    _check_role(context, name, row)
    if row is None:
        return await _unlisted(context, name, raw_params)
    params, key = decode_params(row, context.generation, raw_params or b"{}")
    call = Call(
        hub=context.gateway.hub,
        caller=context.caller,
        generation=context.generation,
        client=context.client,
        method=row,
        params=params,
        request_id=context.request_id,
        key=key,
        peer=context.peer,
        gateway=context.gateway,
        address=context.address,
    )
    if name in CONTROL_WRITES:
        _pace(context, name)
    return await HANDLERS[name](call)


def failure_of(error: InstarError, generation: Generation, name: str) -> tuple[ErrorShape, bytes]:
    """Return how the failure of a method is said, and the state of the turn that stands beside it, if it was one's."""
    row = METHODS.get(name)
    shape = error_shape(error, generation, row.scope_for(generation) if row is not None else "")
    return shape, msgspec.json.encode(error.payload) if isinstance(error, TurnFailedError) else b""


def _pace(context: CallContext, name: str) -> None:
    """Let a write of settings pass, as long as one principal does not make too many, whatever key it shows beside."""
    who = context.caller.principal.id
    if wait_s := context.gateway.writes.take((name, who)):
        told = f"rate limit exceeded for {name}; retry after {ceil(wait_s)}s"
        raise InstarError("rate_limited", told, retry_after_s=wait_s)


def _check_role(context: CallContext, name: str, row: Method | None) -> None:
    role = context.client.role
    is_nodes_own = row is not None and row.scope == NODE
    if is_nodes_own == (role == NODE) or (role == NODE and name == HEALTH and context.generation is Generation.V4):
        return
    raise InstarError("forbidden", f"unauthorized role: {role}", detail={"cause": WRONG_ROLE})


async def _unlisted(context: CallContext, name: str, raw_params: bytes) -> object:
    """Do one of the hub's own operations, or refuse a method that there is not."""
    if name in NATIVE:
        hub = context.gateway.hub
        return await invoke_native(hub, context.caller, name, raw_params, context.request_id, context.address)
    if ADMIN not in context.client.scopes:
        raise InstarError("forbidden", f"needs {ADMIN}", detail={"missing": ADMIN})
    raise InstarError("not_found", f"unknown method: {name[:200]}", detail={"cause": UNKNOWN_METHOD})


def decode_params(row: Method, generation: Generation, raw_params: bytes) -> tuple[msgspec.Struct, str]:
    """Return the parameters of a method and the idempotency key among them.

    Raises:
        InstarError: `bad_request` that names the place and what was expected there; `not_available` for a field that
            stands for something Instar does not have.
    """
    try:
        params = _DECODERS[row.name, generation](raw_params)
    except UNREADABLE as error:
        raise InstarError("bad_request", f"invalid {row.name} params: {str(error)[:300]}") from None
    if places := unserved(params):
        raise InstarError("not_available", f"{row.name}: Instar has no {', '.join(places)}")
    key = getattr(params, "idempotency_key", None) or ""
    if row.needs_key and not key:
        raise InstarError("bad_request", f"invalid {row.name} params: idempotencyKey is required")
    return params, key
