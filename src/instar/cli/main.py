"""The entry point: parse, run, and turn whatever happened into an exit code."""

import os
import sys
from collections.abc import Sequence
from itertools import pairwise, takewhile

import click

from . import exits
from .command import UnknownCommandError
from .outputs import Output, wants_color
from .texts import nearest
from .tree import BARE, ROOT


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. No traceback reaches a person unless INSTAR_DEBUG is set."""
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        code = ROOT.main(args, prog_name="instar", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away, as `| head` does: no traceback, but not all was said. Click does so inside of commands.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.FAILED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return exits.OK
    except click.ClickException as error:
        return _fail(args, "usage", _cause(error), _hint(error))
    except (KeyboardInterrupt, click.Abort):
        return _fail(args, "interrupted", "it was interrupted", "")
    except Exception as error:
        if os.environ.get("INSTAR_DEBUG"):
            raise
        return _fail(args, "internal_error", f"{type(error).__name__}: {error}", "Run it again with INSTAR_DEBUG=1.")
    return code if isinstance(code, int) else exits.OK


def _fail(args: Sequence[str], code: str, message: str, hint: str) -> int:
    """Report a failure that happened outside of any command, in the form that the command line asked for."""
    from instar.client.errors import HubError  # noqa: PLC0415 - only failures need it

    form = "json" if _wants_json(args) else "text"
    output = Output(form, color=wants_color("auto", os.environ.get("NO_COLOR", "")))
    words = " ".join(["instar", *takewhile(lambda arg: not arg.startswith("-"), args[:2])])
    return output.fail(HubError(code, message.rstrip("."), hint=hint), f"run `{words}`")


def _wants_json(args: Sequence[str]) -> bool:
    return (
        "--json" in args
        or any(first in ("-o", "--output") and second in ("json", "jsonl") for first, second in pairwise(args))
        or any(arg in ("-ojson", "-ojsonl", "--output=json", "--output=jsonl") for arg in args)
    )


_SECRETS = {"--token": "--token-file", "--password": "--password-file"}
"""Options that there must not be → how it is done instead."""


def _cause(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption) and error.option_name in _SECRETS:
        return f"{error.option_name} would show the secret to every process on this machine"
    if isinstance(error, click.NoSuchOption):
        return f"there is no option {error.option_name}"
    return " ".join(error.format_message().split())


def _hint(error: click.ClickException) -> str:
    """Return the name that was meant, or the command that explains how to say it right."""
    if isinstance(error, click.NoSuchOption) and (safe := _SECRETS.get(error.option_name)):
        return f"Put it into a file of your own (chmod 600) and pass {safe} FILE; - is standard input."
    near: Sequence[str] = ()
    if isinstance(error, UnknownCommandError):
        near = error.near
    elif isinstance(error, click.NoSuchOption):
        near = nearest(error.option_name, error.possibilities or ())
    if near:
        return f"Did you mean {' or '.join(near)}?"
    context = getattr(error, "ctx", None)
    path = context.command_path.removesuffix(f" {BARE}") if context else "instar"
    return f"See: {path} --help"
