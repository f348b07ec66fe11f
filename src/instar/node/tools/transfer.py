"""Files to the node and from it, in one piece or, after a cut, from where they stopped.

What comes grows in a hidden file beside its target, named by its digest; it takes the target's name once that holds.
"""

import asyncio
import os
from contextlib import ExitStack

from instar.base.errors import InstarError
from instar.node.roots import Place, refusal
from instar.wire import tools as wire
from instar.wire.tool_results import FilePut, FileSent

from .context import ToolAnswer, ToolContext
from .operands import digest_of
from .reading import FileBytes
from .writing import discard, keep_mode, must_be_writable

_PARTIAL = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_PRIVATE = 0o600
"""Of a file that is not whole yet."""


async def put_file(context: ToolContext, params: wire.PutFile) -> ToolAnswer:
    """Write a file from the call's input, and let it appear once its digest is right."""
    with ExitStack() as stack:
        place = await asyncio.to_thread(lambda: stack.enter_context(context.roots.place(params.path, context.cwd)))
        must_be_writable(place)
        name = f".{place.name[:160]}.{params.sha256[:24]}.part"
        try:
            descriptor = os.open(name, _PARTIAL, _PRIVATE, dir_fd=place.folder)
            stack.callback(os.close, descriptor)
            here = os.fstat(descriptor).st_size
            if params.offset > here:
                return ToolAnswer(FilePut(place.path, here, is_complete=False))
            got = await _take(context, descriptor, params)
            return ToolAnswer(await asyncio.to_thread(_finish, place, name, descriptor, params, got))
        except OSError as error:
            raise refusal(error, place.path) from error


async def _take(context: ToolContext, descriptor: int, params: wire.PutFile) -> int:
    """Write what comes, and return how much of the file is here then; what came stays if the rest does not."""
    at = params.offset
    os.ftruncate(descriptor, at)
    if at == params.size_bytes:
        return at
    async for block in context.input:
        if at + len(block) > params.size_bytes:
            raise InstarError(
                "too_large", f"more than the {params.size_bytes} bytes that were announced came", hint="Send it anew."
            )
        await asyncio.to_thread(_write, descriptor, block, at)
        at += len(block)
        if at == params.size_bytes:
            break
    return at


def _write(descriptor: int, block: bytes, offset: int) -> None:
    view = memoryview(block)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _finish(place: Place, name: str, descriptor: int, params: wire.PutFile, got: int) -> FilePut:
    if got < params.size_bytes:
        os.fsync(descriptor)
        return FilePut(place.path, got, is_complete=False)
    if digest_of(descriptor) != params.sha256:
        discard(place.folder, name)
        raise InstarError(
            "conflict", f"what came for {place.path} has another digest than was announced", hint="Send it anew."
        )
    os.fchmod(descriptor, params.mode)
    keep_mode(descriptor, place.state)
    os.fsync(descriptor)
    os.replace(name, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    return FilePut(place.path, got, is_complete=True)


async def get_file(context: ToolContext, params: wire.GetFile) -> ToolAnswer:
    """Send a file, or a piece of it, as the call's output."""
    stack = ExitStack()
    try:
        opened = await asyncio.to_thread(lambda: stack.enter_context(context.roots.file(params.path, context.cwd)))
        digest = await asyncio.to_thread(digest_of, opened.descriptor, context.is_cancelled)
        size = opened.state.st_size
        _must_be_begun(params, opened.path, digest, size)
    except BaseException:
        stack.close()
        raise
    result = FileSent(opened.path, params.offset, size, digest, opened.state.st_mode & 0o777)
    end = min(size, params.offset + params.limit_bytes) if params.limit_bytes else size
    return ToolAnswer(result, FileBytes(stack, opened.descriptor, params.offset, end))


def _must_be_begun(params: wire.GetFile, path: str, digest: str, size: int) -> None:
    anew = "Fetch it from its beginning."
    if params.sha256 not in ("", digest):
        raise InstarError("conflict", f"{path} is not the file any more that was begun", hint=anew)
    if params.offset > size:
        raise InstarError("conflict", f"{path} has {size} bytes only", hint=anew)
