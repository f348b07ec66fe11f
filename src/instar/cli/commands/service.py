"""`instar service …`: the hub as a service of this user, by systemd or launchd."""

import sys
from pathlib import Path

import click

from instar.base.units import Outcome
from instar.cli.command import Group, command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.server.service import Service


@command("instar service install --dry-run", offline=True)
@click.option("--dry-run", is_flag=True, help="Only print the file that would be written.")
def install(session: Session, *, dry_run: bool) -> Answer:
    """Install the hub as a service of this user, and start it.

    It runs `instar start` with the data directory, the INSTAR_* settings and the settings file that hold here and now.
    Installing again repairs it.
    """
    service = _service(session)
    if dry_run:
        text = service.text()
        return Answer({"path": str(service.path), "definition": text}, [f"# {service.path}", text.rstrip()])
    return _answer(service.install())


@command("instar service remove", offline=True)
def remove(session: Session) -> Answer:
    """Stop the service and remove it.

    The hub's data stays. Removing what is not there is no failure.
    """
    return _answer(_service(session).remove())


@command("instar service status", offline=True)
def status(session: Session) -> Answer:
    """Say whether the service is installed and runs."""
    return _answer(_service(session).status())


def _service(session: Session) -> Service:
    program = Path(sys.executable).with_name("instar")
    return Service((str(program), "start"), service_environment(session))


def service_environment(session: Session) -> dict[str, str]:
    """Return the environment of the service: its settings. A secret among them makes `Service` refuse."""
    from instar.hub.settings.keys import ENV_KEYS, FOREIGN_VARIABLES  # noqa: PLC0415 - the hub's settings, for services only
    from instar.hub.settings.load import CONFIG_VARIABLE, find_file  # noqa: PLC0415

    found = {
        name: session.environ[name] for name in sorted(session.environ) if name in {**ENV_KEYS, **FOREIGN_VARIABLES}
    }
    if file := find_file(session.environ):
        found[CONFIG_VARIABLE] = str(file.resolve())
    return found | {"INSTAR_DATA_DIR": session.data_dir}


def _answer(outcome: Outcome) -> Answer:
    document = {
        "path": outcome.path,
        "installed": outcome.is_installed,
        "running": outcome.is_running,
        "message": outcome.message,
    }
    lines = [f"{outcome.message[:1].upper()}{outcome.message[1:]}.", f"  {outcome.path}"]
    return Answer(document, [*lines, outcome.hint] if outcome.hint else lines)


COMMAND = Group(
    "service",
    "The hub as a service of this user.",
    examples=("instar service status",),
    default="status",
    commands=[install, remove, status],
)
