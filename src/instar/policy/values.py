"""What a tool is asked to do, as the values that rules are matched with: commands, paths, hosts, patterns.

A path has several meanings: as written and normalised, and as the executor resolved it. An allow must fit each; a deny
needs to fit one. Of a shell line every command, redirection and assignment is a value of its own.
"""

import enum
import posixpath
import shlex
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import msgspec

from instar.wire.execution import Plan

from . import shell
from .characters import hidden_in
from .digest import canonical
from .wrappers import SHELLS

NAMES_OF_COMMANDS = ("exec", "shell")
"""Tools that run commands; rules name both at once as `shell_exec` (Molf)."""


class ActionKind(enum.StrEnum):
    """What a value is about."""

    COMMAND = "command"
    READ = "read"
    WRITE = "write"
    ASSIGN = "assign"
    OTHER = "other"


class ToolValue:
    """One value that rules are matched with.

    Args:
        text: As it is shown.
        action_kind: What it is about.
        forms: Other spellings of it, each of which a deny or an ask may match.
        meanings: What an allow must match, one of each group; none given: the text itself.
        vetoes: Names of other tools whose denies count as well (`write_file` for a redirection).
        floor: The row of the dangerous floor that it meets.
        unclear: Why nobody can vouch for what it does.
    """

    __slots__ = ("action_kind", "floor", "forms", "meanings", "text", "unclear", "vetoes")

    def __init__(
        self,
        text: str,
        action_kind: ActionKind = ActionKind.OTHER,
        *,
        forms: Sequence[str] = (),
        meanings: Sequence[Sequence[str]] = (),
        vetoes: Sequence[str] = (),
        floor: str = "",
        unclear: str = "",
    ) -> None:
        self.text = text
        self.action_kind = action_kind
        self.forms = forms
        self.meanings = meanings or ((text,),)
        self.vetoes = vetoes
        self.floor = floor
        self.unclear = unclear

    def __repr__(self) -> str:
        return f"ToolValue({self.text!r}, {self.action_kind.value})"


class Values(NamedTuple):
    """All values of a call."""

    values: list[ToolValue]
    always: list[str]
    """Globs that an approval for ever would remember; empty: it cannot be remembered."""
    is_dangerous: str = ""
    """The first row of the dangerous floor that it meets."""
    unclear: str = ""
    """Why it cannot be vouched for."""


_NAMED = ("operand", "target", "folder")
"""Roles of the files that a call names; the others are programs."""
_PATHS: Mapping[str, tuple[str, ActionKind]] = {
    "read_file": ("path", ActionKind.READ),
    "get_file": ("path", ActionKind.READ),
    "list": ("path", ActionKind.READ),
    "write_file": ("path", ActionKind.WRITE),
    "edit_file": ("path", ActionKind.WRITE),
    "put_file": ("path", ActionKind.WRITE),
}
_VETOES: Mapping[str, tuple[str, ...]] = {
    "get_file": ("read_file",),
    "grep": ("read_file",),
    "put_file": ("write_file",),
    "edit_file": ("write_file", "read_file"),
    "apply_patch": ("write_file", "read_file"),
}
"""A file that may not be read or written by one tool is not by another either; whether a text stands in a file is told
by who may change it in place."""


def values_of(tool: str, args: Mapping[str, Any], plan: Plan | None = None) -> Values:
    """Return the values of a call. It answers for every tool and every arguments, and raises nothing.

    A tool without values of its own (another dialect's command) has the one value `*`.
    """
    if plan is not None and not is_plan_of(plan, tool, args):
        return _all([ToolValue("*", unclear="what would run is not what was asked for")])
    if tool in _PATHS:
        name, kind = _PATHS[tool]
        return _all([path_value(_text(args, name) or ".", kind, plan, _VETOES.get(tool, ()))])
    read = _READERS.get(tool)
    return read(args, plan) if read is not None else Values([ToolValue("*")], ["*"])


def is_plan_of(plan: Plan, tool: str, args: Mapping[str, Any]) -> bool:
    """Whether a plan carries out exactly what was asked for: this tool, these arguments, this command."""
    try:
        if plan.tool != tool or canonical(plan.args) != canonical(args):
            return False
    except msgspec.MsgspecError:
        return False
    if tool not in NAMES_OF_COMMANDS or not plan.argv:
        return True
    line = args.get("command")
    if tool == "exec":
        argv = [str(each) for each in cast("list[object]", args.get("argv", []))]
        if list(plan.argv[1:]) == argv[1:]:
            return True
        line = shlex.join(argv)
    return plan.argv[-1] == line and posixpath.basename(plan.argv[0]) in SHELLS


def path_value(path: str, kind: ActionKind, plan: Plan | None, vetoes: Sequence[str] = (), lead: str = "") -> ToolValue:
    """Return the value of a path; `lead` is put before it, and before each of its spellings."""
    cwd = plan.cwd if plan is not None else ""
    written = _spellings(posixpath.normpath(path), cwd)
    resolved = [fact.path for fact in plan.files if fact.role in _NAMED] if plan is not None else []
    meanings = [tuple(lead + form for form in written)]
    meanings += [tuple(lead + form for form in _spellings(each, cwd)) for each in resolved if not lead]
    forms = [form for meaning in meanings for form in meaning]
    if not written[0].startswith("/") and written[0] != ".":
        forms.append(f"{lead}./{written[0]}")
    hidden = hidden_in(path, "")
    return ToolValue(
        lead + path,
        kind,
        forms=forms,
        meanings=meanings,
        vetoes=vetoes,
        unclear=f"its path has the character {hidden}" if hidden else "",
    )


