"""The hub's own operations over the gateway: `instar.<operation>`, with its parameters and its result as they are."""

from typing import Any

import msgspec

from instar.base.errors import InstarError
from instar.hub.operations.hub import Caller, Hub
from instar.wire.machine import UNREADABLE
from instar.wire.operation import Body
from instar.wire.table import TABLE, AnyOperation

PREFIX = "instar."
KEY = "idempotencyKey"
"""Stands beside the parameters, as everywhere in this dialect."""

NATIVE: dict[str, AnyOperation] = {
    PREFIX + name: operation
    for name, operation in TABLE.items()
    if operation.route is None or operation.route.body is Body.JSON
}
"""Method → operation; what takes files is asked for over HTTP."""

_DECODERS = {method: msgspec.json.Decoder(operation.params).decode for method, operation in NATIVE.items()}
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


async def invoke_native(hub: Hub, caller: Caller, method: str, raw_params: bytes, request_id: str, address: str) -> Any:  # noqa: ANN401 - the operation's own result type
    """Invoke the operation that a method names.

    Raises:
        InstarError: `bad_request` for parameters that do not fit it; what the operation raises.
    """
    operation = NATIVE[method]
    try:
        members = _members(raw_params or b"{}")
        key = _text(members.pop(KEY)) if KEY in members else ""
        params = _DECODERS[method](_encode(members))
    except UNREADABLE as error:
        raise InstarError("bad_request", f"invalid {method} params: {str(error)[:300]}") from None
    return await hub.invoke(caller, operation, params, request_id=request_id, idempotency_key=key, peer=address)
