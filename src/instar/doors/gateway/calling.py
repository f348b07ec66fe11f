"""How a call finds its handler: the row, its parameters decoded, its key present, then the handler."""

from dataclasses import dataclass

import msgspec

from instar.base.errors import InstarError
from instar.hub.operations.hub import Caller
from instar.wire.gateway.method import Generation, Method
from instar.wire.gateway.methods import METHODS
from instar.wire.gateway.methods.params import unserved
from instar.wire.machine import UNREADABLE

from .call import Call, Client, Peer
from .gateway import Gateway
from .methods import HANDLERS


@dataclass(frozen=True, slots=True)
class CallContext:
    """Who calls, and over what."""

    gateway: Gateway
    caller: Caller
    generation: Generation
    client: Client
    request_id: str
    peer: Peer | None = None


_DECODERS = {
    (name, generation): msgspec.json.Decoder(method.params_for(generation)).decode
    for name, method in METHODS.items()
    for generation in method.generations
}


async def call_method(context: CallContext, name: str, raw_params: bytes) -> object:
    """Do a call and return its payload.

    Raises:
        InstarError: `not_found` with cause `unknown_method`, `bad_request` for parameters that do not fit, or what the
            handler raises.
    """
    row = METHODS.get(name)
    if row is None or context.generation not in row.generations:
        raise InstarError("not_found", f"unknown method: {name[:200]}", detail={"cause": "unknown_method"})
    params, key = decode_params(row, context.generation, raw_params)
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
    )
    return await HANDLERS[name](call)


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
