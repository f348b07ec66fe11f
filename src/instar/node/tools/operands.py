"""What a call binds: the files and folders that it names, resolved and hashed before anything runs."""

import asyncio
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec import Struct

from instar.base.errors import InstarError
from instar.node.roots import open_regular
from instar.wire import tools as wire
from instar.wire.execution import FileFact
from instar.wire.limits import PLAN_FILE_MAX_BYTES, PLAN_FILES_MAX

from . import diffs
from .context import ToolContext

OPERAND, TARGET, FOLDER = "operand", "target", "folder"
_BLOCK_BYTES = 1_048_576


class Operand(NamedTuple):
    """A path that a call names, and what for."""

    path: str
    role: str
    may_be_made: bool = False
    """Whether the call makes folders on the way that are missing."""


def of(params: Struct) -> list[Operand]:
    """Return the paths that a tool's parameters name; of a tool without any, none.

    Raises:
        InstarError: `unprocessable_entity` for a patch that cannot be read.
    """
    found = _OPERANDS.get(type(params))
    return [] if found is None else list(found(params))


async def facts(context: ToolContext, named: Sequence[Operand]) -> list[FileFact]:
    """Resolve and hash paths, in their order.

    Raises:
        InstarError: As `Roots.place`; `unprocessable_entity` for more than `PLAN_FILES_MAX`.
    """
    if len(named) > PLAN_FILES_MAX:
        raise InstarError(
            "unprocessable_entity",
            f"the call names {len(named)} files, and {PLAN_FILES_MAX} can be bound",
            hint="Ask for it in several calls.",
        )
    return await asyncio.to_thread(lambda: [_fact(context, each) for each in named])


def unbound(found: Iterable[FileFact]) -> list[str]:
    """Return as sentences which of these may change between approval and start."""
    said: list[str] = []
    for fact in found:
        if fact.role == FOLDER:
            said.append(f"What lies in {fact.path} may change.")
        elif not fact.sha256 and fact.size_bytes:
            said.append(f"{fact.path} is too large to be bound, so it may change.")
    return said


def digest_of(descriptor: int, is_cancelled: Callable[[], bool] = lambda: False) -> str:
    """Return the SHA-256 in hex of an open file, whole; its position is left alone.

    Raises:
        InstarError: `cancelled`.
    """
    digest, offset = hashlib.sha256(), 0
    while block := os.pread(descriptor, _BLOCK_BYTES, offset):
        if is_cancelled():
            raise InstarError("cancelled", "the call was cancelled")
        digest.update(block)
        offset += len(block)
    return digest.hexdigest()


def _fact(context: ToolContext, named: Operand) -> FileFact:
    try:
        return _fact_of(context, named)
    except InstarError as error:
        if error.code != "not_found" or not named.may_be_made:
            raise
        return FileFact(context.roots.would_be(named.path, context.cwd), "", 0, named.role)


def _fact_of(context: ToolContext, named: Operand) -> FileFact:
    with context.roots.place(named.path, context.cwd) as place:
        if place.state is None or named.role == FOLDER or not stat.S_ISREG(place.state.st_mode):
            return FileFact(place.path, "", 0, named.role)
        descriptor, state = open_regular(place)
        try:
            bound = state.st_size <= PLAN_FILE_MAX_BYTES
            return FileFact(place.path, digest_of(descriptor) if bound else "", state.st_size, named.role)
        finally:
            os.close(descriptor)


def _operand(params: wire.ReadFile | wire.GetFile) -> Iterable[Operand]:
    return [Operand(params.path, OPERAND)]


def _target(params: wire.WriteFile | wire.EditFile | wire.PutFile) -> Iterable[Operand]:
    may_be_made = isinstance(params, wire.WriteFile) and params.create_directories
    return [Operand(params.path, TARGET, may_be_made)]


def _folder(params: wire.ListFolder | wire.Glob | wire.Grep) -> Iterable[Operand]:
    return [Operand(params.path, FOLDER)]


def _patched(params: wire.ApplyPatch) -> Iterable[Operand]:
    named: dict[str, Operand] = {}
    for each in diffs.parse(params.patch):
        for path in filter(None, (each.old_path, each.new_path)):
            named.setdefault(path, Operand(path, TARGET, may_be_made=not each.old_path))
    return named.values()


_OPERANDS: Mapping[type[Struct], Callable[[Any], Iterable[Operand]]] = MappingProxyType(
    {
        wire.ReadFile: _operand,
        wire.GetFile: _operand,
        wire.WriteFile: _target,
        wire.EditFile: _target,
        wire.PutFile: _target,
        wire.ListFolder: _folder,
        wire.Glob: _folder,
        wire.Grep: _folder,
        wire.ApplyPatch: _patched,
    }
)
