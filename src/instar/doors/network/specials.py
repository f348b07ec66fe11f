"""Routes whose answer is no JSON object: files, exports, metrics and health."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from instar.base.errors import InstarError
from instar.wire.http import Response, StreamResponse

CHUNK_BYTES = 262_144

INLINE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"})
"""What a browser may show in place; everything else, SVG with its scripts included, is a download."""


class StoredFile(Protocol):
    """The answer to a read of a file, with the place of its bytes beside it that no encoder writes."""

    @property
    def blob(self) -> str:
        """Digest."""
        ...

    @property
    def size_bytes(self) -> int:
        """Size."""
        ...

    @property
    def media_type(self) -> str:
        """What the uploader called it."""
        ...

    @property
    def filename(self) -> str:
        """How the uploader called it; may be empty."""
        ...

    @property
    def path(self) -> Path:
        """Where the bytes are."""
        ...


def file_reply(content: StoredFile, route: str) -> StreamResponse:
    """Return a stored file. Its name and type are what the uploader said; the browser is told to believe neither."""
    is_shown = content.media_type in INLINE_TYPES
    kind = "inline" if is_shown else "attachment"
    name = quote(content.filename or content.blob, safe="")
    headers = (
        ("content-disposition", f"{kind}; filename*=UTF-8''{name}"),
        ("content-length", str(content.size_bytes)),
        ("cache-control", "private, max-age=31536000, immutable"),
        ("content-security-policy", "sandbox; default-src 'none'"),
    )
    media_type = content.media_type if is_shown else _plain(content.media_type)
    return StreamResponse(200, _chunks(content.path), media_type, headers, route)


def _plain(media_type: str) -> str:
    """Return the type if it can stand in a header."""
    is_fit = media_type.isascii() and media_type.isprintable() and "/" in media_type
    return media_type if is_fit else "application/octet-stream"


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


class Exported(Protocol):
    """The answer to an export, with its lines beside it that no encoder writes."""

    @property
    def lines(self) -> AsyncIterator[bytes]:
        """The events up to where the conversation stood, then the true end."""
        ...


def export_reply(exported: Exported, route: str) -> StreamResponse:
    """Return a conversation as NDJSON."""
    return StreamResponse(200, exported.lines, "application/x-ndjson", (), route)


class OutputBytes(Protocol):
    """The answer to a read of a call's output."""

    @property
    def offset(self) -> int:
        """Where its bytes begin."""
        ...

    @property
    def total_bytes(self) -> int:
        """How much is stored."""
        ...

    @property
    def dropped_bytes(self) -> int:
        """How much was thrown away."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        ...

    @property
    def content(self) -> bytes:
        """The bytes."""
        ...


def output_reply(output: OutputBytes, route: str) -> Response:
    """Return a range of a call's output. It is whatever a program wrote: a browser may only download it."""
    headers = (
        ("instar-offset", str(output.offset)),
        ("instar-total", str(output.total_bytes)),
        ("instar-dropped", str(output.dropped_bytes)),
        ("instar-ended", "true" if output.ended else "false"),
        ("content-disposition", "attachment"),
        ("cache-control", "no-store"),
        ("content-security-policy", "sandbox; default-src 'none'"),
    )
    return Response(200, output.content, "application/octet-stream", headers, route)


def metrics_reply(render: Callable[[], bytes], is_allowed: bool, route: str) -> Response:
    """Return the metrics as Prometheus text.

    Raises:
        InstarError: `forbidden` without scope admin or operate.
    """
    if not is_allowed:
        raise InstarError("forbidden", "needs scope admin or operate")
    return Response(200, render(), "text/plain; version=0.0.4; charset=utf-8", route=route)
