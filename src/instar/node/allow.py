"""What this machine ever permits, whatever a hub says: a file of its owner's, mode 0600, that no hub can write.

What is not there is never run. The file is read again when it changed, so that taking something out holds at once.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from instar.base.errors import InstarError
from instar.client import private_json
from instar.policy import environment, globs
from instar.policy.naming import check_named
from instar.wire.execution import Sandbox
from instar.wire.limits import NODE_COMMANDS_MAX, NODE_ENV_MAX, PATH_MAX_CHARS
from instar.wire.nodes import Command, EnvName
from instar.wire.tools import TOOLS

ROOTS_MAX = 64


class Allowed(Struct, frozen=True, forbid_unknown_fields=True):
    """One allow list. A new one permits nothing."""

    commands: Annotated[list[Command], Meta(max_length=NODE_COMMANDS_MAX)] = []
    """Globs over names of tools."""
    roots: Annotated[list[Annotated[str, Meta(max_length=PATH_MAX_CHARS)]], Meta(max_length=ROOTS_MAX)] = []
    """Folders that file tools reach, and where programs may be started."""
    env: Annotated[list[EnvName], Meta(max_length=NODE_ENV_MAX)] = []
    """Names of variables beyond `TERM`, `LANG` and `LC_*` that are taken from a call."""
    sandbox: Sandbox = Sandbox.NONE
    """The least sandbox that programs run in."""

    def permits(self, command: str) -> bool:
        """Whether a tool of this name may be used."""
        return any(globs.matches(glob, command) for glob in self.commands)

    def commands_of(self) -> list[str]:
        """Return the tools that are permitted, in the order of the table."""
        return [name for name in TOOLS if self.permits(name)]


class AllowList:
    """The file, as it is now.

    Args:
        path: The file; a missing one permits nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, ...] | None = None
        self._allowed = Allowed()

    def current(self) -> Allowed:
        """Return what is permitted now; the same object while the file does not change.

        Raises:
            InstarError: `unauthorized` for a file that others can get at; `unprocessable_entity` for what it holds:
                then nothing is permitted.
        """
        stamp = _stamp(self.path)
        if stamp != self._stamp or stamp is None:
            self._allowed = load(self.path)
            self._stamp = stamp
        return self._allowed


def load(path: Path) -> Allowed:
    """Read an allow list; a missing file permits nothing.

    Raises:
        InstarError: As `AllowList.current`.
    """
    content = private_json.read(path)
    try:
        allowed = msgspec.convert(content, Allowed)
    except msgspec.ValidationError as error:
        raise InstarError(
            "unprocessable_entity",
            f"{path} cannot be used: {error}",
            hint="Correct it; until then nothing may run.",
        ) from error
    _check(allowed)
    return allowed


def save(path: Path, allowed: Allowed) -> None:
    """Replace an allow list, mode 0600.

    Raises:
        InstarError: `unauthorized` when it cannot be written; `unprocessable_entity` for a variable that is never
            forwarded, a root that is not absolute, or too many of anything.
    """
    content = msgspec.to_builtins(allowed)
    try:
        msgspec.convert(content, Allowed)
    except msgspec.ValidationError as error:
        raise InstarError("unprocessable_entity", f"this cannot be permitted: {error}", hint="Give another.") from error
    _check(allowed)
    private_json.write(path, content)


def check_added(commands: Sequence[str], known: Sequence[str] = ()) -> None:
    """Refuse globs that somebody adds and that no tool of a node fits; those that were `known` before may stay.

    Raises:
        InstarError: `unprocessable_entity`; the hint has the names that are near.
    """
    check_named(commands, known)


def _check(allowed: Allowed) -> None:
    environment.check_listed(allowed.env)
    for root in allowed.roots:
        if not root.startswith("/"):
            raise InstarError("unprocessable_entity", f"the root {root!r} is not absolute", hint="Begin it with `/`.")


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        state = os.stat(path)  # noqa: PTH116 - asked before every call
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino, state.st_mode
