"""Which addresses a fetch may go to: the public ones, and none that leads back to this machine or its networks."""

from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

_NEVER = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15",
            "240.0.0.0/4", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
        ),
    )
)  # fmt: skip
"""Beyond what `ipaddress` knows: shared and carrier networks, a cloud's host, protocol blocks, retired ones."""
_NAT64 = ip_network("64:ff9b::/96")
"""IPv6 that a network's edge turns into the IPv4 address at its end."""
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def refused(address: Address, own: Collection[Address] = ()) -> str:
    """Return why an address may not be gone to, with all that it stands for; empty when it may.

    Args:
        address: Where a name leads.
        own: Addresses of this machine, which are refused even if they are public.
    """
    for each in _meant(address):
        if each in own:
            return "it is this machine's own"
        if not each.is_global or each.is_multicast or each.is_reserved or each.is_loopback or each.is_link_local:
            return "it is not public"
        if any(each in network for network in _NEVER if network.version == each.version):
            return "it is not public"
    return ""


def parsed(text: str) -> Address:
    """Return the address that the system's resolver wrote.

    Raises:
        ValueError: It is none.
    """
    return ip_address(text.partition("%")[0])


def _meant(address: Address) -> Iterator[Address]:
    """Yield an address and every IPv4 address that is wrapped in it."""
    if isinstance(address, IPv4Address):
        yield address
        return
    low = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.ipv4_mapped is not None or address in _NAT64:
        yield low
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        yield low
