"""Structured logs on stderr, one line per event, without secrets: what looks like one is replaced before rendering."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO, cast

import structlog

REDACTED = "[redacted]"
_SECRET_KEYS = frozenset({"authorization", "cookie", "set-cookie", "password", "secret", "code", "token"})
_SECRET_ENDINGS = ("_token", "_secret", "_password", "_cookie", "-token", "-secret")
_SECRET_VALUE = re.compile(r"\b(?:ik_|is_|magt_v1_)[A-Za-z0-9_-]{8,}|(?i:\bBearer\s+)[A-Za-z0-9._~+/=-]+")
_DEPTH_MAX = 6


def redact(value: object, depth: int = 0) -> object:
    """Return `value` with token-like text replaced, in nested mappings and sequences too.

    A mapping's value under a secret's name is replaced whole. Beyond six levels everything is replaced.
    """
    if isinstance(value, str):
        return _SECRET_VALUE.sub(REDACTED, value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _DEPTH_MAX:
        return REDACTED
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {key: REDACTED if _is_secret(key) else redact(inner, depth + 1) for key, inner in pairs}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(inner, depth + 1) for inner in cast("list[object]", value)]
    return _SECRET_VALUE.sub(REDACTED, str(value))


def _is_secret(key: object) -> bool:
    name = str(key).lower()
    return name in _SECRET_KEYS or name.endswith(_SECRET_ENDINGS)


def _redact_event(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", redact(event, -1))


class Forgiving:
    """A text stream that never raises: a log on a full disk or behind a closed pipe must not stop the hub.

    `lost` counts the writes that failed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = 0

    def write(self, text: str) -> int:
        """Write, or count what could not be written."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            self.lost += 1
            return 0

    def flush(self) -> None:
        """Flush, or count what could not be written."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self.lost += 1

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self._stream.isatty()


def configure(level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Send the logs of Instar and of its libraries to `stream` (stderr).

    Args:
        level: debug, info, warning or error (`log.level`).
        style: `json` for machines, `text` for people, `auto` for text on a terminal only (`log.format`).
        stream: Where to write.
    """
    out = cast("TextIO", Forgiving(stream or sys.stderr))
    renderer: Any = structlog.processors.JSONRenderer()
    if style == "text" or (style == "auto" and out.isatty()):
        renderer = structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared[:-1],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redact_event, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.WARNING))
