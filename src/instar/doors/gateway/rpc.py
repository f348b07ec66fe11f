"""`POST /api/rpc`: the HTTP twin of the socket. One request, one response frame; a failed method is an answer, too."""

import secrets

import msgspec

from instar.base.errors import InstarError
from instar.doors import credentials
from instar.hub.operations.hub import Caller, Credential
from instar.wire.gateway.frames import NonEmpty, answer_frame, error_frame
from instar.wire.gateway.method import Generation
from instar.wire.gateway.scopes import OPERATOR, theirs
from instar.wire.http import Request, Response
from instar.wire.limits import BODY_MAX_BYTES
from instar.wire.machine import UNREADABLE

from .call import Client
from .calling import CallContext, call_method, failure_of
from .gateway import Gateway

PATH = "/api/rpc"


class RpcRequest(msgspec.Struct, frozen=True):
    """The body: what a request frame says. Without an id the answer makes one up."""

    method: NonEmpty
    id: str | int | None = None
    params: msgspec.Raw = msgspec.Raw(b"")


_decode = msgspec.json.Decoder(RpcRequest).decode
_encode = msgspec.json.Encoder().encode


async def answer_rpc(gateway: Gateway, request: Request, vouched_for: str = "") -> Response:
    """Do one call and return its response frame, with status 200 whatever the method says.

    Args:
        gateway: What all calls share.
        request: The call.
        vouched_for: Login of the person whom a proxy has signed in.

    Raises:
        InstarError: `unauthorized` without a credential that holds; `method_not_allowed`; `bad_request` for a body that
            is no request; `too_large`.
    """
    if request.method != "POST":
        raise InstarError("method_not_allowed", f"{PATH} takes POST", hint="Send `POST` with a JSON body.")
    caller = _caller(gateway, request, vouched_for)
    body = await request.read_body(BODY_MAX_BYTES)
    try:
        asked = _decode(body)
    except UNREADABLE as error:
        raise InstarError("bad_request", f"the body is no request: {str(error)[:300]}") from None
    return Response(200, await _answer(gateway, caller, asked, request), route=PATH)


def _caller(gateway: Gateway, request: Request, vouched_for: str) -> Caller:
    """Return who asks. A role is named only with a token, so that none is told of pairing who has no device."""
    token = credentials.token_of(request)
    return gateway.hub.authenticate(
        Credential(
            token=token,
            role=OPERATOR if token else "",
            vouched_for=vouched_for,
            is_local=request.is_local,
            peer=request.peer,
            has_origin=credentials.has_origin(request),
        )
    )


async def _answer(gateway: Gateway, caller: Caller, asked: RpcRequest, request: Request) -> bytes:
    answer_id = str(asked.id) if asked.id is not None else secrets.token_hex(8)
    generation = Generation.MOLTIS
    client = Client(id="rpc", role=OPERATOR, scopes=tuple(theirs(caller.grant.scopes)))
    context = CallContext(gateway, caller, generation, client, request.request_id, request.peer)
    params = bytes(asked.params)
    try:
        return answer_frame(answer_id, _encode(await call_method(context, asked.method, params)))
    except InstarError as error:
        return error_frame(answer_id, *failure_of(error, generation, asked.method))
