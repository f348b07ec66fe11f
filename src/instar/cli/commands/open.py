"""`instar open`."""

import webbrowser

import click

from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import relative


@command("instar open --no-browser")
@click.option("--no-browser", is_flag=True, help="Only print the link.")
def open_(session: Session, *, no_browser: bool) -> Answer:
    """Make a link that signs a browser in to the console.

    The link works once, for five minutes. Without a desktop, open it wherever you like.
    """
    link = session.invoke("auth.console_link")
    is_opened = not no_browser and not session.output.is_json and webbrowser.open(link["url"])
    until = relative(link["expires_at"])
    lines = [link["url"], f"The link works once and ends {until}." + (" A browser was opened." if is_opened else "")]
    return Answer(link, lines)


COMMAND = open_
