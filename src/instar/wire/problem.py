"""How a failure looks in an HTTP body; every door answers with it, so a client learns one shape."""

from typing import Any

import msgspec

from instar.base.errors import InstarError

from .codes import CODES, Code, status_of
from .http import Response

FAULT = "internal_error"


class Problem(msgspec.Struct, frozen=True):
    """The body of an HTTP error."""

    code: str
    """A row of the error table."""
    error: str
    """What failed and why."""
    hint: str
    """The next step."""
    retryable: bool
    request_id: str
    retry_after_s: float | msgspec.UnsetType = msgspec.UNSET
    detail: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


def problem(error: InstarError, request_id: str) -> Problem:
    """Return `error` as data. A fault of the hub itself is told in general words: its text may name internals."""
    row: Code = CODES.get(error.code, CODES[FAULT])
    is_fault = row is CODES[FAULT]
    return Problem(
        code=FAULT if is_fault else error.code,
        error=row.meaning.rstrip(".") if is_fault else error.message,
        hint=row.hint if is_fault else error.hint or row.hint,
        retryable=row.retryable,
        request_id=request_id,
        retry_after_s=msgspec.UNSET if error.retry_after_s is None else error.retry_after_s,
        detail=error.detail if error.detail and not is_fault else msgspec.UNSET,
    )


def error_body(error: InstarError, request_id: str) -> bytes:
    """Return the JSON body of `error`."""
    return msgspec.json.encode(problem(error, request_id))


def error_response(error: InstarError, request_id: str, route: str = "") -> Response:
    """Return the whole response of `error`, with `Retry-After` in whole seconds where that is known."""
    headers: tuple[tuple[str, str], ...] = ()
    if error.retry_after_s is not None:
        headers = (("retry-after", str(max(1, int(-(-error.retry_after_s // 1))))),)
    if error.code == "unauthorized":
        headers = (*headers, ("www-authenticate", "Bearer"))
    return Response(status_of(error.code), error_body(error, request_id), headers=headers, route=route)
