"""`instar status`."""

from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import plain, table


@command("instar status")
def status(session: Session) -> Answer:
    """Show the hub's vital signs."""
    found = session.invoke("hub.status")
    document = {**found, "url": session.access.url}
    return Answer(document, table(("VITAL SIGN", "VALUE"), [(name, plain(value)) for name, value in document.items()]))


COMMAND = status
