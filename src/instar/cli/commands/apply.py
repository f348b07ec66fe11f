"""`instar apply`."""

import json
import sys
from pathlib import Path
from typing import Any, cast

import click

from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import visible
from instar.client.errors import HubError

MOLTNET = "moltnet.v1"
"""The `version` of a Moltnet server file, whose rooms are taken and nothing else."""
KEYS = ("network_id", "rooms", "agents")
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
    session.confirm(f"Make these {len(changes)} changes?", yes=yes)
    done = session.invoke("hub.apply", **wanted)
    return Answer(done, [f"Made {len(changes)} changes."], rows=done["changes"])


def declared(file: Path) -> dict[str, Any]:
    """Return what a file declares, as parameters of `hub.apply`.

    Raises:
        HubError: `usage` when it is neither YAML nor JSON, or holds something else.
    """
    content = _content(file)
    if content.get("version") == MOLTNET:
        return {"rooms": content.get("rooms") or []}
    if unknown := [key for key in content if key not in KEYS]:
        raise HubError(
            "usage", f"{file} declares {', '.join(map(str, unknown))}", hint=f"It may declare {', '.join(KEYS)}."
        )
    return content


def _content(file: Path) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise HubError("usage", f"{file} is no UTF-8 text") from error
    try:
        parsed: object = json.loads(text) if file.suffix == ".json" else _yaml(text)
    except ValueError as error:
        raise HubError("usage", f"{file} cannot be read: {error}") from error
    if not isinstance(parsed, dict):
        raise HubError("usage", f"{file} holds no mapping", hint="Declare `rooms:` and `agents:`.")
    return cast("dict[str, Any]", parsed)


def _yaml(text: str) -> object:
    from ruamel.yaml import YAML  # noqa: PLC0415 - a fifth of a second, for YAML only
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    try:
        return cast("object", YAML(typ="safe", pure=True).load(text))  # pyright: ignore[reportUnknownMemberType]
    except YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _line(change: dict[str, Any]) -> str:
    fields = f" ({', '.join(change['fields'])})" if change.get("fields") else ""
    action = str(change["action"])
    return f"{_SIGNS.get(action, '?')} {action} {change['kind']} {visible(change['id'])}{fields}"


COMMAND = apply
