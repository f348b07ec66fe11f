"""`instar exec`."""

import shlex
from typing import Any

import click

from instar.cli.command import command
from instar.cli.completions import agents, nodes
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.targets import TARGET, Place, open_dm
from instar.client.errors import HubError

SANDBOXES = ("none", "strict", "network")


@command(
    "instar exec --node local --yes -- uname -a",
    "instar exec --explain -- make test",
    "instar exec --yes --shell 'echo one | wc -c'",
)
@click.argument("argv", nargs=-1, type=click.UNPROCESSED)
@click.option("--shell", "line", default="", metavar="LINE", help="Run a line of shell instead of ARGV.")
@click.option(
    "--node",
    default="",
    metavar="NODE",
    shell_complete=nodes,
    help="Id, name, ssh:LABEL, local or labels (gpu=yes,os=linux).",
)
@click.option("--room", type=TARGET, help="The room whose call it is; its route counts.")
@click.option("--agent", default="", shell_complete=agents, help="On behalf of this agent.")
@click.option("--cwd", default="", metavar="DIR", help="Run it in this folder of the machine.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="Forward a variable; may be repeated.")
@click.option(
    "--timeout",
    "limit_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop it after so long.",
)
@click.option("--yes", is_flag=True, help="Approve what you yourself may approve.")
@click.option(
    "--explain", "is_explained", is_flag=True, help="Say where it would go and what the rules say; run nothing."
)
@click.option("-t", "--tty", "has_terminal", is_flag=True, help="Give it a terminal.")
@click.option(
    "-i", "--interactive", "is_interactive", is_flag=True, help="Pass standard input, even if it is a terminal."
)
@click.option("--background", "is_background", is_flag=True, help="Print its id and leave it running.")
@click.option("--queue", "is_queued", is_flag=True, help="Wait for a machine that is away.")
@click.option("--sandbox", type=click.Choice(SANDBOXES), help="How far it is kept from the machine.")
@click.option("--reason", default="", help="Why; shown to whoever approves.")
def exec_(
    session: Session,
    argv: tuple[str, ...],
    *,
    line: str,
    room: Place | None,
    yes: bool,
    is_explained: bool,
    has_terminal: bool,
    is_interactive: bool,
    **rest: Any,  # noqa: ANN401 - the options that become the call's
) -> Answer | int:
    """Run a command on a machine.

    Output comes as it is written, standard input is passed if it is a file or a pipe, and the exit code is the
    command's: 128+N for signal N, 124 when its time was over, 125 when it could not run, 126 when it was not allowed,
    127 when there is no such program. Ctrl-C cancels it; once more leaves it to the hub.
    """
    from instar.cli.execution.asked import Wish, asked  # noqa: PLC0415 - help needs none of it

    if bool(argv) == bool(line):
        raise HubError(
            "usage",
            "there is nothing to run" if not argv else "there are two things to run",
            hint="Give a command after --, or --shell LINE.",
        )
    wish = Wish(
        argv, line, has_terminal=has_terminal, is_interactive=is_interactive, room=room_key(session, room), **rest
    )
    if is_explained:
        from instar.cli.execution.explaining import explain  # noqa: PLC0415

        return explain(session, asked(wish), line or shlex.join(argv))
    from instar.cli.execution.performing import perform  # noqa: PLC0415

    return perform(session, wish, says_yes=yes)


def room_key(session: Session, place: Place | None) -> str:
    """Return the key of the room that was named, or nothing.

    Raises:
        HubError: There is no such agent to have a conversation with.
    """
    if place is None:
        return ""
    return f"dm:{open_dm(session, place.id)['id']}" if place.kind == "agent" else place.key


COMMAND = exec_
COMMAND.name = "exec"
# What follows the first word is the command's own, dashes and all; and its `--timeout` is not the hub's.
COMMAND.context_settings["allow_interspersed_args"] = False
COMMAND.params = [param for param in COMMAND.params if param.name != "timeout"]
