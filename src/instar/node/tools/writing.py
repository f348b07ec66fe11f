"""Write files whole or not at all: into a fresh file beside the target, which then takes its name."""

import asyncio
import hashlib
import os
import secrets
import stat
from contextlib import suppress

from instar.base.errors import InstarError
from instar.node.roots import Place, refusal
from instar.wire import tools as wire
from instar.wire.tool_results import FileWritten

from .context import ToolAnswer, ToolContext

_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o666
"""Of a new file, before the account's umask."""


async def write_file(context: ToolContext, params: wire.WriteFile) -> ToolAnswer:
    """Write a text file; what it held is replaced, its mode stays."""
    return ToolAnswer(await asyncio.to_thread(_write_file, context, params))


def _write_file(context: ToolContext, params: wire.WriteFile) -> FileWritten:
    content = encoded(params.content)
    try:
        with context.roots.place(params.path, context.cwd, make_folders=params.create_directories) as place:
            replace(place, content)
            return FileWritten(place.path, len(content), hashlib.sha256(content).hexdigest(), place.state is None)
    except InstarError as error:
        if error.code == "not_found" and not params.create_directories:
            raise InstarError(error.code, error.message, hint="Ask with `create_directories` to make it.") from error
        raise


def encoded(text: str) -> bytes:
    """Return a text as UTF-8.

    Raises:
        InstarError: `unprocessable_entity` for half of a surrogate pair.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InstarError(
            "unprocessable_entity", "the text is no Unicode", hint="Send bytes with put_file instead."
        ) from error


def replace(place: Place, content: bytes) -> None:
    """Put a regular file in a place, or another content into the one that is there; mode and owner stay.

    Raises:
        InstarError: `unprocessable_entity` for a place that holds no regular file; as `roots.refusal`.
    """
    must_be_writable(place)
    try:
        name = fresh_beside(place, content)
        try:
            os.replace(name, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
        except OSError:
            discard(place.folder, name)
            raise
    except OSError as error:
        raise refusal(error, place.path) from error


def must_be_writable(place: Place) -> None:
    """Refuse a place where no regular file can stand.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    if place.name == "." or (place.state is not None and not stat.S_ISREG(place.state.st_mode)):
        raise InstarError("unprocessable_entity", f"{place.path} is no file that can be written", hint="Name a file.")


def fresh_beside(place: Place, content: bytes) -> str:
    """Write a new file beside a place, on disk and with the mode that it will have; return its name.

    Raises:
        OSError: The system refuses; nothing is left behind.
    """
    name = f".{place.name[:200]}.{secrets.token_hex(6)}.new"
    descriptor = os.open(name, _FRESH, _MODE, dir_fd=place.folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            keep_mode(file.fileno(), place.state)
            os.fsync(file.fileno())
    except OSError:
        discard(place.folder, name)
        raise
    return name


def keep_mode(descriptor: int, state: os.stat_result | None) -> None:
    """Give a file the mode of the one that it will replace, and its owner where the account may.

    Raises:
        OSError: The mode cannot be set.
    """
    if state is None:
        return
    with suppress(PermissionError):
        os.fchown(descriptor, state.st_uid, state.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(state.st_mode))


def discard(folder: int, name: str) -> None:
    """Remove a file that was begun; one that is gone is no error."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
