"""Shell lines, read: every command, redirection and assignment in them, and what nobody can vouch for.

Only what is plain is clear: a program that is one literal word, arguments that the shell takes as they stand. What it
would expand, split or look up (variables, globs, braces, `~`, substitutions, functions, aliases, arithmetic) is unclear
and asks, as does whatever shells of different make read differently. What is nested is read as well, so that a deny
finds it.
"""

import posixpath
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from instar.wire.limits import SHELL_COMMANDS_MAX, SHELL_DEPTH_MAX, SHELL_READ_MAX_CHARS

from .arity import always_glob
from .characters import hidden_in
from .code_options import why_code
from .dangerous import floor_of, floor_of_assignment, floor_of_redirection
from .globs import matches
from .wrappers import RESERVED, is_interpreter, is_runner, unwrap

_PROGRAM = re.compile(r"\[|[A-Za-z0-9_./+@%-]+")


class ShellCommand(NamedTuple):
    """One command of a line."""

    text: str
    """As written, with its assignments and its own redirections."""
    bare: str
    """Its words alone, as written, one space between them: what an allow must match."""
    words: tuple[str, ...]
    """Its words as the program gets them, as far as that can be said."""
    always: str
    """The glob that would be remembered of it; empty: none could stand for it."""
    floor: str = ""
    unclear: str = ""


class Redirection(NamedTuple):
    """A file that a line reads or writes by itself."""

    text: str
    path: str
    is_write: bool
    floor: str = ""
    unclear: str = ""


class Assignment(NamedTuple):
    """A variable that a line sets."""

    text: str
    name: str
    floor: str = ""
    unclear: str = ""


class ShellLine(NamedTuple):
    """What a line holds."""

    text: str
    commands: list[ShellCommand]
    redirections: list[Redirection]
    assignments: list[Assignment]
    unclear: str = ""
    """Why the line as a whole cannot be vouched for."""


def parse(line: str) -> ShellLine:
    """Read a shell line. It answers for every text and raises nothing."""
    return _read(line, 0)


def of_argv(argv: Sequence[str]) -> ShellLine:
    """Return what a program with these arguments does; no shell reads them, so nothing in them is expanded."""
    text = shlex.join(argv)
    if not argv:
        return ShellLine(text, [], [], [], "there is no program")
    found = Findings(0)
    hidden = next((each for word in argv if (each := hidden_in(word))), "")
    reason = f"it has the character {hidden}" if hidden else ""
    found.command(text, [shlex.quote(word) for word in argv], argv, reason)
    return found.line(text)


def _read(line: str, depth: int) -> ShellLine:
    if depth > SHELL_DEPTH_MAX:
        return ShellLine(line, [], [], [], f"more than {SHELL_DEPTH_MAX} shells lie in each other")
    if len(line) > SHELL_READ_MAX_CHARS:
        return ShellLine(line, [], [], [], f"it is longer than {SHELL_READ_MAX_CHARS:,} characters")
    if not line.strip():
        return ShellLine(line, [], [], [], "there is nothing to run")
    if any("\ud800" <= char <= "\udfff" for char in line):
        return ShellLine(line, [], [], [], "it is no text")
    from .syntax import read_into  # noqa: PLC0415 - the grammar is loaded when the first line is read

    found = Findings(depth)
    if hidden := hidden_in(line):
        found.unclear(f"it has the character {hidden}")
    read_into(line, found)
    return found.line(line.strip())


