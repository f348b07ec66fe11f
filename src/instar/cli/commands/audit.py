"""`instar audit …`: what was done with privilege, and the proof that nothing of it was changed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from instar.cli import exits
from instar.cli.command import Group, command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import relative, table
from instar.client.errors import HubError
from instar.client.http import JsonObject


@command("instar audit list --limit 5", "instar audit list --operation keys.create --json", name="list")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="Entries to list.")
@click.option("--before", type=int, metavar="SEQ", help="Only older ones than this entry.")
@click.option("--principal", default="", help="Only acts of this principal.")
@click.option("--operation", default="", help="Only this operation.")
def list_(session: Session, *, limit: int, before: int | None, principal: str, operation: str) -> Answer:
    """List privileged acts, newest first."""
    asked = {"limit": limit, "before": before, "principal": principal, "operation": operation}
    found = session.client.invoke("audit.list", asked)
    heads = ("SEQ", "WHEN", "WHO", "WHAT", "OF WHAT", "HOW")
    return Answer(found, table(heads, map(_row, found["entries"]), empty="There is no entry."), rows=found["entries"])


@command("instar audit verify", "instar audit verify --offline --json")
@click.option("--head", default="", metavar="HEX", help="A head that was noted earlier: shows whether the end was cut.")
@click.option("--offline", is_flag=True, help="Read the data directory itself, without asking the hub.")
def verify(session: Session, *, head: str, offline: bool) -> Answer:
    """Verify the audit log from its first entry to its last.

    Without a hub that runs, the data directory itself is read. Note the head elsewhere, and pass it with --head next
    time: who can write the data directory can make a whole new chain, but not one that holds that head.
    """
    proof = _here(session, head) if offline else _proof(session, head)
    if proof["is_whole"]:
        return Answer(proof, [f"Whole: {proof['entries']} entries.", f"  Head  {proof['head'] or '-'}"])
    broken = f"Broken at entry {proof.get('broken_at', 0)}: {proof['problem']}."
    return Answer(proof, [broken, "  Compare with a backup: instar restore --help"], code=exits.FAILED)


def _proof(session: Session, head: str) -> JsonObject:
    try:
        return session.invoke("audit.verify", noted=head)
    except HubError as error:
        if error.code != "unreachable":
            raise
        session.output.note("No hub runs; the data directory is read.")
        return _here(session, head)


def _here(session: Session, head: str) -> JsonObject:
    """Verify the log in this machine's data directory.

    Raises:
        HubError: `usage` for a head that is none, `not_found` without data.
    """
    if head and (len(head) != 64 or not set(head) <= set("0123456789abcdef")):
        raise HubError("usage", f"{head!r} is no head", hint="Copy it from an earlier: instar audit verify")
    import msgspec  # noqa: PLC0415 - the store and the hub, only where there is data to read

    from instar.hub.operations.audit import proof  # noqa: PLC0415
    from instar.store.sqlite import DATABASE  # noqa: PLC0415
    from instar.store.sqlite.connections import open_reader  # noqa: PLC0415
    from instar.store.sqlite.transaction import SqliteReader, drive  # noqa: PLC0415

    path = Path(session.data_dir) / DATABASE
    if not path.exists():
        raise HubError("not_found", f"there is no data in {session.data_dir}", hint="Set INSTAR_DATA_DIR.")
    connection = open_reader(path)
    try:
        connection.execute("BEGIN")
        return msgspec.to_builtins(drive(lambda reader: proof(reader, head), SqliteReader(connection)))
    finally:
        connection.close()


def _row(entry: dict[str, Any]) -> Sequence[object]:
    what = entry.get("operation") or entry["kind"]
    who, subject, detail = (entry.get(name) or "-" for name in ("principal", "subject", "detail"))
    return entry["seq"], relative(entry["at"]), who, what, subject, detail


COMMAND = Group(
    "audit",
    "Audit: what was done with privilege.",
    examples=("instar audit list",),
    default="list",
    commands=[list_, verify],
)
