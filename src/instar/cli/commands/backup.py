"""`instar backup`."""

import shutil
from pathlib import Path

import click

from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import size
from instar.client.errors import HubError

BACKUP_S = 3_600.0
"""How long a backup may take."""


@command("instar backup --to today.backup --json")
@click.option("--to", type=click.Path(path_type=Path), help="Copy it to this file too; it must not exist yet.")
def backup(session: Session, *, to: Path | None) -> Answer:
    """Write a verified backup while the hub runs.

    It holds everything: log, tables, files. It is written to the backup folder of the hub's data directory.
    """
    if to is not None and to.exists():
        raise HubError("conflict", f"{to} exists", hint="Name a file that does not.")
    done = session.client.invoke("hub.backup", timeout_s=BACKUP_S)
    if to is not None:
        try:
            shutil.copyfile(done["path"], to)
            to.chmod(0o600)
        except OSError as error:
            raise HubError(
                "not_found", f"the backup {done['path']} cannot be copied: {error.strerror}", hint="It is on the hub."
            ) from error
        done["copy"] = str(to)
    lines = [
        f"Backed up to {done.get('copy', done['path'])} ({size(done['size_bytes'])}, up to seq {done['last_seq']})."
    ]
    return Answer(done, lines)


COMMAND = backup
