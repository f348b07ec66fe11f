"""What a client of OpenClaw's is told whose token or password did not do: the words, the details and the next step."""

from typing import Any

from msgspec import UNSET

from instar.base.errors import InstarError

from .connect import Introduction
from .errors import INVALID_REQUEST
from .frames import ErrorShape
from .method import Generation

_CODES = {
    "token_missing": "AUTH_TOKEN_MISSING",
    "token_mismatch": "AUTH_TOKEN_MISMATCH",
    "password_missing": "AUTH_PASSWORD_MISSING",
    "password_mismatch": "AUTH_PASSWORD_MISMATCH",
    "device_token_mismatch": "AUTH_DEVICE_TOKEN_MISMATCH",
    "rate_limited": "AUTH_RATE_LIMITED",
}
_STEPS = {
    "token_missing": "update_auth_configuration",
    "password_missing": "update_auth_configuration",
    "token_mismatch": "update_auth_credentials",
    "password_mismatch": "update_auth_credentials",
    "device_token_mismatch": "update_auth_credentials",
    "rate_limited": "wait_then_retry",
}


def unauthorized(error: InstarError, cause: str, who: Introduction, *, is_local: bool) -> ErrorShape:
    """Return the failure of a credential. It never says how near a wrong one came."""
    cause = "rate_limited" if error.code == "rate_limited" else cause
    message = _message(cause, who, is_local=is_local)
    if who.generation is Generation.V3:
        return ErrorShape(INVALID_REQUEST, message)
    details: dict[str, Any] = {
        "code": _CODES.get(cause, "AUTH_UNAUTHORIZED"),
        "authReason": cause or "unauthorized",
        # A wrong secret is refused whatever comes with it: a second try with a device token beside it would be, too.
        "canRetryWithDeviceToken": False,
        "recommendedNextStep": _STEPS.get(cause, "review_auth_configuration"),
    }
    is_locked = cause == "rate_limited"
    wait_ms = UNSET if error.retry_after_s is None else round(error.retry_after_s * 1_000)
    return ErrorShape(
        INVALID_REQUEST,
        message,
        details,
        retryable=True if is_locked else UNSET,
        retry_after_ms=wait_ms if is_locked else UNSET,
    )


def _message(cause: str, who: Introduction, *, is_local: bool) -> str:
    fixed = {
        "rate_limited": "unauthorized: too many failed authentication attempts (retry later)",
        "device_token_mismatch": "unauthorized: device token mismatch (rotate/reissue device token)",
    }
    if cause in fixed:
        return fixed[cause]
    kind, _, state = cause.partition("_")
    if kind in ("token", "password") and state in ("missing", "mismatch"):
        return f"unauthorized: gateway {kind} {state} ({_next_step(kind, who, is_local=is_local)})"
    return "unauthorized"


def _next_step(kind: str, who: Introduction, *, is_local: bool) -> str:
    """Return where this kind of client has its credential from."""
    if who.is_control_ui:
        return f"enter the gateway's {kind} in the page's settings"
    if who.id != "cli":
        return f"provide gateway auth {kind}"
    return f"use this gateway's {kind}, or pair the device" if is_local else f"set gateway.remote.{kind}"