def _spellings(path: str, cwd: str) -> tuple[str, ...]:
    """Return a normal path relative to the working directory, if it is below it, and absolute, if that is known."""
    absolute = path if path.startswith("/") else posixpath.normpath(posixpath.join(cwd, path)) if cwd else ""
    if absolute.startswith("//"):
        absolute = absolute[1:]
    if not absolute:
        return (path,)
    below = cwd and (absolute == cwd or absolute.startswith(cwd.rstrip("/") + "/"))
    return (posixpath.relpath(absolute, cwd), absolute) if below else (absolute,)


def _all(values: list[ToolValue]) -> Values:
    unclear = next((each.unclear for each in values if each.unclear), "")
    floor = next((each.floor for each in values if each.floor), "")
    always = [] if unclear or floor else [value.meanings[0][0] for value in values]
    return Values(values, always if not any("*" in glob or "?" in glob for glob in always) else [], floor, unclear)


def _process(args: Mapping[str, Any], plan: Plan | None) -> Values:  # noqa: ARG001 - the shape of a reader
    return _all([ToolValue(_text(args, "action") or "*")])


def _searched(args: Mapping[str, Any], plan: Plan | None) -> Values:
    """Return the folder, or the files in it that are chosen by their names."""
    folder, include = _text(args, "path") or ".", _text(args, "include")
    path = posixpath.join(folder, include) if include else folder
    value = path_value(path, ActionKind.READ, plan, _VETOES["grep"])
    value.forms = [*value.forms, include] if include else value.forms
    return _all([value])


def _pattern(args: Mapping[str, Any], plan: Plan | None) -> Values:
    folder = _text(args, "path") or "."
    pattern = _text(args, "pattern")
    value = path_value(posixpath.join(folder, pattern), ActionKind.READ, plan)
    value.forms = [*value.forms, pattern]
    return _all([value])


def _patched(args: Mapping[str, Any], plan: Plan | None) -> Values:
    """Return the files that a patch names in its headers; one that names none is unclear."""
    paths: dict[str, None] = {}
    for line in _text(args, "patch").splitlines():
        if line.startswith(("--- ", "+++ ", "rename from ", "rename to ", "copy from ", "copy to ")):
            name = line.split("\t")[0].split(" ", 1 if line[0] in "-+" else 2)[-1].strip()
            if name not in ("/dev/null", ""):
                paths[name[2:] if name.startswith(("a/", "b/")) else name] = None
    values = [path_value(path, ActionKind.WRITE, plan, _VETOES["apply_patch"]) for path in paths]
    return _all(values or [ToolValue("*", ActionKind.WRITE, unclear="the patch names no file")])


def _address(args: Mapping[str, Any], plan: Plan | None) -> Values:  # noqa: ARG001 - the shape of a reader
    url = _text(args, "url")
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        host = ""
    unclear = "" if host and not hidden_in(url, "") else "its address has no plain host"
    return _all([ToolValue(url, ActionKind.READ, forms=(host,), meanings=((host,),), unclear=unclear)])


def _exec(args: Mapping[str, Any], plan: Plan | None) -> Values:
    given = args.get("argv")
    words = cast("list[object]", given) if isinstance(given, list) else []
    return _commands(shell.of_argv([str(each) for each in words]), plan)


def _shell(args: Mapping[str, Any], plan: Plan | None) -> Values:
    return _commands(shell.parse(_text(args, "command")), plan)


def _commands(line: shell.ShellLine, plan: Plan | None) -> Values:
    values = [_command(each) for each in line.commands]
    values += [
        ToolValue(each.text, ActionKind.ASSIGN, floor=each.floor, unclear=each.unclear) for each in line.assignments
    ]
    values += [_redirection(each, plan) for each in line.redirections]
    typed = "it has a terminal: what is typed into it is not read" if plan is not None and plan.has_terminal else ""
    if line.unclear or typed or not values:
        reason = line.unclear or typed or "there is nothing to run"
        values.append(ToolValue(line.text, ActionKind.COMMAND, unclear=reason))
    unclear = next((each.unclear for each in values if each.unclear), "")
    floor = next((each.floor for each in values if each.floor), "")
    is_bare = not (unclear or floor or line.redirections or line.assignments) and shell.fits_itself(line.commands)
    always = list(dict.fromkeys(each.always for each in line.commands)) if is_bare else []
    return Values(values, always, floor, unclear)


def _command(command: shell.ShellCommand) -> ToolValue:
    words = command.words
    spellings = [command.bare, shlex.join(words), " ".join(words)]
    if words and "/" in words[0]:
        spellings.append(" ".join((posixpath.basename(words[0]), *words[1:])))
    return ToolValue(
        command.text,
        ActionKind.COMMAND,
        forms=spellings,
        meanings=((command.bare,),),
        floor=command.floor,
        unclear=command.unclear,
    )


def _redirection(found: shell.Redirection, plan: Plan | None) -> ToolValue:
    kind, veto = (ActionKind.WRITE, "write_file") if found.is_write else (ActionKind.READ, "read_file")
    lead = "> " if found.is_write else "< "
    value = path_value(found.path, kind, plan, lead=lead)
    value.vetoes = (veto,)
    value.forms = [*value.forms, found.path, *(form[len(lead) :] for form in value.forms)]
    value.unclear = value.unclear or found.unclear
    value.floor = found.floor
    return value


def _text(args: Mapping[str, Any], name: str) -> str:
    value = args.get(name, "")
    return value if isinstance(value, str) else ""


_READERS: Mapping[str, Callable[[Mapping[str, Any], Plan | None], Values]] = MappingProxyType(
    {
        "exec": _exec,
        "shell": _shell,
        "glob": _pattern,
        "grep": _searched,
        "apply_patch": _patched,
        "fetch": _address,
        "process": _process,
    }
)
