"""`instar completion`."""

import click
from click.shell_completion import get_completion_class

from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.client.errors import HubError

SHELLS = ("bash", "zsh", "fish")
_INSTALL = {
    "bash": "instar completion bash > ~/.local/share/bash-completion/completions/instar",
    "zsh": 'instar completion zsh > "${fpath[1]}/_instar"',
    "fish": "instar completion fish > ~/.config/fish/completions/instar.fish",
}


@command("instar completion bash", offline=True)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(session: Session, shell: str) -> Answer:  # noqa: ARG001 - the shape of a command
    """Print the shell's completion script.

    Commands and options complete at once; rooms and agents by asking the hub, for a tenth of a second at most.
    """
    maker = get_completion_class(shell)
    if maker is None:
        raise HubError("usage", f"there is no completion for {shell}")
    script = (maker.source_template % maker(click.Group(), {}, "instar", "_INSTAR_COMPLETE").source_vars()).rstrip()
    return Answer({"shell": shell, "script": script, "install": _INSTALL[shell]}, [script])


COMMAND = completion
