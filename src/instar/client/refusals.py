"""Failures that come over the native link."""

from instar.wire.native.frames import ErrorBody

from .errors import HubError


def refusal(body: ErrorBody) -> HubError:
    """Return a failure that a frame of the native link carries."""
    return HubError(
        body.code,
        body.message,
        hint=body.hint,
        retryable=body.retryable,
        retry_after_s=body.retry_after_s,
        request_id=body.request_id,
        detail=body.detail,
    )
