"""`instar dm`."""

import sys

import click

from instar.cli.command import command
from instar.cli.completions import agents
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.targets import Place

from .send import deliver


@command('instar dm guide "What can you do?"')
@click.argument("agent", shell_complete=agents)
@click.argument("text")
@click.option("--as", "as_agent", default="", shell_complete=agents, help="Speak as this agent.")
def dm(session: Session, agent: str, text: str, *, as_agent: str) -> Answer:
    """Send a direct message to an agent.

    The conversation is opened if there is none. TEXT may be - to read standard input.
    """
    content = sys.stdin.read() if text == "-" else text
    return deliver(session, Place("agent", agent.removeprefix("@")), content, as_agent=as_agent)


COMMAND = dm
