"""Structured logs on stderr, one line per event, without secrets: what looks like one is replaced before rendering.

They are kept as JSON lines in a file too.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, TextIO, cast

import structlog

from .log_file import LogFile

REDACTED = "[redacted]"
_SECRET_KEYS = frozenset({"authorization", "cookie", "set-cookie", "password", "secret", "code", "token"})
_SECRET_ENDINGS = ("_token", "_secret", "_password", "_cookie", "-token", "-secret")
_SECRET_VALUE = re.compile(r"\b(?:ik_|is_|il_|ip_|idt_|magt_v1_)[A-Za-z0-9_-]{8,}|(?i:\bBearer\s+)[A-Za-z0-9._~+/=-]+")
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


class _Hiding:
    """A processor that replaces secrets that are known by their value: a shared one may look like any word."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._known = re.compile("|".join(map(re.escape, sorted(secrets, key=len, reverse=True)))) if secrets else None

    def __call__(self, _: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        known = self._known
        return event if known is None else {key: self._hidden(value, known) for key, value in event.items()}

    def _hidden(self, value: Any, known: re.Pattern[str]) -> Any:  # noqa: ANN401 - what somebody logged
        """Return a value, of those that `redact` leaves, without the secrets."""
        if isinstance(value, str):
            return known.sub(REDACTED, value)
        if isinstance(value, dict):
            pairs = cast("dict[object, object]", value).items()
            return {self._hidden(key, known): self._hidden(inner, known) for key, inner in pairs}
        if isinstance(value, list):
            return [self._hidden(inner, known) for inner in cast("list[object]", value)]
        return value


class _Keeping:
    """A processor that writes each event to the log file as well."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._render = structlog.processors.JSONRenderer()

    def __call__(self, logger: object, name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        self._file.write(str(self._render(logger, name, dict(event))))
        return event


def configure(
    level: str = "info",
    style: str = "auto",
    stream: TextIO | None = None,
    *,
    file: LogFile | None = None,
    secrets: Sequence[str] = (),
) -> None:
    """Send the logs of Instar and of its libraries to `stream` (stderr).

    Args:
        level: debug, info, warning or error (`log.level`).
        style: `json` for machines, `text` for people, `auto` for text on a terminal only (`log.format`).
        stream: Where to write.
        file: Where the lines are kept besides.
        secrets: Texts that no line may hold.
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
    ]
    last: list[Any] = [_redact_event, _Hiding(secrets), *([_Keeping(file)] if file else []), renderer]
    structlog.configure(
        processors=[*shared, *last],
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.getLogger().handlers = [handler]
    set_level(level)


def set_level(level: str) -> None:
    """Write lines of this level (`log.level`) and above from now on; of libraries warnings at most."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(number))
    logging.getLogger().setLevel(max(number, logging.WARNING))
