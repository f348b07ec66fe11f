"""`instar shell`."""

import sys

import click

from instar.cli.command import command
from instar.cli.completions import nodes
from instar.cli.outputs import Answer
from instar.cli.session import Session


@command("instar shell local", "instar shell gpu=yes")
@click.argument("node", default="", shell_complete=nodes)
@click.option("--yes", is_flag=True, help="Approve what you yourself may approve.")
def shell(session: Session, node: str, *, yes: bool) -> Answer | int:
    """Open a terminal on a machine.

    NODE is an id, a name, ssh:LABEL, local or a label expression; without it, as routed. At the beginning of a line
    ~. ends it and ~& leaves it running. With a file or a pipe as standard input, the shell runs what that says.
    """
    from instar.cli.execution.asked import LOGIN_SHELL, TERMINAL_LIFE_S, Wish  # noqa: PLC0415
    from instar.cli.execution.performing import perform  # noqa: PLC0415 - help needs none of it

    is_terminal = sys.stdin.isatty()
    wish = Wish((), LOGIN_SHELL, node=node, has_terminal=is_terminal, limit_s=TERMINAL_LIFE_S, is_interactive=True)
    return perform(session, wish, says_yes=yes)


COMMAND = shell
