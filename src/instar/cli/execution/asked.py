"""What was typed, as parameters of `calls.start` and as a manner of running it."""

import os
import stat
import sys
from dataclasses import dataclass
from typing import Any

from instar.client.errors import HubError

from . import tty
from .running import Manner

LOGIN_SHELL = 'exec "${SHELL:-/bin/sh}" -l'
TERMINAL_LIFE_S = 86_400.0
"""Longest life of a login shell: the hub's own default is that of a command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rest:
    node: str = ""
    room: str = ""
    agent: str = ""
    cwd: str = ""
    env: tuple[str, ...] = ()
    limit_s: float | None = None
    has_terminal: bool = False
    is_interactive: bool = False
    is_background: bool = False
    is_queued: bool = False
    sandbox: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Wish(_Rest):
    """A command line, read."""

    argv: tuple[str, ...]
    line: str

    @property
    def has_input(self) -> bool:
        """Whether standard input is passed: a terminal only when asked for, a file or a pipe always."""
        if self.is_background:
            return False
        return self.is_interactive or (self.has_terminal and sys.stdin.isatty()) or _is_piped()

    def manner(self, *, is_streamed: bool, says_yes: bool) -> Manner:
        """Return how it is run from here."""
        return Manner(
            has_input=self.has_input, has_terminal=self.has_terminal, is_background=self.is_background,
            is_streamed=is_streamed and not self.is_background, says_yes=says_yes,
        )  # fmt: skip


def asked(wish: Wish) -> dict[str, Any]:
    """Return the parameters of `calls.start`.

    Raises:
        HubError: `usage` for a variable without a value.
    """
    rows, columns = tty.size()
    chosen = {
        "tool": "shell" if wish.line else "exec",
        "args": {"command": wish.line} if wish.line else {"argv": list(wish.argv)},
        "target": wish.node,
        "room": wish.room,
        "agent_id": wish.agent,
        "cwd": wish.cwd,
        "env": _env(wish),
        "timeout_s": wish.limit_s,
        "terminal": {"rows": rows, "columns": columns} if wish.has_terminal else None,
        "has_input": wish.has_input,
        "is_background": wish.is_background,
        "if_away": "queue" if wish.is_queued else "",
        "sandbox": wish.sandbox,
        "reason": wish.reason,
    }
    return {name: value for name, value in chosen.items() if value not in ("", None, False, {})}


def _env(wish: Wish) -> dict[str, str]:
    """Return the variables to forward; a terminal brings its kind along."""
    found = {"TERM": os.environ.get("TERM", "xterm-256color")} if wish.has_terminal else {}
    for pair in wish.env:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise HubError("usage", f"{pair!r} is no variable", hint="Write --env NAME=VALUE.")
        found[name] = value
    return found


def _is_piped() -> bool:
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
