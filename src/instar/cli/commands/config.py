"""`instar config …`: read settings."""

import json
from typing import Any

import click

from instar.cli.command import Group, command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.settings import key_of, running
from instar.cli.texts import plain, relative, table
from instar.client.http import JsonObject

from .config_changes import rollback, set_, unset


@command("instar config show --origin")
@click.option("--origin", "with_origin", is_flag=True, help="Say where each value comes from.")
@click.option("--changed", is_flag=True, help="Only what is not the default.")
def show(session: Session, *, with_origin: bool, changed: bool) -> Answer:
    """Show every setting.

    Of the running hub, or, when none runs, of the one that `instar start` would start here. Origins are flag, env,
    file and default; the first wins. Secrets are shown as set or not.
    """
    found = _listing(session)["settings"]
    shown = [row for row in found if not changed or row["origin"] != "default" or row.get("is_pending")]
    columns = ("key", "value", "origin", "reload") if with_origin else ("key", "value")
    lines = table([name.upper() for name in columns], [[plain(row[name]) for name in columns] for row in shown])
    if waiting := [row["key"] for row in found if row.get("is_pending")]:
        session.output.note(f"The file says otherwise of {', '.join(waiting)}: it holds at the next start.")
    return Answer({"settings": shown}, lines, rows=shown)


@command("instar config get log.level")
@click.argument("key")
def get(session: Session, key: str) -> Answer:
    """Show one setting.

    As text it prints the value alone, for scripts.
    """
    name = key_of(key)
    row = next(row for row in _listing(session)["settings"] if row["key"] == name)
    return Answer(row, [plain(row["value"])])


@command("instar config history")
def history(session: Session) -> Answer:
    """List the last versions of the settings file.

    Newest first. Go back to one with `instar config rollback VERSION`.
    """
    found = session.invoke("settings.history") if running(session) is not None else {"versions": _kept(session)}
    rows = [
        (
            row["version"],
            relative(row["saved_at"]),
            row.get("by", ""),
            ", ".join(row["changed"]),
            row.get("comment", ""),
        )
        for row in found["versions"]
    ]
    heads = ("VERSION", "SAVED", "BY", "CHANGED", "COMMENT")
    return Answer(found, table(heads, rows, empty="The settings were never changed."), rows=found["versions"])


@command("instar config path")
def path(session: Session) -> Answer:
    """Show where the settings file is, or would be made."""
    found = _listing(session)["path"]
    return Answer({"path": found}, [found])


@command("instar config schema", offline=True)
def schema(session: Session) -> Answer:  # noqa: ARG001 - the shape of a command
    """Print the JSON Schema of the settings file, for editors."""
    from instar.hub.settings.schema import file_schema  # noqa: PLC0415 - for settings alone

    found = file_schema()
    return Answer(found, [json.dumps(found, indent=2)])


@command("instar config validate", "instar config validate hub.yaml", offline=True)
@click.argument("file", type=click.Path(dir_okay=False), required=False)
def validate(session: Session, file: str | None) -> Answer:
    """Check a settings file without starting anything.

    Without FILE it is the one that `instar start` would read here, with the environment.
    """
    from instar.hub.settings.binding import check_bind  # noqa: PLC0415 - for settings alone
    from instar.hub.settings.load import load  # noqa: PLC0415

    loaded = load({}, session.environ, file)
    check_bind(loaded.settings)
    place = str(loaded.file) if loaded.file else "without a settings file"
    return Answer({"valid": True, "path": str(loaded.file or "")}, [f"The settings are in order: {place}."])


def _listing(session: Session) -> JsonObject:
    """Return `settings.list`, of a hub that would start here when none runs."""
    if (found := running(session)) is not None:
        return found
    import msgspec  # noqa: PLC0415 - only without a hub

    from instar.hub.settings.handlers import setting_list  # noqa: PLC0415
    from instar.hub.settings.load import load  # noqa: PLC0415
    from instar.hub.settings.sources import overruled  # noqa: PLC0415

    session.output.note("No hub runs; these are the settings that it would start with.")
    for note in overruled(session.environ):
        session.output.note(f"{note}.")
    loaded = load({}, session.environ)
    return {"settings": msgspec.to_builtins(setting_list(loaded, loaded)), "path": str(loaded.path)}


def _kept(session: Session) -> list[dict[str, Any]]:
    """Return the versions in the data directory."""
    import msgspec  # noqa: PLC0415 - only without a hub

    from instar.hub.settings.load import load  # noqa: PLC0415
    from instar.hub.settings.versions import Versions  # noqa: PLC0415

    return msgspec.to_builtins(Versions(load({}, session.environ).data_dir).all())


COMMAND = Group(
    "config",
    "Settings.",
    examples=("instar config show",),
    default="show",
    commands=[show, get, set_, unset, history, rollback, path, schema, validate],
)
