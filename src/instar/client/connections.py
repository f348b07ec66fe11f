"""Connections for `http.client`: TCP, TLS, and Unix sockets."""

import http.client
import socket
from urllib.parse import SplitResult, unquote, urlsplit

from .errors import HubError
from .trust import Trust, TrustedConnection


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path
        self._timeout_s = timeout_s

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout_s)
        self.sock.connect(self._path)


def connect(url: str, timeout_s: float, trust: Trust) -> http.client.HTTPConnection:
    """Return an unopened connection to `http://…`, `https://…` or `unix:/path/of.sock`.

    Opening it raises `hub_changed` or `hub_untrusted` before anything is sent to a hub that `trust` does not know.

    Raises:
        HubError: `usage` for a URL of another kind, or an authority's file that cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return _UnixConnection(unquote(parts.path), timeout_s)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HubError("usage", f"{url!r} is no address of a hub", hint="Use http://HOST:PORT, https:// or unix:/PATH.")
    check_host(parts.hostname)
    if parts.username or parts.query:
        raise HubError("usage", "the hub's address carries a secret or a query", hint="Pass tokens by --token-file.")
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, _port(parts), timeout=timeout_s)
    return TrustedConnection(parts.hostname, _port(parts), url=url, timeout_s=timeout_s, trust=trust)


def check_host(host: str) -> None:
    """Refuse a name that DNS cannot hold, which no resolver says in one way (RFC 1035, section 2.3.4; RFC 3490).

    Raises:
        HubError: `usage`.
    """
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise HubError(
            "usage", f"{host!r} is no name of a host", hint="Check the name: 63 characters a part."
        ) from error


def base_path(url: str) -> str:
    """Return the path that a hub behind a proxy is mounted at, without a trailing slash."""
    parts = urlsplit(url)
    return "" if parts.scheme == "unix" else parts.path.rstrip("/")


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError as error:
        raise HubError("usage", f"the port of {parts.netloc!r} is no number") from error
