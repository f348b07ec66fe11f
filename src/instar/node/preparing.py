"""From what is asked to a plan of exactly what would run, resolved on this machine; nothing runs."""

import asyncio
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from msgspec import Struct

from instar.base.errors import InstarError
from instar.policy.digest import plan_digest
from instar.policy.environment import filtered
from instar.wire import tools as wire
from instar.wire.execution import Plan, Preparation, Prepared, Sandbox
from instar.wire.limits import ID_PATTERN

from . import sandbox
from .allow import Allowed
from .environment import Account, environment
from .processes import Program
from .resolution import Resolved, resolve
from .tools import registry
from .tools.context import ToolContext

SHELL = "/bin/sh"
_WORD = re.compile(r"[^\s;|&<>()`$\"'{}*?\[\]]+")
"""What may be a path in a shell line; whatever is not is simply no file."""
_WRITTEN = re.compile(r"(?<!<)>[>|]?\s*(?!&)[^\s;|&<>()]+")
"""Where a line's output goes: what such a file holds has no say in what runs."""
_CALL_ID = re.compile(ID_PATTERN)


class Place(NamedTuple):
    """What of this machine decides a plan."""

    target_id: str
    account: Account
    working_dir: str
    timeout_s: float
    """Longest run of a program that is no background job."""
    hidden: Sequence[str]
    """Folders of the node's own that a sandboxed program does not see."""


@dataclass(slots=True)
class Ready:
    """A call that could run now. Close it when it does, or will not.

    Args:
        prepared: What is shown and bound.
        params: The tool's parameters.
        resolved: The program, opened; None for a tool that runs none.
    """

    prepared: Prepared
    params: Struct
    resolved: Resolved | None = None
    words: list[str] = field(default_factory=list[str])
    """Of the sandbox, to go before the program's."""

    def close(self) -> None:
        """Give descriptors back."""
        if self.resolved is not None:
            self.resolved.close()


