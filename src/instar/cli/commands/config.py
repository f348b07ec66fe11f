"""`instar config …`."""

import click

from instar.cli.command import Group, command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import plain, table
from instar.client.errors import HubError


@command("instar config show --origin")
@click.option("--origin", "with_origin", is_flag=True, help="Say where each value comes from.")
@click.option("--changed", is_flag=True, help="Only what is not the default.")
def show(session: Session, *, with_origin: bool, changed: bool) -> Answer:
    """Show every setting.

    Of the running hub, or, when none runs, of the one that `instar start` would start here. Origins are flag, env,
    file and default; the first wins.
    """
    try:
        found = session.invoke("hub.settings")["settings"]
    except HubError as error:
        if error.code != "unreachable":
            raise
        session.output.note("No hub runs; these are the settings that it would start with.")
        found = _here(session)
    shown = [row for row in found if not changed or row["origin"] != "default"]
    columns = ("key", "value", "origin") if with_origin else ("key", "value")
    lines = table([name.upper() for name in columns], [[plain(row[name]) for name in columns] for row in shown])
    return Answer({"settings": shown}, lines, rows=shown)


def _here(session: Session) -> list[dict[str, object]]:
    from instar.hub.settings.keys import KEYS  # noqa: PLC0415 - only without a hub
    from instar.hub.settings.load import load  # noqa: PLC0415

    loaded = load({}, session.environ)
    return [{"key": key, "value": loaded.value(key), "origin": loaded.origins[key]} for key in KEYS]


COMMAND = Group("config", "Settings.", examples=("instar config show",), default="show", commands=[show])
