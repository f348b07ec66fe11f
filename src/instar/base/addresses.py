"""Addresses of clients, for those who count by them."""

from ipaddress import IPv6Address, ip_address, ip_network

_IPV6_SITE_BITS = 64
"""One host commonly holds a whole /64: it counts as one address."""


def site_of(peer: str) -> str:
    """Return what counts as one address: of IPv6 the /64, of a mapped one the IPv4 in it; any other text is itself."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if not isinstance(address, IPv6Address):
        return peer
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), _IPV6_SITE_BITS), strict=False))
