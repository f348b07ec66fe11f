"""`instar shell`."""

import click

from instar.cli.command import command
from instar.cli.completions import nodes
from instar.cli.outputs import Answer
from instar.cli.session import Session


@command("instar shell local --yes < /dev/null")
@click.argument("node", default="", shell_complete=nodes)
@click.option("--yes", is_flag=True, help="Approve what you yourself may approve.")
def shell(session: Session, node: str, *, yes: bool) -> Answer | int:
    """Open a terminal on a machine.

    NODE is an id, a name, ssh:LABEL, local or a label expression; without it, as routed. At the beginning of a line
    ~. ends it and ~& leaves it running.
    """
    from instar.cli.execution.asked import LOGIN_SHELL, TERMINAL_LIFE_S, Wish  # noqa: PLC0415
    from instar.cli.execution.performing import perform  # noqa: PLC0415 - help needs none of it

    wish = Wish((), LOGIN_SHELL, node=node, has_terminal=True, limit_s=TERMINAL_LIFE_S, is_interactive=True)
    return perform(session, wish, says_yes=yes)


COMMAND = shell
