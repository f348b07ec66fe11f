"""What a client raises.

Tree:
    InstarError
        HubError            the hub answered with an error
            UnreachableError    no hub answered
            TimedOutError       a hub took too long
"""

import json
from typing import Any, cast

from instar.base.errors import InstarError
from instar.wire.codes import CODES


class HubError(InstarError):
    """An error as a caller sees it: the code's row of `wire.codes` fills what the answer left out.

    Args:
        code: Stable code; an unknown one is kept as it is.
        message: What failed and why.
        hint: The next step; empty takes the code's own.
        retryable: Whether the same request may succeed later; None takes the code's own.
        retry_after_s: Seconds to wait before that, where the hub said so.
        request_id: The hub's name for the request, for its logs.
        detail: Machine-readable facts.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        retryable: bool | None = None,
        retry_after_s: float | None = None,
        request_id: str = "",
        detail: dict[str, Any] | None = None,
    ) -> None:
        row = CODES.get(code)
        super().__init__(
            code, message, hint=hint or (row.hint if row else ""), retry_after_s=retry_after_s, detail=detail
        )
        self.retryable = retryable if retryable is not None else bool(row and row.retryable)
        self.request_id = request_id


class UnreachableError(HubError):
    """No hub answered at the address, or the connection broke before its answer was whole."""

    def __init__(self, message: str) -> None:
        super().__init__("unreachable", message)


class TimedOutError(HubError):
    """The hub did not answer in time; what was asked may still happen."""

    def __init__(self, message: str) -> None:
        super().__init__("timeout", message)


_CODE_OF_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "unprocessable_entity",
    429: "rate_limited",
    502: "bad_gateway",
    503: "service_unavailable",
    504: "timeout",
}


def error_of(status: int, body: bytes, retry_after: str = "") -> HubError:
    """Return the error that an HTTP answer carries; a body of another make gives the status's own code."""
    try:
        parsed: Any = json.loads(body)
    except ValueError:
        parsed = None
    fields = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    code = str(fields.get("code") or _CODE_OF_STATUS.get(status, "internal_error"))
    wait = fields.get("retry_after_s") or (retry_after if retry_after.isdigit() else None)
    retryable = fields.get("retryable")
    return HubError(
        code,
        str(fields.get("error") or fields.get("message") or f"the server answered {status}"),
        hint=str(fields.get("hint") or ""),
        retryable=retryable if isinstance(retryable, bool) else None,
        retry_after_s=float(wait) if wait is not None else None,
        request_id=str(fields.get("request_id") or ""),
        detail=fields.get("detail"),
    )
