"""`instar config set`, `unset` and `rollback`."""

from typing import Any

import click

from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.settings import change, key_of, secret, value_of
from instar.cli.settings import rollback as go_back

_COMMENT = click.option("--comment", default="", help="Why; the history shows it.")


@command(
    "instar config set log.level debug",
    "instar config set server.allowed_hosts hub.example localhost",
    name="set",
)
@click.argument("key")
@click.argument("values", nargs=-1)
@_COMMENT
@click.option("--from-file", default="", help="Private file that holds a secret (- is stdin).")
def set_(session: Session, key: str, values: tuple[str, ...], *, comment: str, from_file: str) -> Answer:
    """Change a setting in the settings file.

    A list takes several values. Secrets (auth.token, auth.password) are typed, or come from a file: `instar config set
    auth.token`. Settings that only the hub's own machine may change are written there by the file's owner.
    """
    from instar.hub.settings.keys import SECRETS  # noqa: PLC0415 - for settings alone

    name = key_of(key)
    value: Any = value_of(name, values) if values or name not in SECRETS else secret(session, name, from_file)
    return change(session, {name: value}, comment)


@command("instar config unset log.level")
@click.argument("key")
@_COMMENT
def unset(session: Session, key: str, *, comment: str) -> Answer:
    """Take a setting out of the settings file.

    Its default holds then.
    """
    return change(session, {key_of(key): None}, comment)


@command("instar config rollback 1")
@click.argument("version", type=click.IntRange(min=1))
def rollback(session: Session, version: int) -> Answer:
    """Make an earlier version of the settings file the present one.

    That is a new version: nothing is lost. `instar config history` lists what there is.
    """
    return go_back(session, version)
