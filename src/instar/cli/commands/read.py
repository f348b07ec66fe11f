"""`instar read`."""

import click

from instar.cli import messages
from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.targets import TARGET, Place, open_dm
from instar.wire.limits import PAGE_MAX

_OPERATIONS = {
    "room": ("rooms.messages", "room_id"),
    "thread": ("threads.messages", "thread_id"),
    "dm": ("dms.messages", "dm_id"),
    "session": ("sessions.messages", "session_id"),
}


@command("instar read general --limit 5", "instar read @guide --json")
@click.argument("target", type=TARGET)
@click.option("--limit", type=click.IntRange(1, PAGE_MAX), default=20, show_default=True, help="Messages to read.")
@click.option("--before", default="", metavar="CURSOR", help="Only older than this message id or seq.")
@click.option("--after", default="", metavar="CURSOR", help="Only newer than this message id or seq.")
@click.option("--as", "as_agent", default="", help="The agent whose direct conversation is meant by @AGENT.")
def read(session: Session, target: Place, *, limit: int, before: str, after: str, as_agent: str) -> Answer:
    """Read the last messages of a conversation.

    TARGET is a room, room:ID, thread:ID, dm:ID, session:ID or @AGENT. Oldest first; --json carries the cursors of the
    next page.
    """
    kind, name = target.kind, target.id
    if kind == "agent":
        kind, name = "dm", open_dm(session, name, as_agent=as_agent)["id"]
    if kind == "room":
        session.seek("room", name)
    operation, member = _OPERATIONS[kind]
    page = session.invoke(operation, limit=limit, before=before, after=after, **{member: name})
    return Answer(page, list(messages.lines(page["messages"])) or ["Nothing was said yet."], rows=page["messages"])


COMMAND = read