class Findings:
    """What was found in a line so far, with what wrappers in it run."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._commands: list[ShellCommand] = []
        self._redirections: list[Redirection] = []
        self._assignments: list[Assignment] = []
        self._reasons: list[str] = []

    def line(self, text: str) -> ShellLine:
        """Return all of it."""
        reason = self._reasons[0] if self._reasons else ""
        return ShellLine(text, self._commands, self._redirections, self._assignments, reason)

    def unclear(self, reason: str) -> None:
        """Note why the line cannot be vouched for; the first reason is shown."""
        self._reasons.append(reason)

    def command(
        self, text: str, raw: Sequence[str], words: Sequence[str], unclear: str = "",
        tokens: Sequence[str] | None = None, floor: str = "",
    ) -> None:  # fmt: skip
        """Note a command, and what it runs."""
        if self._is_full(self._commands):
            return
        at = len(self._commands)
        bare = " ".join(raw)
        reason = unclear or _why_unclear(raw, words)
        always = _always(bare, words, tokens if tokens is not None else words)
        made = ShellCommand(text, bare, tuple(words), always, floor or floor_of(words), reason)
        self._commands.append(made)
        if words and (inner := self._unwrapped(words)):
            self._commands[at] = made._replace(unclear=reason or inner)

    def redirection(self, text: str, path: str, is_write: bool, unclear: str) -> None:
        """Note a file that is read or written."""
        if (path == "/dev/null" and not unclear) or self._is_full(self._redirections):
            return
        reason = unclear or ("it opens a network connection" if path.startswith(("/dev/tcp/", "/dev/udp/")) else "")
        floor = floor_of_redirection(path) if is_write else ""
        self._redirections.append(Redirection(text, path, is_write, floor, reason))

    def assignment(self, text: str, name: str, unclear: str = "") -> None:
        """Note a variable that is set."""
        if self._is_full(self._assignments):
            return
        self._assignments.append(Assignment(text, name, floor_of_assignment(name), unclear))

    def _unwrapped(self, words: Sequence[str]) -> str:
        """Note what a wrapper runs, and return why that cannot be said."""
        inner = unwrap(words)
        if inner is None:
            return ""
        for each in inner.assignments:
            self.assignment(each, each.partition("=")[0])
        if inner.argv:
            nested = Findings(self._depth + 1)
            if self._depth >= SHELL_DEPTH_MAX:
                return f"more than {SHELL_DEPTH_MAX} programs run each other"
            nested.command(shlex.join(inner.argv), [shlex.quote(word) for word in inner.argv], inner.argv)
            self._add(nested.line(""))
        elif inner.line:
            self._add(_read(inner.line, self._depth + 1))
        return inner.unclear

    def _add(self, line: ShellLine) -> None:
        self._commands += line.commands
        self._redirections += line.redirections
        self._assignments += line.assignments
        if line.unclear:
            self.unclear(line.unclear)
        self._is_full(self._commands)

    def _is_full(self, noted: Sequence[object]) -> bool:
        """Whether no more of a kind is looked at; the line is unclear then."""
        is_full = len(noted) >= SHELL_COMMANDS_MAX
        if is_full:
            self.unclear(f"it has more than {SHELL_COMMANDS_MAX} commands, redirections or variables")
        return is_full


def _why_unclear(raw: Sequence[str], words: Sequence[str]) -> str:
    """Return why a command of plain words cannot be vouched for."""
    if not words:
        return ""
    if raw[0] != words[0] or _PROGRAM.fullmatch(words[0]) is None:
        return "its program is no plain word"
    program = posixpath.basename(words[0])
    if words[0] in RESERVED or not program:
        return f"`{words[0]}` is no program"
    if is_interpreter(program) and all(word.startswith("-") for word in words[1:]) and not _asks_itself(words[1:]):
        return f"`{program}` runs its input"
    return why_code(program, words[1:])


def _asks_itself(args: Sequence[str]) -> bool:
    """Whether an interpreter only says something of itself."""
    return list(args) in (["--version"], ["-V"], ["-v"], ["--help"], ["-h"])


def _always(bare: str, words: Sequence[str], tokens: Sequence[str]) -> str:
    """Return what would be remembered: of a program that runs anything, exactly this command."""
    if not words:
        return ""
    glob = bare if is_runner(words[0]) else always_glob(tokens)
    stem = glob.removesuffix(" *")
    return "" if any(char in stem for char in "*?\n") or (glob is bare and "*" in bare) else glob


def fits_itself(commands: Iterable[ShellCommand]) -> bool:
    """Whether every glob that would be remembered matches the command that it is for."""
    return all(command.always and matches(command.always, command.bare) for command in commands)
