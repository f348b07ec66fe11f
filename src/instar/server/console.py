"""The console's files, served from memory: what is not in the built folder cannot be asked for."""

import hashlib
import mimetypes
import re
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from instar.base.errors import InstarError
from instar.wire.http import Request, Response, Upgrade

PREFIX = "/console/"
_INDEX = "index.html"
_VIEWS = ("room/", "dm/")
"""Below these are ids, which may have dots."""
_HASHED = re.compile(r"[.-][A-Za-z0-9_-]{8,}\.[a-z0-9]+$")
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_NOT_BUILT = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Instar</title>
<h1>The console was not built</h1>
<p>The hub runs; only its web console is missing from this installation.</p>
<p>In a checkout: <code>make console</code>, then start the hub again. Packages from a release bring it along.</p>
</html>
"""


class Asset(NamedTuple):
    """One file with its precompressed siblings."""

    body: bytes
    content_type: str
    etag: str
    is_immutable: bool
    encoded: dict[str, bytes]


class Console:
    """A door that serves the console under `/console/`.

    Args:
        folder: The built files; those of the package by default. A missing folder is answered with a page that says so.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._assets = _load(folder or Path(str(files("instar.server").joinpath("console_files"))))

    @property
    def is_built(self) -> bool:
        """Whether there is a console to serve."""
        return _INDEX in self._assets

    async def upgrade(self, request: Request) -> Upgrade | None:  # noqa: ARG002 - a door's shape
        """There are no sockets here."""
        return None

    async def handle(self, request: Request) -> Response | None:
        """Serve a file; a path without a dot, or of a conversation, is a view of the single page."""
        if request.path == PREFIX[:-1]:
            return Response(308, b"", "text/plain", (("location", PREFIX),), route="/console")
        if not request.path.startswith(PREFIX):
            return None
        if request.method not in {"GET", "HEAD"}:
            raise InstarError("method_not_allowed", "the console's files can only be read", hint="Use GET or HEAD.")
        if not self.is_built:
            return Response(404, _NOT_BUILT, "text/html; charset=utf-8", route=PREFIX)
        name = request.path.removeprefix(PREFIX)
        asset = self._assets.get(name)
        if asset is None and (name.startswith(_VIEWS) or "." not in name.rpartition("/")[2]):
            asset = self._assets[_INDEX]
        if asset is None:
            raise InstarError("not_found", "the console has no such file", hint="Open /console/.")
        return _serve(asset, request)


def _serve(asset: Asset, request: Request) -> Response:
    caching = "public, max-age=31536000, immutable" if asset.is_immutable else "no-cache"
    headers = [("cache-control", caching), ("etag", asset.etag), ("vary", "accept-encoding")]
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(304, b"", asset.content_type, tuple(headers), route=PREFIX)
    accepted = request.headers.get("accept-encoding", "")
    for encoding, body in asset.encoded.items():
        if re.search(rf"\b{encoding}\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$))", accepted):
            return Response(200, body, asset.content_type, (*headers, ("content-encoding", encoding)), route=PREFIX)
    return Response(200, asset.body, asset.content_type, tuple(headers), route=PREFIX)


def _load(folder: Path) -> dict[str, Asset]:
    """Read every file of the build; it is a few megabytes at most."""
    if not folder.is_dir():
        return {}
    siblings = {suffix for _, suffix in _ENCODINGS}
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in siblings]
    return {path.relative_to(folder).as_posix(): _asset(path) for path in paths}


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind in {"application/javascript", "application/json"}:
        kind += "; charset=utf-8"
    encoded: dict[str, bytes] = {}
    for encoding, suffix in _ENCODINGS:
        sibling = path.with_name(path.name + suffix)
        if sibling.is_file():
            encoded[encoding] = sibling.read_bytes()
    etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    return Asset(body, kind, etag, path.parent.name == "assets" and bool(_HASHED.search(path.name)), encoded)
