"""How a command is declared: one function, its examples, and the options that every command has."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from .outputs import FORMATS, Answer, Output, Stream, wants_color
from .texts import nearest

HELP_NAMES = ("-h", "--help")


class UnknownCommandError(click.UsageError):
    """There is no such command; `near` are the names that may have been meant."""

    def __init__(self, message: str, near: Sequence[str], ctx: click.Context) -> None:
        super().__init__(message, ctx)
        self.near = near


class _Exemplary(click.Command):
    """A command whose help begins with examples."""

    examples: Sequence[str] = ()

    def get_help_option_names(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's shape
        """Return the spellings of help, whichever context asks first: click keeps the option that it makes."""
        return list(HELP_NAMES)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help: examples first."""
        formatter.write("Example:\n")
        for example in self.examples:
            formatter.write(f"  {example}\n")
        formatter.write_paragraph()
        super().format_help(ctx, formatter)


class Command(_Exemplary):
    """A leaf of the command tree."""

    def __init__(
        self,
        name: str,
        callback: Callable[..., int],
        *,
        summary: str,
        examples: Sequence[str],
        params: list[click.Parameter],
        hidden: bool = False,
    ) -> None:
        super().__init__(
            name,
            callback=callback,
            help=summary,
            params=params,
            hidden=hidden,
            context_settings={"max_content_width": 80},
        )
        self.examples = examples


class Group(_Exemplary, click.Group):
    """Commands of one noun, each imported when it is used. Bare, it does what `default` does.

    Args:
        name: The noun.
        summary: One line.
        examples: What its help begins with.
        lazy: Command name → (module, summary); the module holds a `COMMAND`.
        default: The command that runs when none is named.
        hidden: Commands that help does not list.
    """

    def __init__(
        self,
        name: str,
        summary: str,
        *,
        examples: Sequence[str],
        lazy: Mapping[str, tuple[str, str]] | None = None,
        commands: Sequence[click.Command] = (),
        default: str = "",
        hidden: frozenset[str] = frozenset(),
        params: list[click.Parameter] | None = None,
    ) -> None:
        super().__init__(
            name,
            help=summary,
            params=params,
            commands=list(commands),
            context_settings={"max_content_width": 80},
        )
        self.examples = examples
        self._lazy = dict(lazy or {})
        self._default = default
        self._hidden = hidden

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command where none is named."""
        own = {name for param in self.get_params(ctx) for name in param.opts}
        if (
            self._default
            and not ctx.resilient_parsing
            and (not args or (args[0].startswith("-") and args[0] not in own))
        ):
            args = [self._default, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's shape
        """Return the names of the commands, in order."""
        return [name for name in (*self._lazy, *sorted(self.commands)) if name not in self._hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its module."""
        if cmd_name in self._lazy:
            return import_module(self._lazy[cmd_name][0], "instar.cli").COMMAND
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name a near one.

        Raises:
            UnknownCommandError: There is no such command.
        """
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            near = nearest(args[0], self.list_commands(ctx))
            raise UnknownCommandError(f"there is no command {args[0]!r}", near, ctx)
        return super().resolve_command(ctx, args)

    def summaries(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Return command names with their summaries; no lazy module is imported for it."""
        found: list[tuple[str, str]] = []
        for name in self.list_commands(ctx):
            if name in self._lazy:
                found.append((name, self._lazy[name][1]))
            elif (command := self.get_command(ctx, name)) is not None:
                found.append((name, command.get_short_help_str(80)))
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(self.summaries(ctx))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names without importing one."""
        found = [CompletionItem(name, help=text) for name, text in self.summaries(ctx) if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)


def standing_options(*, offline: bool) -> list[click.Parameter]:
    """Return the options that every command has; one that asks no hub has no address."""
    options: list[click.Parameter] = [
        click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document."),
        click.Option(["-o", "--output", "form"], type=click.Choice(FORMATS), help="Print in this form."),
        click.Option(["--color"], type=click.Choice(["auto", "always", "never"]), default="auto", hidden=True),
        click.Option(["--no-input"], is_flag=True, help="Never ask; fail instead."),
    ]
    if not offline:
        options += [
            click.Option(["--url"], default="", help="Address of the hub; else INSTAR_URL."),
            click.Option(["--token-file"], default="", help="File that holds the token (- is stdin)."),
            click.Option(["--timeout"], type=click.FloatRange(min=0, min_open=True), default=30.0, hidden=True),
        ]
    return options


def command(
    *examples: str, name: str = "", offline: bool = False, hidden: bool = False
) -> Callable[[Callable[..., Answer | Stream | int]], Command]:
    """Make a command of a function: `(session, **parameters) -> Answer | Stream`, its docstring the help.

    A function that has said everything itself returns the exit code instead.

    Args:
        examples: Complete command lines, most useful first; tests run each.
        name: Defaults to the function's name.
        offline: It asks no hub.
        hidden: Help does not list it.
    """

    def make(function: Callable[..., Answer | Stream | int]) -> Command:
        declared = list(reversed(getattr(function, "__click_params__", [])))
        return Command(
            name or function.__name__.rstrip("_").replace("_", "-"),
            partial(_run, function),
            summary=function.__doc__ or "",
            examples=examples,
            params=[*declared, *standing_options(offline=offline)],
            hidden=hidden,
        )

    return make


def _run(function: Callable[..., Answer | Stream | int], **values: Any) -> int:  # noqa: ANN401 - each command's own
    """Run a command between reading its standing options and printing its result; return the exit code."""
    # Help and completion need none of these.
    from instar.base.errors import InstarError  # noqa: PLC0415
    from instar.client.errors import HubError  # noqa: PLC0415

    from .session import Session  # noqa: PLC0415

    form = values.pop("form") or ("json" if values["as_json"] else "text")
    del values["as_json"]
    output = Output(form, color=wants_color(values.pop("color"), os.environ.get("NO_COLOR", "")))
    session = Session(
        output,
        os.environ,
        url=values.pop("url", ""),
        token_file=values.pop("token_file", ""),
        timeout_s=values.pop("timeout", 30.0),
        may_ask=not values.pop("no_input"),
    )
    try:
        return output.show(function(session, **values))
    except HubError as error:
        return output.fail(session.meant(error), _purpose())
    except InstarError as error:
        return output.fail(error, _purpose())


def _purpose() -> str:
    """Return the summary of the running command, as the end of a sentence."""
    summary = click.get_current_context().command.get_short_help_str(200).rstrip(".")
    return summary[:1].lower() + summary[1:]
