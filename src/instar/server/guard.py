"""What every request and every upgrade must pass: who it says it came to (Host), from which page (Origin), through
which proxy, and under which request id. Loopback is not exempt: a browser on this machine is as foreign as any.
"""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from instar.base.errors import InstarError
from instar.hub.settings.binding import Address
from instar.wire.limits import REQUEST_ID_MAX_CHARS

from . import proxies
from .proxies import FORWARDING, Proxies

_REQUEST_ID = re.compile(rf"[A-Za-z0-9._:-]{{1,{REQUEST_ID_MAX_CHARS}}}")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::([0-9]{1,5}))?")
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_WILDCARDS = frozenset({"", "0.0.0.0", "[::]", "[::0]"})  # noqa: S104 - recognised, not bound
_SINGLE = ("host", "origin", "content-length", "authorization", "x-request-id", *proxies.SINGLE)
_KNOWN_HOSTS_MAX = 1_024

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""On every response."""
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
"""Over TLS with a certificate that browsers trust; with any other it would lock them out of the whole host."""
API_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""An API answer that a browser is tricked into rendering may do nothing."""
CONSOLE_POLICY = (
    b"content-security-policy",
    b"; ".join(
        (
            b"default-src 'self'",
            b"base-uri 'none'",
            b"connect-src 'self'",
            b"form-action 'self'",
            b"frame-ancestors 'none'",
            b"img-src 'self' blob: data:",
            b"object-src 'none'",
        )
    ),
)
"""The console runs its own files only: no inline script or style. `'self'` covers its WebSocket."""


class Admission(NamedTuple):
    """What the guard found out about a request."""

    peer: str
    is_local: bool
    scheme: str
    host: str
    is_forwarded: bool = False
    """It names a client, and the one who sent it is no trusted proxy."""
    is_proxied: bool = False
    """A trusted proxy sent it and says who the client is."""


def request_id(headers: Mapping[str, str]) -> str:
    """Return the caller's own request id when it is well formed, else a new one."""
    given = headers.get("x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return f"req_{random.getrandbits(64):016x}"


class Guard:
    """The allow-lists of one hub.

    Args:
        listening: Every bound address (never port 0).
        allowed_hosts: Further Host names, without port (`server.allowed_hosts`).
        allowed_origins: Further origins, `scheme://host[:port]` (`server.allowed_origins`).
        trusted_proxies: Addresses and networks whose forwarding headers count (`server.trusted_proxies`).
        identity_header: In which such a proxy names a person (`auth.proxy_header`).

    Raises:
        InstarError: `bad_request` for an entry that is no host, origin or network.
    """

    def __init__(
        self,
        listening: Sequence[Address],
        *,
        allowed_hosts: Iterable[str] = (),
        allowed_origins: Iterable[str] = (),
        trusted_proxies: Iterable[str] = (),
        identity_header: str = "",
    ) -> None:
        own = {*_LOOPBACK_NAMES, *(bracketed(address.host) for address in listening)} - _WILDCARDS
        self._names = own | {_allowed_host(entry) for entry in allowed_hosts}
        self._ports = frozenset(address.port for address in listening)
        self._origins = {f"{scheme}://{name}{port}" for name in own for scheme, port in self._endings()}
        self._origins.update(_allowed_origin(entry) for entry in allowed_origins)
        self._proxies = Proxies(trusted_proxies)
        self._single = (*_SINGLE, identity_header.lower()) if identity_header else _SINGLE
        self._known: dict[str, None] = {}

    def _endings(self) -> Iterable[tuple[str, str]]:
        """Yield each scheme with each port, once more without it where it is the scheme's default."""
        for port in self._ports:
            for scheme, default in (("http", 80), ("https", 443)):
                yield scheme, f":{port}"
                if port == default:
                    yield scheme, ""

    def admit(
        self,
        headers: Mapping[str, str],
        pairs: Sequence[tuple[bytes, bytes]],
        client: tuple[str, int] | None,
        server: tuple[str, int | None] | None,
        scheme: str,
    ) -> Admission:
        """Check a request head.

        Args:
            headers: Lower-case names to last values.
            pairs: The same as received, to see repeated headers.
            client: The peer's address; None on a Unix socket.
            server: The own address that the connection came in on.
            scheme: Of the connection itself.

        Raises:
            InstarError: `origin_refused` for a foreign Host or Origin; `bad_request` for a missing Host or a repeated
                header that must be single; `proxy_attribution_required` when a trusted proxy names no client.
        """
        if len(headers) != len(pairs):
            _refuse_repeated(pairs, self._single)
        peer = client[0] if client is not None else ""
        host = headers.get("host", "")
        is_plain = FORWARDING.isdisjoint(headers)
        is_proxied = not is_plain and self._proxies.has(peer)
        if is_proxied:
            peer, scheme, host = self._proxies.forwarded(headers, peer, scheme, host)
        landed = bracketed(server[0]) if server is not None else ""
        if host not in self._known:
            self._check_host(host, landed)
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins:
            self._check_origin(origin, landed)
        is_local = is_plain and is_loopback(peer)
        return Admission(peer, is_local, scheme, host, not is_plain and not is_proxied, is_proxied)

    def _check_host(self, host: str, landed: str) -> None:
        if not host:
            raise InstarError("bad_request", "the request has no Host header")
        match = _HOST.fullmatch(host.lower())
        if match is None or (match[1] not in self._names and match[1] != landed) or int(match[2] or 0) > 65_535:
            raise InstarError(
                "origin_refused",
                f"this hub does not answer to the Host {host[:100]!r}",
                hint="Use the hub's own address, or add the name to `server.allowed_hosts`.",
            )
        if len(self._known) >= _KNOWN_HOSTS_MAX:
            self._known.clear()
        if match[1] in self._names:
            self._known[host] = None

    def _check_origin(self, origin: str, landed: str) -> None:
        """A wildcard listener is reached under addresses that it cannot list; the one it was reached on is its own."""
        if landed and any(origin == f"{scheme}://{landed}{port}" for scheme, port in self._endings()):
            return
        raise InstarError("origin_refused", f"requests from the origin {origin[:100]!r} are not accepted")


def is_loopback(address: str) -> bool:
    """Whether a peer address is this machine's loopback, also in its IPv4-mapped form."""
    return address == "::1" or address.startswith(("127.", "::ffff:127."))


def bracketed(host: str) -> str:
    """Return a host as it stands in a URL: lower case, IPv6 in brackets."""
    host = host.lower()
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _refuse_repeated(pairs: Sequence[tuple[bytes, bytes]], single: Iterable[str]) -> None:
    names = [name.decode("latin-1") for name, _ in pairs]
    for name in single:
        if names.count(name) > 1:
            raise InstarError("bad_request", f"the header {name} was sent more than once")


def _allowed_host(entry: str) -> str:
    match = _HOST.fullmatch(bracketed(entry) if entry.count(":") > 1 else entry.lower())
    if match is None or match[2] is not None:
        raise InstarError(
            "bad_request",
            f"{entry!r} in server.allowed_hosts is no host name",
            hint="Write a name or address without scheme and port, for example `hub.example.org`.",
        )
    return match[1]


def _allowed_origin(entry: str) -> str:
    scheme, separator, authority = entry.lower().rstrip("/").partition("://")
    if scheme not in {"http", "https"} or not separator or not _HOST.fullmatch(authority):
        raise InstarError(
            "bad_request",
            f"{entry!r} in server.allowed_origins is no origin",
            hint="Write `scheme://host[:port]`, for example `https://hub.example.org`.",
        )
    return f"{scheme}://{authority}"
