"""What the door answers with: JSON with a trailing newline, and the dialect's error body with our fields after it."""

import http

import msgspec

from instar.base.errors import InstarError
from instar.wire.codes import CODES, status_of
from instar.wire.http import Request, Response

Headers = tuple[tuple[str, str], ...]

_encode = msgspec.json.Encoder().encode


class ErrorReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The error body: Moltnet's three members, then what helps a program to go on."""

    code: str
    error: str
    request_id: str
    hint: str = ""
    retryable: bool = False
    retry_after_s: float | None = None
    detail: dict[str, object] = {}


def json_reply(result: object, status: int = 200, headers: Headers = ()) -> Response:
    """Return `result` as JSON."""
    return Response(status, _encode(result) + b"\n", headers=headers)


def error_body(error: InstarError, request_id: str) -> ErrorReply:
    """Return an error as data; an unknown code is told as an internal error."""
    code = error.code if error.code in CODES else "internal_error"
    row = CODES[code]
    return ErrorReply(
        code=code,
        error=error.message,
        request_id=request_id,
        hint=error.hint or row.hint,
        retryable=row.retryable,
        retry_after_s=error.retry_after_s,
        detail=dict(error.detail),
    )


def error_reply(error: InstarError, request_id: str, headers: Headers = ()) -> Response:
    """Return an error with the status of its code, `Retry-After` where it is known, and the challenge of a 401."""
    status = status_of(error.code)
    if error.retry_after_s is not None:
        headers = (*headers, ("retry-after", str(max(1, round(error.retry_after_s + 0.5)))))
    if status == http.HTTPStatus.UNAUTHORIZED:
        headers = (*headers, ("www-authenticate", "Bearer"))
    return json_reply(error_body(error, request_id), status, headers)


def unknown_path(request: Request, allowed: list[str]) -> Response:
    """Answer what no route has: a browser goes to the console, everything else is told what is allowed."""
    if not allowed and request.method in ("GET", "HEAD"):
        return Response(307, b"", "text/html", (("location", "/console/"),))
    named = ", ".join(allowed or ["GET", "HEAD"])
    error = InstarError("method_not_allowed", f"{request.method} is not a method of {request.path}")
    return error_reply(error, request.request_id, (("allow", named),))
