"""`instar secrets …`: what the hub keeps encrypted."""

import asyncio
from pathlib import Path

import click

from instar.cli.command import Group, command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.client.errors import HubError


@command("instar secrets reset --data-dir old-hub --yes", offline=True)
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Of this data, not the hub's own.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(session: Session, *, data_dir: Path | None, yes: bool) -> Answer:
    """Forget every encrypted secret of a stopped hub.

    For a hub that lost its `secrets-key` for ever: it starts again after this, and managed SSH keys have to be imported
    anew. What is forgotten cannot be brought back.
    """
    from instar.hub.secrets.secrets import reset as forget  # noqa: PLC0415 - the store, only where there is work for it
    from instar.store.sqlite import open_store  # noqa: PLC0415
    from instar.store.sqlite.names import DATABASE  # noqa: PLC0415

    folder = data_dir or Path(session.data_dir)
    if not (folder / DATABASE).exists():
        raise HubError("not_found", f"{folder} holds no hub's data", hint="Name the folder with --data-dir.")
    session.confirm(f"Forget every encrypted secret in {folder}?", yes=yes)

    async def work() -> int:
        store = await open_store(folder)
        try:
            return await store.transact(forget)
        finally:
            await store.close()

    count = asyncio.run(work())
    return Answer({"data_dir": str(folder), "forgotten": count}, [f"Forgot the secrets of {folder}: {count}."])


COMMAND = Group(
    "secrets",
    "Secrets: what the hub keeps encrypted.",
    examples=("instar secrets reset --data-dir old-hub --yes",),
    commands=[reset],
)
