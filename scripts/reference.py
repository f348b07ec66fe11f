"""Write the generated reference pages under docs/reference/. `tests/gates/test_reference.py` fails when they drift."""

import ast
import json
import sys
from pathlib import Path
from typing import NamedTuple

import click

from instar import __version__
from instar.cli.main import ROOT as COMMAND
from instar.hub.settings.keys import ALIASES, FOREIGN_VARIABLES, KEYS, default_of, env_name, reload_of
from instar.hub.settings.words import allowed, meanings
from instar.server.metrics import METRICS
from instar.wire import limits
from instar.wire.codes import CODES
from instar.wire.events import EVENT_TYPES
from instar.wire.schema.asyncapi import asyncapi
from instar.wire.schema.components import schemas, split
from instar.wire.schema.gateway import gateway_schema
from instar.wire.schema.openapi import openapi
from instar.wire.table import TABLE

sys.path.insert(0, str(Path(__file__).resolve().parent))
from typescript import typescript

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = "docs/reference"
CONSOLE_TYPES = "console/src/wire.ts"
UNITS = {"BYTES": "bytes", "S": "seconds", "MS": "milliseconds", "MIN": "per minute", "CHARS": "characters"}


class Limit(NamedTuple):
    """One constant of wire/limits.py."""

    name: str
    value: object
    section: str
    meaning: str


def read_limits() -> list[Limit]:
    """Return every limit with its section (the comment above it) and its docstring."""
    source = Path(limits.__file__).read_text()
    lines = source.splitlines()
    found: list[Limit] = []
    body = ast.parse(source).body
    for index, node in enumerate(body):
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)):
            continue
        name = node.targets[0].id
        following = body[index + 1] if index + 1 < len(body) else None
        documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        meaning = str(following.value.value) if documented else ""  # type: ignore[union-attr]
        above = [line[2:] for line in lines[: node.lineno] if line.startswith("# ")]
        found.append(Limit(name, getattr(limits, name), above[-1] if above else "", " ".join(meaning.split())))
    return found


def unit_of(name: str) -> str:
    """Return the unit that a limit's name ends in, or nothing for plain counts."""
    words = name.removesuffix("_MAX").split("_")
    if name.endswith("_PER_S"):
        return "per second"
    return next((UNITS[word] for word in reversed(words) if word in UNITS), "")


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    head = f"| {' | '.join(header)} |\n|{'---|' * len(header)}\n"
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)
    return head + "".join(f"| {' | '.join(row)} |\n" for row in cells)


def operations_page() -> str:
    """Return the page of operations, one section a noun."""
    page = "# Operations\n\nEach is served over HTTP and on the native link under its name.\n"
    nouns: dict[str, list[str]] = {}
    for name in TABLE:
        nouns.setdefault(name.partition(".")[0], []).append(name)
    for noun, names in sorted(nouns.items()):
        page += f"\n## {noun}\n\n"
        rows: list[list[str]] = []
        for name in names:
            operation = TABLE[name]
            route = operation.route
            where = f"`{route.method} {route.path}` → {route.status}" if route else ""
            fields = split(operation) if route else None
            query = ", ".join(f"`{field}`" for field in fields.query) if fields else ""
            notes = [
                word for word, is_so in (("idempotent", operation.idempotent), ("audited", operation.audited)) if is_so
            ]
            rows.append(
                [f"`{name}`", operation.summary, where, f"{operation.verb} {operation.object}", query, ", ".join(notes)]
            )
        page += table(["operation", "what", "HTTP", "right", "query", "notes"], rows)
    return page


def settings_page() -> str:
    """Return the page of settings."""
    rows: list[list[str]] = []
    for key in KEYS:
        names = [env_name(key), *(env_name(alias) for alias, target in ALIASES.items() if target == key)]
        names += [name for name, target in FOREIGN_VARIABLES.items() if target == key]
        variables = ", ".join(f"`{name}`" for name in names)
        default = json.dumps(default_of(key))
        rows.append([f"`{key}`", variables, f"`{default}`", str(reload_of(key)), allowed(key), meanings()[key]])
    return (
        "# Settings\n\nFlag, then environment, then `instar.yaml`, then default. See [settings](../settings.md) for "
        "how they are changed and what `live`, `restart` and `host` mean.\n\n"
    ) + table(["key", "environment", "default", "change", "allowed", "meaning"], rows)


def command_pages(command: click.Command, words: list[str]) -> str:
    """Return the help of a command and of those below it."""
    context = click.Context(command, info_name=" ".join(words), terminal_width=80, max_content_width=80)
    text = f"\n## {' '.join(words)}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                text += command_pages(child, [*words, name])
    return text


def pages() -> dict[str, str]:
    """Return path in the project → content of every generated file."""
    errors = [
        [f"`{code}`", str(row.status), "yes" if row.retryable else "no", row.meaning, row.hint]
        for code, row in CODES.items()
    ]
    bounds = [
        [f"`{limit.name}`", f"`{limit.value}`", unit_of(limit.name), limit.section, limit.meaning]
        for limit in read_limits()
    ]
    events = [[f"`{name}`", f"`{kind.payload}`", kind.meaning] for name, kind in EVENT_TYPES.items()]
    metrics = [[f"`{name}`", row.kind, ", ".join(row.labels), row.meaning] for name, row in METRICS.items()]
    documents = {
        "openapi.json": openapi(__version__),
        "asyncapi.json": asyncapi(__version__),
        "gateway.schema.json": gateway_schema(),
        "schema.json": {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": schemas()},
    }
    in_reference = {
        "operations.md": operations_page(),
        "errors.md": "# Error codes\n\n" + table(["code", "HTTP", "retry", "meaning", "next step"], errors),
        "limits.md": "# Limits\n\n" + table(["limit", "value", "unit", "of", "meaning"], bounds),
        "settings.md": settings_page(),
        "metrics.md": "# Metrics\n\n" + table(["name", "kind", "labels", "meaning"], metrics),
        "cli.md": "# The command\n" + command_pages(COMMAND, ["instar"]),
        "events.md": "# Event types\n\n" + table(["type", "payload in", "meaning"], events),
        **{name: json.dumps(document, indent=1) + "\n" for name, document in documents.items()},
    }
    return {**{f"{REFERENCE}/{name}": content for name, content in in_reference.items()}, CONSOLE_TYPES: typescript()}


def main() -> None:
    """Write every page; with --check only compare, and end with 1 when one has drifted."""
    drifted: list[str] = []
    for name, content in pages().items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text() != content:
            drifted.append(name)
            if "--check" not in sys.argv:
                path.write_text(content)
    print("\n".join(drifted) if drifted else "in step", file=sys.stderr)  # noqa: T201 - a script speaks
    sys.exit(bool(drifted) and "--check" in sys.argv)


if __name__ == "__main__":
    main()
