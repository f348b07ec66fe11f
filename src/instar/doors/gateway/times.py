"""Moments as the dialect writes them: milliseconds since 1970."""

from datetime import UTC, datetime

from instar.base.clock import Micros, from_rfc3339, now, to_rfc3339


def now_ms() -> int:
    """Return the present."""
    return now() // 1_000


def millis(text: str) -> int | None:
    """Return a moment of ours in the dialect's form; None when there is none."""
    return from_rfc3339(text) // 1_000 if text else None


def moment(ms: int) -> str:
    """Return a moment of the dialect's in ours."""
    return to_rfc3339(Micros(ms * 1_000))


def day_of(ms: int) -> str:
    """Return the day of a moment, in UTC."""
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%d")
