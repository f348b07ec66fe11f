"""Read files and folders: text within limits, media as bytes, and no binary by mistake."""

import asyncio
import os
import stat
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import PurePath
from typing import NamedTuple, Self

from instar.base.errors import InstarError
from instar.node.roots import Opened
from instar.wire import tools as wire
from instar.wire.limits import (
    CALL_INLINE_BYTES,
    CALL_INLINE_LINES,
    FOLDER_ENTRIES_MAX,
    LINK_CHUNK_MAX_BYTES,
    READ_MEDIA_MAX_BYTES,
    READ_TEXT_MAX_CHARS,
)
from instar.wire.tool_results import Entry, EntryKind, FileText, Folder

from .context import ToolAnswer, ToolContext
from .diffs import lines_of

_MEDIA = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
    "bmp": "image/bmp", "svg": "image/svg+xml", "pdf": "application/pdf", "mp3": "audio/mpeg", "ogg": "audio/ogg",
    "wav": "audio/wav", "m4a": "audio/mp4", "flac": "audio/flac", "aac": "audio/aac",
}  # fmt: skip
_BINARY = frozenset(
    {
        "zip", "gz", "tgz", "tar", "bz2", "xz", "zst", "7z", "rar", "jar", "war", "whl", "exe", "dll", "so", "dylib",
        "a", "lib", "o", "obj", "pyc", "class", "bin", "iso", "img", "dmg", "deb", "rpm", "apk", "doc", "docx", "xls",
        "xlsx", "ppt", "pptx", "odt", "ods", "odp", "sqlite", "sqlite3", "db",
    }
)  # fmt: skip
_SAMPLE_BYTES = 4_096
_CONTROL_SHARE = 0.3
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\b\x1b")
_BLOCK_BYTES = 1_048_576


class _Span(NamedTuple):
    """What of a text was read."""

    total_lines: int
    content: bytes
    """Of the lines that were asked for, as much as was kept."""
    begin: int
    """Offset of the first asked line in the file."""
    end: int
    """Offset behind the last asked line."""


async def read_file(context: ToolContext, params: wire.ReadFile) -> ToolAnswer:
    """Read a text file or some of its lines; media comes as the call's output.

    A whole file is shown up to 2,000 lines and 50 KiB, named lines up to 100,000 characters. What does not fit is the
    call's output, all of it.
    """
    stack = ExitStack()
    try:
        opened = await asyncio.to_thread(lambda: stack.enter_context(context.roots.file(params.path, context.cwd)))
        kind = PurePath(opened.path).suffix.lower().removeprefix(".")
        if kind in _MEDIA:
            return _media(stack, opened, _MEDIA[kind])
        answer = await asyncio.to_thread(_text, context, params, opened, kind)
    except BaseException:
        stack.close()
        raise
    if isinstance(answer, FileText):
        stack.close()
        return ToolAnswer(answer)
    result, span = answer
    return ToolAnswer(result, FileBytes(stack, opened.descriptor, span.begin, span.end))


class FileBytes:
    """A file's bytes from `begin` to `end`; at the end, or when it is closed, the file is given back.

    Args:
        stack: Holds what is to be given back.
        descriptor: The file.
        begin: Offset of the first byte.
        end: Offset behind the last byte.
    """

    def __init__(self, stack: ExitStack, descriptor: int, begin: int, end: int) -> None:
        self._stack = stack
        self._descriptor = descriptor
        self._at = begin
        self._end = end

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        size = min(LINK_CHUNK_MAX_BYTES, self._end - self._at)
        block = await asyncio.to_thread(os.pread, self._descriptor, size, self._at) if size > 0 else b""
        if not block:
            await self.aclose()
            raise StopAsyncIteration
        self._at += len(block)
        return block

    async def aclose(self) -> None:
        """Give the file back; again is no error."""
        self._end = self._at
        self._stack.close()

    def __del__(self) -> None:
        self._stack.close()


def _media(stack: ExitStack, opened: Opened, media_type: str) -> ToolAnswer:
    size = opened.state.st_size
    if size > READ_MEDIA_MAX_BYTES:
        raise InstarError(
            "too_large",
            f"{opened.path} has {size} bytes, and {READ_MEDIA_MAX_BYTES} of media can be read",
            hint="Transfer it with `get_file`.",
        )
    result = FileText(opened.path, size, media_type=media_type)
    return ToolAnswer(result, FileBytes(stack, opened.descriptor, 0, size))


