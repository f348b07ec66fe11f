"""Proxies before the hub: whose forwarding headers count, and who they say the client is."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from instar.base.errors import InstarError

FORWARDING = frozenset(
    {
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-forwarded-server",
        "x-real-ip",
        "cf-connecting-ip",
        "true-client-ip",
    }
)
"""Headers that show that a request came through somebody else."""
SINGLE = (*sorted(FORWARDING - {"via"}), "tailscale-user-login")
"""Of two of the same, one is forged: nobody can tell which one a proxy wrote."""


class Forwarded(NamedTuple):
    """What a trusted proxy says of a request."""

    peer: str
    scheme: str
    host: str


class Proxies:
    """The proxies whose forwarding headers count.

    Args:
        trusted: Their addresses and networks.

    Raises:
        InstarError: `bad_request` for an entry that is neither.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks = tuple(_network(entry) for entry in trusted)

    def has(self, address: str) -> bool:
        """Whether a trusted proxy has this address."""
        return self._networks != () and self._is_trusted(parsed(address))

    def forwarded(self, headers: Mapping[str, str], proxy: str, scheme: str, host: str) -> Forwarded:
        """Take client, scheme and host from what the proxy at address `proxy` wrote.

        Each hop adds the one that it saw on the right: from there, the first that is no trusted proxy is the client.
        What stands left of it, the client may have made up.

        Raises:
            InstarError: `proxy_attribution_required` when a hop is no address, or when this machine itself would be
                the client: then nobody knows who is, and rights of this machine would go to everybody.
        """
        client = parsed(proxy)
        chain = headers.get("x-forwarded-for", "")
        for hop in reversed(chain.split(",") if chain else []):
            client = parsed(_without_port(hop.strip()))
            if not self._is_trusted(client):
                break
        if client is None or client.is_loopback or client.is_unspecified:
            raise InstarError(
                "proxy_attribution_required",
                "the proxy's X-Forwarded-For does not end in the address of a client",
                hint="Let the proxy append the client's address to X-Forwarded-For.",
            )
        claimed = headers.get("x-forwarded-proto", "").lower()
        scheme = claimed if claimed in {"http", "https"} else scheme
        return Forwarded(str(client), scheme, headers.get("x-forwarded-host") or host)

    def _is_trusted(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a text is, an IPv4-mapped one as IPv4; None when it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _without_port(hop: str) -> str:
    """Return the address of a hop that may be `1.2.3.4:5` or `[::1]:5`."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _network(entry: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(entry, strict=False)
    except ValueError:
        raise InstarError(
            "bad_request",
            f"{entry!r} in server.trusted_proxies is no address or network",
            hint="Write an address or a network, for example `10.0.0.0/8`.",
        ) from None
