"""`instar restore`."""

from pathlib import Path

import click

from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import relative
from instar.client.access import ADDRESS_FILE


@command("instar restore today.backup --data-dir restored", offline=True)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Restore into this folder instead.")
@click.option("--yes", is_flag=True, help="Do not ask before data that is there is replaced.")
def restore(session: Session, file: Path, *, data_dir: Path | None, yes: bool) -> Answer:
    """Restore a backup into a stopped hub's data.

    The whole backup is verified before anything changes. A database that is there is kept in the folder `backups`.
    """
    from instar.store.restore import restore as put_back  # noqa: PLC0415 - the store, only when there is work for it

    folder = data_dir or Path(session.data_dir)
    is_used = folder.is_dir() and any(path.name != ADDRESS_FILE for path in folder.iterdir())
    if is_used:
        session.confirm(f"Replace what {folder} holds by {file}?", yes=yes)
    manifest = put_back(file, folder, force=is_used)
    document = {
        "data_dir": str(folder),
        "last_seq": manifest.last_seq,
        "created_at": manifest.created_at,
        "schema": manifest.schema,
    }
    age = relative(manifest.created_at)
    return Answer(document, [f"Restored {folder} as it was {age} (up to seq {manifest.last_seq}). Next: instar start"])


COMMAND = restore
