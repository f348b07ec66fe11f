"""How a failure of the hub is said in the dialect: its code, its message and its details, for each generation."""

from typing import Any

from msgspec import UNSET

from instar.base.errors import InstarError
from instar.wire.identity import Scope
from instar.wire.problem import problem

from .frames import ErrorShape
from .method import Generation
from .scopes import word_of

INVALID_REQUEST = "INVALID_REQUEST"
NOT_PAIRED = "NOT_PAIRED"
UNAVAILABLE = "UNAVAILABLE"
FORBIDDEN = "FORBIDDEN"
UNAUTHORIZED = "UNAUTHORIZED"

UNKNOWN_METHOD = "unknown_method"
WRONG_ROLE = "wrong_role"
NODE_TIMEOUT = "node_timeout"
NEVER = "never"
"""Causes (`detail["cause"]`) that the dialect words in its own way."""

_UNAVAILABLE = frozenset(
    {
        "internal_error", "data_corrupt", "bad_gateway", "service_unavailable", "storage_full", "overloaded",
        "too_many_streams", "lagging", "timeout", "request_timeout", "unreachable", "rate_limited", "not_available",
        "paused", "loop_stopped", "storage_locked", "node_away", "no_target", "expired", "cancelled",
        "plan_changed",
    }
)  # fmt: skip
"""Codes of the hub for which the same request was in order, but cannot be done now or here."""

_MOLTIS = {
    "unauthorized": UNAUTHORIZED,
    "forbidden": FORBIDDEN,
    "denied": FORBIDDEN,
    "command_refused": FORBIDDEN,
    "origin_refused": FORBIDDEN,
    "host_only": FORBIDDEN,
    "device_revoked": FORBIDDEN,
    "key_mismatch": FORBIDDEN,
    "not_paired": NOT_PAIRED,
    "not_found": "NOT_FOUND",
    "conflict": "CONFLICT",
    "id_reused": "CONFLICT",
    "rate_limited": "RATE_LIMITED",
    "timeout": "TIMEOUT",
    "request_timeout": "TIMEOUT",
    "too_large": "PAYLOAD_TOO_LARGE",
    "internal_error": "INTERNAL",
}

_MOLTIS_CAUSES = {UNKNOWN_METHOD: "UNKNOWN_METHOD", WRONG_ROLE: FORBIDDEN, NODE_TIMEOUT: "AGENT_TIMEOUT"}

_OURS = frozenset({"cause", "missing"})
"""Details that are the hub's own words: their meaning is in code and message already."""


def error_shape(error: InstarError, generation: Generation, scope: str = "") -> ErrorShape:
    """Return the failure of a method.

    Args:
        error: What the handler raised. `code` in its detail is the dialect's own detail code.
        generation: Who reads it.
        scope: The dialect's scope of the method's row, told to who lacks a right.
    """
    if "missing" in error.detail:
        word = word_of(str(error.detail["missing"]))
        return missing_scope(word if word == Scope.EXECUTE else scope or word, generation)
    told = problem(error, "")
    details: dict[str, Any] = {"code": told.code.upper()}
    details |= {name: value for name, value in error.detail.items() if name not in _OURS}
    details.setdefault("hint", told.hint)
    return ErrorShape(
        code=_code(error, generation),
        message=told.error,
        details=details,
        retryable=True if told.retryable else UNSET,
        retry_after_ms=UNSET if error.retry_after_s is None else max(0, round(error.retry_after_s * 1_000)),
    )


def missing_scope(scope: str, generation: Generation) -> ErrorShape:
    """Return what a client is told that lacks a scope."""
    message = f"missing scope: {scope}"
    if generation is Generation.MOLTIS:
        return ErrorShape(UNAUTHORIZED, message)
    if generation is Generation.V3:
        return ErrorShape(INVALID_REQUEST, message)
    details = {"code": "MISSING_SCOPE", "missingScope": scope, "requiredScopes": [scope]}
    return ErrorShape(FORBIDDEN, message, details)


def _code(error: InstarError, generation: Generation) -> str:
    cause = error.detail.get("cause")
    if cause == NEVER:
        return INVALID_REQUEST
    if generation is Generation.MOLTIS:
        if named := _MOLTIS_CAUSES.get(str(cause)):
            return named
        return _MOLTIS.get(error.code) or (UNAVAILABLE if error.code in _UNAVAILABLE else INVALID_REQUEST)
    if error.code == "not_paired":
        return NOT_PAIRED
    if error.code in _UNAVAILABLE:
        return UNAVAILABLE
    return FORBIDDEN if error.code == "forbidden" and generation is Generation.V4 and not cause else INVALID_REQUEST
