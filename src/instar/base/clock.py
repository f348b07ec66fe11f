"""Wall-clock time as integers of microseconds since the Unix epoch, and its RFC 3339 text."""

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import NewType

Micros = NewType("Micros", int)
"""A point in time: microseconds since 1970-01-01T00:00:00Z. Order of events is by `seq`, never by time."""

MICROS_PER_S = 1_000_000


def now() -> Micros:
    """Return the current time."""
    return Micros(time.time_ns() // 1_000)


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    """Return the text of a whole second; most stamps of a moment share it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def to_rfc3339(at: Micros) -> str:
    """Return `at` as RFC 3339 in UTC with `Z` and, when there is one, a six-digit fraction."""
    seconds, fraction = divmod(at, MICROS_PER_S)
    moment = _second(seconds)
    return f"{moment}.{fraction:06d}Z" if fraction else f"{moment}Z"


def from_rfc3339(text: str) -> Micros:
    """Parse RFC 3339 text with any offset; digits past the microsecond are dropped.

    Raises:
        ValueError: The text is no RFC 3339 timestamp with an offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"timestamp without an offset: {text!r}")
    return Micros(int(moment.replace(microsecond=0).timestamp()) * MICROS_PER_S + moment.microsecond)
