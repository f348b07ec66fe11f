"""Apply a unified diff to files, all of it or nothing."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from instar.base.errors import InstarError
from instar.node.roots import Place, refusal
from instar.wire import tools as wire
from instar.wire.tool_results import Patched, PatchedFile

from . import diffs
from .context import ToolAnswer, ToolContext
from .editing import whole
from .writing import discard, encoded, fresh_beside, must_be_writable


@dataclass(slots=True)
class _Change:
    """One file that is to be changed: everything is known and written before the first name moves."""

    told: PatchedFile
    place: Place
    """Where the new content goes; of a deletion, what goes away."""
    source: Place | None = None
    """Of a rename: where it was."""
    content: bytes = b""
    before: bytes | None = None
    """What stood in the place."""
    fresh: str = ""
    is_done: bool = False


async def apply_patch(context: ToolContext, params: wire.ApplyPatch) -> ToolAnswer:
    """Apply a unified diff to files; when one hunk does not fit, no file is touched."""
    return ToolAnswer(await asyncio.to_thread(_apply, context, diffs.parse(params.patch)))


def _apply(context: ToolContext, wanted: Sequence[diffs.FileDiff]) -> Patched:
    with ExitStack() as stack:
        changes = [_planned(stack, context, diff) for diff in wanted]
        _must_be_apart(changes)
        try:
            for change in changes:
                if change.told.change != "deleted":
                    change.fresh = fresh_beside(_like(change), change.content)
            for change in changes:
                _carry_out(change)
        except OSError as error:
            _undo(changes)
            raise refusal(error, changes[0].place.path) from error
        return Patched([change.told for change in changes])


def _planned(stack: ExitStack, context: ToolContext, diff: diffs.FileDiff) -> _Change:
    added = sum(hunk.added for hunk in diff.hunks)
    removed = sum(hunk.removed for hunk in diff.hunks)
    new = stack.enter_context(
        context.roots.place(diff.new_path or diff.old_path, context.cwd, make_folders=not diff.old_path)
    )
    must_be_writable(new)
    if not diff.old_path:
        _must_be_absent(new)
        told = PatchedFile(new.path, "added", added_lines=added)
        return _Change(told, new, content=encoded(diffs.apply("", diff)))
    is_renamed = bool(diff.new_path) and diff.new_path != diff.old_path
    old = stack.enter_context(context.roots.place(diff.old_path, context.cwd)) if is_renamed else new
    before = whole(old)
    after = diffs.apply(before.decode(errors="surrogateescape"), diff).encode(errors="surrogateescape")
    if is_renamed:
        _must_be_absent(new)
        told = PatchedFile(new.path, "renamed", old.path, added, removed)
        return _Change(told, new, old, after)
    if diff.new_path:
        return _Change(PatchedFile(new.path, "changed", "", added, removed), new, None, after, before)
    if after:
        raise InstarError(
            "conflict", f"{new.path} holds more than the patch deletes", hint="Read it, and make the diff anew."
        )
    return _Change(PatchedFile(new.path, "deleted", "", 0, removed), new, None, b"", before)


def _must_be_absent(place: Place) -> None:
    if place.state is not None:
        raise InstarError("conflict", f"{place.path} is there already", hint="Make the diff from what it holds now.")


def _must_be_apart(changes: Sequence[_Change]) -> None:
    seen: set[str] = set()
    for change in changes:
        for place in filter(None, (change.place, change.source)):
            if place.path in seen:
                raise InstarError(
                    "unprocessable_entity", f"the patch names {place.path} twice", hint="Put its hunks together."
                )
            seen.add(place.path)


def _like(change: _Change) -> Place:
    """Return the place with the mode that the new file is to have."""
    return change.place if change.source is None else change.place._replace(state=change.source.state)


def _carry_out(change: _Change) -> None:
    place = change.place
    if change.told.change == "deleted":
        os.unlink(place.name, dir_fd=place.folder)
    else:
        os.replace(change.fresh, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    change.is_done = True
    if change.source is not None:
        os.unlink(change.source.name, dir_fd=change.source.folder)


def _undo(changes: Sequence[_Change]) -> None:
    """Put everything back as it was."""
    for change in changes:
        if not change.is_done:
            discard(change.place.folder, change.fresh) if change.fresh else None
        elif change.before is not None:
            name = fresh_beside(change.place, change.before)
            os.replace(name, change.place.name, src_dir_fd=change.place.folder, dst_dir_fd=change.place.folder)
        else:
            discard(change.place.folder, change.place.name)
