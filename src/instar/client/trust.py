"""Whom to believe that an encrypted address is the hub's: a fingerprint that is pinned, or an authority."""

import hmac
import http.client
import socket
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

from instar.wire.signatures import fingerprint

from .errors import HubError, UnreachableError

HTTPS_PORT = 443


class Trust(NamedTuple):
    """What makes a hub's certificate good."""

    ca_file: str = ""
    """PEM file of authorities to ask instead of the system's."""
    certificate: str = ""
    """The fingerprint that it must have; then no authority is asked, and no other certificate will do."""
    source: str = ""
    """Where that fingerprint came from, for messages."""


AUTHORITIES = Trust()
"""Whom the system trusts."""


def context_of(trust: Trust) -> ssl.SSLContext:
    """Return how to encrypt; with a pinned fingerprint the caller compares it before a byte is sent.

    Raises:
        HubError: `usage` for a `ca_file` that cannot be read.
    """
    if trust.certificate:
        return _unverified()
    try:
        return ssl.create_default_context(cafile=trust.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise HubError("usage", f"the CA file {trust.ca_file} cannot be read: {error}") from error


def check_certificate(der: bytes | None, trust: Trust, url: str) -> None:
    """Compare a certificate with the pinned fingerprint, where there is one.

    Raises:
        HubError: `hub_changed`, with both fingerprints.
    """
    if not trust.certificate:
        return
    found = fingerprint(der or b"")
    if not hmac.compare_digest(found, trust.certificate):
        raise changed(url, "certificate", expected=trust.certificate, found=found, source=trust.source)


def changed(url: str, what: str, *, expected: str, found: str, source: str) -> HubError:
    """Return the refusal of a hub that is not the one that was known; nothing was sent to it."""
    return HubError(
        "hub_changed",
        f"the {what} of {url} is {found}, but {source} says {expected}",
        detail={"expected": expected, "found": found, "what": what},
    )


def untrusted(url: str, found: str) -> HubError:
    """Return the refusal of a hub whose certificate nobody vouches for; nothing was sent to it."""
    return HubError(
        "hub_untrusted",
        f"nobody vouches for the certificate of {url}, {found}",
        hint=f"If `instar tls fingerprint` on the hub says the same, run: instar pair {url}",
        detail={"found": found},
    )


def fingerprint_at(url: str, timeout_s: float) -> str:
    """Return the fingerprint of the certificate that is shown at `https://…`, whoever vouches for it.

    Raises:
        HubError: `usage` for another scheme; `UnreachableError` when nobody speaks TLS there.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("https", "wss") or not parts.hostname:
        raise HubError("usage", f"{url!r} is not encrypted, so it has no certificate", hint="Name an https:// address.")
    try:
        with (
            socket.create_connection((parts.hostname, parts.port or HTTPS_PORT), timeout=timeout_s) as plain,
            _unverified().wrap_socket(plain, server_hostname=parts.hostname) as encrypted,
        ):
            return fingerprint(encrypted.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreachableError(f"nobody speaks TLS at {url} ({reason})") from error


def vouched_for(url: str, trust: Trust, timeout_s: float) -> None:
    """Open an encrypted connection and close it again: whoever vouches for the certificate is asked, nothing is said.

    Raises:
        HubError: `hub_untrusted`, `hub_changed`; `UnreachableError` when nobody speaks TLS there.
    """
    parts = urlsplit(url)
    connection = TrustedConnection(parts.hostname or "", parts.port, url=url, timeout_s=timeout_s, trust=trust)
    try:
        connection.connect()
    except OSError as error:
        raise UnreachableError(f"nobody speaks TLS at {url} ({error.strerror or error})") from error
    finally:
        connection.close()


class TrustedConnection(http.client.HTTPSConnection):
    """HTTPS to a hub that is known; no byte of a request is sent to another."""

    def __init__(self, host: str, port: int | None, *, url: str, timeout_s: float, trust: Trust) -> None:
        super().__init__(host, port, timeout=timeout_s, context=context_of(trust))
        self._url = url
        self._timeout_s = timeout_s
        self._trust = trust

    def connect(self) -> None:
        """Open the connection.

        Raises:
            HubError: `hub_changed`, `hub_untrusted`.
        """
        try:
            super().connect()
        except ssl.SSLCertVerificationError as error:
            raise untrusted(self._url, fingerprint_at(self._url, self._timeout_s)) from error
        assert isinstance(self.sock, ssl.SSLSocket)
        check_certificate(self.sock.getpeercert(binary_form=True), self._trust, self._url)


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
