"""`instar logs`."""

import json
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, cast

import click

from instar.cli.command import command
from instar.cli.outputs import Answer, Stream
from instar.cli.session import Session
from instar.cli.texts import visible
from instar.client.errors import HubError
from instar.client.http import JsonObject

POLL_S = 1.0
LINES_MAX = 5_000
LEVELS = ("debug", "info", "warning", "error")
_LEVEL_OF = {"critical": "error", "exception": "error", "warn": "warning"}
_HEAD = ("timestamp", "level", "event")


@command("instar logs -n 20 --level warning", "instar logs --json")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("-n", "--lines", type=click.IntRange(1, LINES_MAX), default=50, help="So many of the last lines.")
@click.option("--level", type=click.Choice(LEVELS), default="debug", help="The least severe lines to show.")
def logs(session: Session, *, follow: bool, lines: int, level: str) -> Answer | Stream:
    """Show the hub's own log.

    When no hub runs, that which the last one left in the data folder here. With --json each line is one document.
    """
    wanted = LEVELS[LEVELS.index(level) :]
    first = _read(session, None, LINES_MAX)
    shown = [entry for entry in map(_entry, first["lines"]) if _level(entry) in wanted][-lines:]
    if not follow:
        said = map(_line, shown) if shown else ["There is no such line."]
        return Answer({"file": first["file"], "entries": shown}, said, rows=shown)
    rest = (entry for entry in _later(session, first["cursor"]) if _level(entry) in wanted)
    return Stream(chain(shown, rest), _line)


def _later(session: Session, cursor: int) -> Iterator[dict[str, Any]]:
    """Yield what comes after a cursor, for ever; a hub that is away for a while is waited for."""
    while True:
        time.sleep(POLL_S)
        found = _read(session, cursor, LINES_MAX)
        if found.get("reset") or (found.get("truncated") and found["lines"]):
            session.output.note("The log was begun anew, or lines were left out.")
        cursor = found["cursor"]
        yield from map(_entry, found["lines"])


def _read(session: Session, cursor: int | None, limit: int) -> JsonObject:
    """Return the hub's answer, or what stands in the file when no hub runs."""
    try:
        return session.client.invoke("hub.logs", {"cursor": cursor, "limit": limit, "max_bytes": 1_000_000})
    except HubError as error:
        if error.code != "unreachable":
            raise
    from instar.server.log_file import path_in, read_tail  # noqa: PLC0415 - only without a hub

    path = path_in(Path(session.data_dir))
    if not path.exists():
        raise HubError("unreachable", f"no hub runs, and none has left a log at {path}")
    try:
        return {"file": str(path), **read_tail(path, cursor, limit=limit, max_bytes=1_000_000)._asdict()}
    except OSError as error:
        raise HubError("forbidden", f"{path} cannot be read: {error.strerror}", hint="Ask its owner.") from error


def _entry(line: str) -> dict[str, Any]:
    """Return a line as a document; what is none becomes the event of one."""
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {"event": line}


def _level(entry: dict[str, Any]) -> str:
    level = str(entry.get("level", "info"))
    return _LEVEL_OF.get(level, level)


def _line(entry: dict[str, Any]) -> str:
    """Return an entry as people read it; a traceback stands below."""
    head = f"{str(entry.get('timestamp', ''))[:23]:23}  {entry.get('level', ''):7}  {entry.get('event', '')}"
    rest = [f"{key}={_plain(value)}" for key, value in entry.items() if key not in (*_HEAD, "exception")]
    trace = [str(entry["exception"])] if entry.get("exception") else []
    return visible("\n".join(["  ".join([head, *rest]), *trace]))


def _plain(value: object) -> str:
    return value if isinstance(value, str) and value and " " not in value else json.dumps(value, ensure_ascii=False)


COMMAND = logs