def check_call_id(call_id: str) -> None:
    """Refuse what is no id: it becomes the name of a folder.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    if _CALL_ID.fullmatch(call_id) is None:
        raise InstarError(
            "unprocessable_entity", f"{call_id[:140]!r} is no id of a call", hint="Use letters and digits."
        )


def decode(preparation: Preparation, allowed: Allowed) -> Struct:
    """Return the tool's parameters, if this machine ever permits the tool.

    Raises:
        InstarError: `command_refused`, `unprocessable_entity`.
    """
    tool = wire.TOOLS.get(preparation.tool)
    if tool is None:
        raise InstarError("command_refused", f"this node has no tool {preparation.tool[:128]!r}")
    if not allowed.permits(preparation.tool):
        raise InstarError(
            "command_refused",
            f"this machine does not permit `{preparation.tool}`",
            hint=f"Permit it on the node itself: instar node allow --here {preparation.tool}",
        )
    try:
        return msgspec.json.decode(preparation.args, type=tool.params)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InstarError("unprocessable_entity", f"`{preparation.tool}` cannot be asked like this: {error}") from error


async def prepare(place: Place, preparation: Preparation, allowed: Allowed, roots: Sequence[str]) -> Ready:
    """Resolve a call that runs a program.

    Raises:
        InstarError: As `decode` and `resolution.resolve`; `outside_roots`, `sandbox_unavailable`.
    """
    params = decode(preparation, allowed)
    env = environment_of(preparation, allowed)
    kind = sandbox.strictest(preparation.sandbox, allowed.sandbox)
    if kind is not Sandbox.NONE:
        await asyncio.to_thread(sandbox.check, kind)
    argv, named = _words(params)
    cwd = working_dir(place, preparation)
    resolved = await asyncio.to_thread(resolve, argv, cwd, place.account.path, named)
    try:
        _check_within(resolved.cwd, roots)
        plan = Plan(
            place.target_id,
            preparation.tool,
            preparation.args,
            cwd=resolved.cwd,
            argv=argv,
            env=env,
            files=resolved.files,
            sandbox=kind,
            has_terminal=preparation.terminal is not None,
            timeout_s=time_limit(place, preparation),
            is_background=preparation.is_background,
        )
        ready = Ready(Prepared(plan, plan_digest(plan), _unbound(resolved, params)), params, resolved)
        if kind is not Sandbox.NONE:
            ready.words = sandbox.wrapped(
                kind, roots=roots, hidden=place.hidden, cwd=resolved.cwd, account=place.account
            )
            if exposure := sandbox.exposure(roots=roots, account=place.account):
                ready.prepared.unbound.append(exposure)
    except BaseException:
        resolved.close()
        raise
    return ready


async def prepare_tool(place: Place, preparation: Preparation, allowed: Allowed, context: ToolContext) -> Ready:
    """Resolve a call of a tool that runs no program.

    Raises:
        InstarError: As `decode` and `registry.resolve`.
    """
    params = decode(preparation, allowed)
    files = await registry.resolve(context, params)
    plan = Plan(
        place.target_id,
        preparation.tool,
        preparation.args,
        cwd=context.cwd,
        files=files,
        timeout_s=preparation.timeout_s,
        is_background=preparation.is_background,
        read_rules=preparation.read_rules,
    )
    return Ready(Prepared(plan, plan_digest(plan), registry.unbound(files)), params)


def unbound(place: Place, preparation: Preparation, params: Struct) -> Ready:
    """Return a call of a tool that names nothing which could change: there is nothing to resolve."""
    plan = Plan(place.target_id, preparation.tool, preparation.args, timeout_s=preparation.timeout_s)
    return Ready(Prepared(plan, ""), params)


def environment_of(preparation: Preparation, allowed: Allowed) -> dict[str, str]:
    """Return what the caller may forward.

    Raises:
        InstarError: `command_refused` for a variable that may not be; nothing is dropped in silence.
    """
    permitted = set(preparation.env_allowed) & set(allowed.env)
    passed, refused = filtered(preparation.env, permitted)
    if refused:
        names = ", ".join(refused[:10])
        raise InstarError(
            "command_refused",
            f"these variables may not be forwarded to this machine: {names}",
            hint=f"Leave them out, or permit them on the node: instar node allow --here --env {refused[0]}",
        )
    return passed


def working_dir(place: Place, preparation: Preparation) -> str:
    """Return the folder that is asked for, absolute; it need not be there."""
    asked = preparation.cwd
    if asked == "~" or asked.startswith("~/"):
        asked = place.account.home + asked[1:]
    return asked if asked.startswith("/") else f"{place.working_dir}/{asked}".rstrip("/") or "/"


def time_limit(place: Place, preparation: Preparation) -> float:
    """Return how long a program may run; 0: without limit, which is for background jobs."""
    asked = preparation.timeout_s
    if preparation.is_background:
        return asked
    return min(asked or place.timeout_s, place.timeout_s) if place.timeout_s else asked


def program(place: Place, ready: Ready) -> Program:
    """Return what is executed: the very file that was hashed, by descriptor where that is possible."""
    plan, resolved = ready.prepared.plan, ready.resolved
    assert resolved is not None
    argv, path = plan.argv, "" if resolved.can_execute_descriptor else resolved.path
    if ready.words:
        argv, path = [*ready.words, resolved.path, *plan.argv[1:]], ready.words[0]
    return Program(
        argv,
        environment(place.account, plan.env),
        resolved.folder,
        resolved.executable,
        path=path,
        named=resolved.path,
        mark=resolved.mark,
        has_terminal=plan.has_terminal,
    )


def command_text(params: Struct) -> str:
    """Return what to call a program's call in a list."""
    if isinstance(params, wire.Shell):
        return params.command[:200]
    return " ".join(params.argv)[:200] if isinstance(params, wire.Exec) else ""


def _words(params: Struct) -> tuple[list[str], list[str]]:
    """Return the program's words, and those that may name files."""
    if isinstance(params, wire.Shell):
        read = _WRITTEN.sub(" ", params.command)
        return [SHELL, "-c", params.command], list(dict.fromkeys((*_WORD.findall(read), *_quoted(read))))
    assert isinstance(params, wire.Exec)
    if any("\0" in word for word in params.argv):
        raise InstarError("unprocessable_entity", "an argument holds a NUL character", hint="No program takes one.")
    return params.argv, params.argv[1:]


def _quoted(line: str) -> list[str]:
    """Return the words of a line as a shell splits them, quotes taken off; of one that cannot be split, none."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split, words.commenters = True, ""
    try:
        return list(words)
    except ValueError:
        return []


def _check_within(cwd: str, roots: Sequence[str]) -> None:
    if not any(cwd == root or cwd.startswith(root.rstrip("/") + "/") for root in roots):
        raise InstarError("outside_roots", f"{cwd} lies in no folder that this machine grants")


def _unbound(resolved: Resolved, params: Struct) -> list[str]:
    said = list(resolved.unbound)
    if isinstance(params, wire.Shell):
        said.append("What the line reads and runs beyond the files that it names is not bound.")
    return said
