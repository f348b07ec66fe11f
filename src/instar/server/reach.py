"""How another machine reaches the hub, as far as the hub itself knows: for the command that has one join."""

import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from instar.hub.settings.binding import Address, encrypts
from instar.hub.settings.tree import Settings
from instar.wire.devices import Reach

from .tls import Certificate

_ELSEWHERE = ("192.0.2.1", 9)
"""An address of nobody (RFC 5737): the system says by which of its own it would go there."""


def reach_of(settings: Settings, listening: Sequence[Address], certificate: Certificate | None) -> Reach:
    """Return where other machines dial, and what they are shown there.

    `server.public_url` says it where it is set; else the first address that is not this machine's alone. A certificate
    that the operator brought is not told to be pinned: it is renewed without the hub, and authorities vouch for it.
    """
    made = certificate.fingerprint if certificate and not certificate.is_own else ""
    public = urlsplit(settings.server.public_url)
    if public.hostname and not Address(public.hostname, 0).is_loopback:
        is_own_end = public.scheme == "https" and not settings.server.trusted_proxies
        return Reach(f"{public.scheme}://{public.netloc}", made if is_own_end else "")
    address = next((each for each in listening if not each.is_loopback), None)
    if address is None:
        return Reach()
    host = _own_address() if address.is_any else address.host
    is_encrypted = encrypts(settings, address)
    url = Address(host, address.port).reached_by("https" if is_encrypted else "http")
    return Reach(url, made if is_encrypted else "")


def _own_address() -> str:
    """Return the address by which this machine reaches others; nothing is sent to learn it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
