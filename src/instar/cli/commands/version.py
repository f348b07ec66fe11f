"""`instar version`."""

import platform

from instar import __version__
from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session


@command("instar version", offline=True)
def version(session: Session) -> Answer:  # noqa: ARG001 - the shape of a command
    """Show the version."""
    document = {"version": __version__, "python": platform.python_version(), "platform": platform.platform()}
    return Answer(document, [f"instar {__version__} (Python {document['python']}, {document['platform']})"])


COMMAND = version
