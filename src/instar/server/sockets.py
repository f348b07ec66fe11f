"""Listening sockets: bound before the hub says that it is ready, refused with the cause and the next step."""

import errno
import socket
from collections.abc import Sequence
from typing import NamedTuple

from instar.base.errors import InstarError
from instar.hub.settings.binding import Address, parse_address
from instar.wire.limits import RESERVED_FILES

_ANY = "0.0.0.0"  # noqa: S104 - what `:port` says
_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class Bound(NamedTuple):
    """Sockets that are bound, with their real addresses; connections are refused until they listen."""

    sockets: tuple[socket.socket, ...]
    listening: tuple[Address, ...]

    def close(self) -> None:
        """Give the addresses back."""
        for bound in self.sockets:
            bound.close()


def bind(addresses: Sequence[str]) -> Bound:
    """Bind every address; port 0 takes a free port.

    Raises:
        InstarError: `address_unusable`, or `bad_request` for an address that is none; what was bound before is given
            back.
    """
    sockets: list[socket.socket] = []
    try:
        for text in dict.fromkeys(addresses):
            sockets += _bind_name(text, parse_address(text))
    except InstarError:
        for bound in sockets:
            bound.close()
        raise
    listening = tuple(Address(*bound.getsockname()[:2]) for bound in sockets)
    return Bound(tuple(sockets), listening)


def _bind_name(text: str, address: Address) -> list[socket.socket]:
    """A name may stand for several addresses; those that this machine does not have are passed over."""
    try:
        found = socket.getaddrinfo(address.host or _ANY, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        cause = getattr(error, "strerror", None) or error
        raise InstarError("address_unusable", f"{address.host!r} cannot be resolved: {cause}", hint=_HINT) from None
    bound: list[socket.socket] = []
    missing: OSError | None = None
    for family, _, _, _, target in found:
        try:
            bound.append(_bind_one(family, target))
        except OSError as error:
            if error.errno not in _ABSENT:
                for other in bound:
                    other.close()
                raise unusable(text, address.port, error) from None
            missing = error
    if not bound:
        raise unusable(text, address.port, missing or OSError(errno.EADDRNOTAVAIL, "no such address"))
    return bound


def _bind_one(family: int, target: tuple[object, ...]) -> socket.socket:
    fresh = socket.socket(family, socket.SOCK_STREAM)
    try:
        fresh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            fresh.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        fresh.bind(target)
    except OSError:
        fresh.close()
        raise
    fresh.setblocking(False)
    return fresh


_HINT = "Choose another address with `listen.address` (INSTAR_LISTEN)."


def unusable(text: str, port: int, error: OSError) -> InstarError:
    """Return what the system's refusal means for the operator."""
    if error.errno == errno.EADDRINUSE:
        return InstarError(
            "address_unusable",
            f"port {port} of {text} is taken, perhaps by another Instar",
            hint="See `instar status`; stop what runs there, or choose another port with `listen.address`.",
        )
    if error.errno == errno.EACCES:
        return InstarError(
            "address_unusable",
            f"this user may not listen on port {port}",
            hint="Choose a port of 1024 or above with `listen.address`.",
        )
    return InstarError("address_unusable", f"cannot listen on {text}: {error.strerror}", hint=_HINT)


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one; return how many connections that allows (0: unlimited)."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            # macOS refuses `unlimited`; what there is must do.
            pass
    if soft == resource.RLIM_INFINITY:
        return 0
    return max(16, soft - RESERVED_FILES)