def _text(context: ToolContext, params: wire.ReadFile, opened: Opened, kind: str) -> FileText | tuple[FileText, _Span]:
    if kind in _BINARY or _is_binary(os.pread(opened.descriptor, _SAMPLE_BYTES, 0)):
        raise InstarError(
            "unprocessable_entity", f"{opened.path} is no text", hint="Transfer it with `get_file`, or use a program."
        )
    first, last = params.start_line or 1, params.end_line
    if last is not None and last < first:
        raise InstarError("unprocessable_entity", f"line {last} lies before line {first}", hint="Swap them.")
    is_whole = params.start_line is None and last is None
    span = _scan(context, opened.descriptor, first, last, 4 * READ_TEXT_MAX_CHARS)
    text, shown = _fitting(span.content, is_whole=is_whole)
    asked = max(0, min(last or span.total_lines, span.total_lines) - first + 1)
    is_cut = len(span.content) < span.end - span.begin or len(text.encode()) < len(_decoded(span.content).encode())
    result = FileText(
        opened.path,
        opened.state.st_size,
        text,
        total_lines=span.total_lines,
        first_line=first if asked else 0,
        last_line=first + shown - 1 if shown else 0,
        is_truncated=is_cut,
        next_line=first + shown if shown < asked else 0,
    )
    return (result, span) if is_cut else result


def _scan(context: ToolContext, descriptor: int, first: int, last: int | None, keep: int) -> _Span:
    """Count lines, and keep the beginning of those that are asked for; memory does not grow with the file."""
    kept = bytearray()
    line, offset, begin, end, tail = 1, 0, 0 if first == 1 else -1, -1, b"\n"
    while block := os.pread(descriptor, _BLOCK_BYTES, offset):
        if context.is_cancelled():
            raise InstarError("cancelled", "the call was cancelled")
        newlines = block.count(b"\n")
        if begin < 0 and line + newlines >= first:
            begin = offset + _behind(block, first - line)
        if end < 0 and last is not None and line + newlines > last:
            end = offset + _behind(block, last + 1 - line)
        if begin >= 0 and len(kept) < keep:
            start, stop = max(0, begin - offset), len(block) if end < 0 else max(0, end - offset)
            kept += block[start:stop][: keep - len(kept)]
        line, offset, tail = line + newlines, offset + len(block), block[-1:]
    begin = offset if begin < 0 else begin
    return _Span(line - (tail == b"\n"), bytes(kept), begin, max(begin, offset if end < 0 else end))


def _behind(block: bytes, newlines: int) -> int:
    """Return the index behind the `newlines`-th newline of a block."""
    at = 0
    for _ in range(newlines):
        at = block.index(b"\n", at) + 1
    return at


def _fitting(content: bytes, *, is_whole: bool) -> tuple[str, int]:
    """Return as much text as an answer holds, and how many lines that is: whole lines, or the beginning of one."""
    lines_max = CALL_INLINE_LINES if is_whole else READ_TEXT_MAX_CHARS
    made: list[str] = []
    room = CALL_INLINE_BYTES if is_whole else READ_TEXT_MAX_CHARS
    for line in lines_of(_decoded(content)):
        cost = len(line.encode()) if is_whole else len(line)
        if len(made) == lines_max or cost > room:
            if not made:
                made.append(_beginning(line, room, is_whole=is_whole))
            break
        made.append(line)
        room -= cost
    return "".join(made), len(made)


def _beginning(line: str, room: int, *, is_whole: bool) -> str:
    return line.encode()[:room].decode(errors="ignore") if is_whole else line[:room]


def _decoded(content: bytes) -> str:
    return content.decode(errors="replace").removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")


def _is_binary(sample: bytes) -> bool:
    controls = sum(byte < 32 and byte not in _TEXT_CONTROLS for byte in sample)
    return b"\0" in sample or controls > _CONTROL_SHARE * len(sample)


async def list_folder(context: ToolContext, params: wire.ListFolder) -> ToolAnswer:
    """List a folder: folders first, then by name; links are not followed."""
    return ToolAnswer(await asyncio.to_thread(_list_folder, context, params))


def _list_folder(context: ToolContext, params: wire.ListFolder) -> Folder:
    with context.roots.folder(params.path, context.cwd) as opened:
        names = os.listdir(opened.descriptor)  # noqa: PTH208 - of a handle
        entries = [entry for name in names if (entry := _entry(opened.descriptor, name)) is not None]
        entries.sort(key=lambda entry: (entry.kind != EntryKind.FOLDER, entry.name))
        shown = entries[:FOLDER_ENTRIES_MAX]
        return Folder(opened.path, shown, len(entries), len(shown) < len(entries))


def _entry(folder: int, name: str) -> Entry | None:
    try:
        state = os.stat(name, dir_fd=folder, follow_symlinks=False)
        target = os.readlink(name, dir_fd=folder) if stat.S_ISLNK(state.st_mode) else ""
    except OSError:
        return None
    return Entry(
        _printable(name),
        _kind(state.st_mode),
        state.st_size,
        datetime.fromtimestamp(state.st_mtime, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        stat.filemode(state.st_mode),
        _printable(target),
    )


def _kind(mode: int) -> EntryKind:
    if stat.S_ISREG(mode):
        return EntryKind.FILE
    if stat.S_ISDIR(mode):
        return EntryKind.FOLDER
    return EntryKind.LINK if stat.S_ISLNK(mode) else EntryKind.OTHER


def _printable(name: str) -> str:
    """Return a name that can be sent: bytes that are no UTF-8 are replaced."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
