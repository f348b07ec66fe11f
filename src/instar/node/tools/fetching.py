"""`fetch`: read a page of the web, and never one of the machine's own networks.

A name is resolved once, every address that it stands for is checked, and the connection goes to a checked one, so that
a name which changes its mind is of no use. Redirects are walked by hand and checked in the same way. Proxies of the
environment are not used, and no credential is sent.
"""

import asyncio
import http.client
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from instar import __version__
from instar.base.errors import InstarError
from instar.node import addresses
from instar.wire import tools as wire
from instar.wire.limits import CALL_INLINE_BYTES, FETCH_REDIRECTS_MAX, LINK_CHUNK_MAX_BYTES
from instar.wire.tool_results import Page

from .context import ToolAnswer, ToolContext

_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/xhtml", "application/javascript")
_BLOCK_BYTES = 65_536
_UNSAFE = "%/?:@!$&'()*+,;=~-._"
_LONGER = "Ask for a longer `timeout_s`."
_HEADERS = {
    "User-Agent": f"instar/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}


class Got(NamedTuple):
    """One answer of a server."""

    status: int
    media_type: str
    location: str
    body: bytes
    is_cut: bool


async def fetch(context: ToolContext, params: wire.Fetch) -> ToolAnswer:  # noqa: ARG001 - the shape of a tool
    """Read a page; more than `max_bytes` is cut, and no more than `FETCH_REDIRECTS_MAX` redirects are walked."""
    own = await asyncio.to_thread(own_addresses)
    visit = Visit(params.max_bytes, time.monotonic() + params.timeout_s, own)
    try:
        async with asyncio.timeout(params.timeout_s):
            url, got = await asyncio.to_thread(visit.follow, params.url)
    except TimeoutError as error:
        raise InstarError(
            "timeout",
            f"{params.url} did not answer within {params.timeout_s:g} s",
            hint=_LONGER,
        ) from error
    finally:
        visit.stop()
    text = got.body.decode(errors="replace") if got.media_type.startswith(_TEXT_TYPES) else ""
    shown = text.encode()[:CALL_INLINE_BYTES].decode(errors="ignore")
    is_cut = len(shown) < len(text) or got.is_cut
    page = Page(url, got.status, got.media_type, len(got.body), shown, is_cut, got.is_cut)
    return ToolAnswer(page, _blocks(got.body))


def own_addresses() -> frozenset[addresses.Address]:
    """Return the addresses of this machine's interfaces."""
    import psutil  # noqa: PLC0415 - only when something is fetched

    found: set[addresses.Address] = set()
    for interface in psutil.net_if_addrs().values():
        for each in interface:
            with suppress(ValueError):
                found.add(addresses.parsed(each.address))
    return frozenset(found)


class Visit:
    """A walk along redirects; `stop` ends it from another thread, wherever it is.

    Args:
        max_bytes: The most that is read of a body.
        deadline: When all of it must be over, by the monotonic clock.
        own: Addresses of this machine.
    """

    def __init__(self, max_bytes: int, deadline: float, own: frozenset[addresses.Address]) -> None:
        self._max_bytes = max_bytes
        self._deadline = deadline
        self._own = own
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_stopped = False

    def stop(self) -> None:
        """Break what is going on off; again is no error."""
        with self._lock:
            self._is_stopped = True
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def follow(self, url: str) -> tuple[str, Got]:
        """Return where redirects ended, and the answer there.

        Raises:
            InstarError: `forbidden` for an address that is not public; `unprocessable_entity` for a URL that is none;
                `bad_gateway` for a server that cannot be spoken to; `timeout`.
        """
        for _ in range(FETCH_REDIRECTS_MAX + 1):
            got = self._get(url)
            if got.status not in _REDIRECTS or not got.location:
                return url, got
            url = urljoin(url, got.location)
        raise InstarError("bad_gateway", f"more than {FETCH_REDIRECTS_MAX} redirects", hint="Fetch the last address.")

    def _get(self, url: str) -> Got:
        parts = _split(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        try:
            connection = _Connection(host, port, self._connected(host, port, is_encrypted=parts.scheme == "https"))
            try:
                connection.request("GET", _target(parts), headers={"Host": _host_header(parts), **_HEADERS})
                return self._read(connection.getresponse())
            finally:
                connection.close()
        except TimeoutError as error:
            raise InstarError("timeout", f"{url} did not answer in time", hint=_LONGER) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise InstarError("bad_gateway", f"{host}:{port} cannot be read: {error}", hint="Check the URL.") from error

    def _connected(self, host: str, port: int, *, is_encrypted: bool) -> socket.socket:
        """Return a connection to an address of the host that was checked."""
        where = self._checked(host, port)
        plain = socket.create_connection(where, timeout=self._left())
        self._hold(plain)
        if not is_encrypted:
            return plain
        encrypted = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        self._hold(encrypted)
        return encrypted

    def _checked(self, host: str, port: int) -> tuple[str, int]:
        """Resolve a host; all that it stands for must be public, or a name could mix one in."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        names = list(dict.fromkeys(str(each[4][0]) for each in found))
        for name in names:
            if reason := addresses.refused(addresses.parsed(name), self._own):
                raise InstarError(
                    "forbidden",
                    f"{host} leads to {name}, where a fetch may not go: {reason}",
                    hint="Fetch a public URL.",
                )
        if not names:
            raise OSError(f"{host} has no address")
        return names[0], port

    def _read(self, answer: http.client.HTTPResponse) -> Got:
        body = bytearray()
        while len(body) <= self._max_bytes and (block := answer.read(_BLOCK_BYTES)):
            body += block
            self._left()
        media_type = answer.headers.get_content_type() if "content-type" in answer.headers else ""
        location = answer.headers.get("location", "")
        is_cut = len(body) > self._max_bytes
        return Got(answer.status, media_type, location, bytes(body[: self._max_bytes]), is_cut)

    def _hold(self, held: socket.socket) -> None:
        with self._lock:
            self._socket = held
            if self._is_stopped:
                raise TimeoutError
        held.settimeout(self._left())

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0 or self._is_stopped:
            raise TimeoutError
        return left


class _Connection(http.client.HTTPConnection):
    """HTTP over a connection that is open already; it never opens one by itself."""

    def __init__(self, host: str, port: int, held: socket.socket) -> None:
        super().__init__(host, port)
        self.auto_open = 0
        self.sock = held


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InstarError("unprocessable_entity", f"{url!r} is no URL: {error}", hint="Give an http(s) URL.") from error
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise InstarError("unprocessable_entity", f"{url!r} cannot be fetched", hint="Give an http:// or https:// URL.")
    if parts.username is not None or parts.password is not None:
        raise InstarError("unprocessable_entity", "a URL with a name or password is not fetched", hint="Leave it out.")
    if any(letter.isspace() or ord(letter) < 0x20 for letter in url):
        raise InstarError("unprocessable_entity", "a URL cannot hold spaces or line breaks", hint="Encode them.")
    return parts


def _target(parts: SplitResult) -> str:
    query = f"?{parts.query}" if parts.query else ""
    return quote((parts.path or "/") + query, safe=_UNSAFE)


def _host_header(parts: SplitResult) -> str:
    host = (parts.hostname or "").encode("idna").decode() if not (parts.hostname or "").isascii() else parts.hostname
    shown = f"[{host}]" if ":" in (host or "") else str(host)
    return shown if parts.port in (None, _PORTS[parts.scheme]) else f"{shown}:{parts.port}"


async def _blocks(body: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(body), LINK_CHUNK_MAX_BYTES):
        yield body[begin : begin + LINK_CHUNK_MAX_BYTES]
