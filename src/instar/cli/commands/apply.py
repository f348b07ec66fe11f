"""`instar apply`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import click

from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import nearest, visible
from instar.client.errors import HubError

MOLTNET = "moltnet.v1"
"""The `version` of a Moltnet server file, whose rooms are taken and nothing else."""
KEYS = ("network_id", "rooms", "agents")
FIELDS = {
    "rooms": ("id", "name", "members", "visibility", "write_policy"),
    "agents": ("id", "name", "credential_key", "wake", "read", "reply", "runtime"),
}
"""What an entry may say; a test compares them with `wire.rooms.ApplyRoom` and `ApplyAgent`."""
_SIGNS = {"create": "+", "update": "~", "unchanged": "="}


@command("instar apply rooms.yaml --yes", "instar apply rooms.yaml --dry-run --json")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
def apply(session: Session, file: Path, *, yes: bool, dry_run: bool) -> Answer:
    """Make rooms and agents as a file declares them.

    FILE is YAML or JSON with `rooms` and `agents`, or a Moltnet server file, of which the rooms are taken. What it does
    not name stays. The plan is shown first; then all of it happens, or nothing.
    """
    wanted = declared(file)
    plan = session.invoke("hub.apply", **wanted, dry_run=True)
    changes = [change for change in plan["changes"] if change["action"] != "unchanged"]
    lines = [_line(change) for change in plan["changes"]]
    if dry_run:
        return Answer(plan, lines, rows=plan["changes"])
    if not changes:
        return Answer(plan, [*lines, "Everything is as declared."], rows=plan["changes"])
    if session.output.form == "text":
        session.output.note("\n".join(lines))
    counted = "1 change" if len(changes) == 1 else f"{len(changes)} changes"
    session.confirm(f"Make {counted}?", yes=yes)
    done = session.invoke("hub.apply", **wanted)
    return Answer(done, [f"Made {counted}."], rows=done["changes"])


def declared(file: Path) -> dict[str, Any]:
    """Return what a file declares, as parameters of `hub.apply`.

    Raises:
        HubError: `usage` when it is neither YAML nor JSON, or says something that is not understood.
    """
    content = _content(file)
    if content.get("version") == MOLTNET:
        return {"rooms": content.get("rooms") or []}
    if unknown := [key for key in content if key not in KEYS]:
        raise HubError(
            "usage", f"{file} declares {', '.join(map(str, unknown))}", hint=f"It may declare {', '.join(KEYS)}."
        )
    for key, fields in FIELDS.items():
        _check_entries(file, key, content.get(key) or [], fields)
    return {key: value for key, value in content.items() if value is not None}


def _check_entries(file: Path, key: str, entries: object, fields: Sequence[str]) -> None:
    """Refuse a field that nothing reads: a mistyped `members` would make an empty room."""
    if not isinstance(entries, list):
        raise HubError("usage", f"`{key}` of {file} is no list", hint=f"Begin each of `{key}` with `- id: NAME`.")
    for entry in cast("list[object]", entries):
        if not isinstance(entry, dict) or "id" not in entry:
            raise HubError("usage", f"{file} has an entry of `{key}` without an id", hint="Write it as `- id: NAME`.")
        named = cast("dict[str, object]", entry)
        if unknown := [field for field in named if field not in fields]:
            near = nearest(str(unknown[0]), fields)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"It may say {', '.join(fields)}."
            raise HubError("usage", f"{named['id']} in {file} says {unknown[0]!r}, which means nothing here", hint=hint)


def _content(file: Path) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise HubError("usage", f"{file} is no UTF-8 text") from error
    try:
        parsed: object = json.loads(text) if file.suffix == ".json" else _yaml(text)
    except ValueError as error:
        raise HubError(
            "usage", f"{file} cannot be read: {error}", hint="Correct it there; JSON is fine, too."
        ) from error
    if not isinstance(parsed, dict):
        raise HubError("usage", f"{file} holds no mapping", hint="Declare `rooms:` and `agents:`.")
    return cast("dict[str, Any]", parsed)


def _yaml(text: str) -> object:
    from ruamel.yaml import YAML  # noqa: PLC0415 - a fifth of a second, for YAML only
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    try:
        return cast("object", YAML(typ="safe", pure=True).load(text))  # pyright: ignore[reportUnknownMemberType]
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise ValueError(f"{place}{problem}") from error


def _line(change: dict[str, Any]) -> str:
    fields = f" ({', '.join(change['fields'])})" if change.get("fields") else ""
    action = str(change["action"])
    return f"{_SIGNS.get(action, '?')} {action} {change['kind']} {visible(change['id'])}{fields}"


COMMAND = apply
