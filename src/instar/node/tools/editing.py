"""Replace a piece of a text file, byte for byte: nothing in either text means anything but itself."""

import asyncio
import hashlib
import os

from instar.base.errors import InstarError
from instar.node.roots import Place, open_regular
from instar.wire import tools as wire
from instar.wire.limits import EDIT_FILE_MAX_BYTES
from instar.wire.tool_results import FileEdited

from .context import ToolAnswer, ToolContext
from .writing import encoded, replace


async def edit_file(context: ToolContext, params: wire.EditFile) -> ToolAnswer:
    """Replace the one place where a text stands, or every one."""
    return ToolAnswer(await asyncio.to_thread(_edit_file, context, params))


def _edit_file(context: ToolContext, params: wire.EditFile) -> FileEdited:
    old, new = encoded(params.old_text), encoded(params.new_text)
    if old == new:
        raise InstarError("unprocessable_entity", "old and new text are the same", hint="Nothing is to be done.")
    with context.roots.place(params.path, context.cwd) as place:
        content = whole(place)
        count = content.count(old)
        if not count:
            raise InstarError(
                "conflict", f"the old text does not stand in {place.path}", hint="Read the file, and copy it exactly."
            )
        if count > 1 and not params.replace_all:
            raise InstarError(
                "conflict",
                f"the old text stands {count} times in {place.path}",
                hint="Give more of what is around it, or ask with `replace_all`.",
            )
        made = content.replace(old, new)
        replace(place, made)
        return FileEdited(place.path, count, len(made), hashlib.sha256(made).hexdigest())


def whole(place: Place) -> bytes:
    """Return what a file holds that is to be changed.

    Raises:
        InstarError: `not_found`, `too_large`; `unprocessable_entity` for what is no regular file.
        OSError: The system refuses.
    """
    descriptor, state = open_regular(place)
    with os.fdopen(descriptor, "rb") as file:
        if state.st_size > EDIT_FILE_MAX_BYTES:
            raise InstarError(
                "too_large",
                f"{place.path} has {state.st_size} bytes, and {EDIT_FILE_MAX_BYTES} can be changed in place",
                hint="Change it with a program (exec), or transfer it.",
            )
        return file.read(EDIT_FILE_MAX_BYTES + 1)
