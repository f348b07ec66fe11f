"""Where an SSH target is, read strictly: what passes here can be no option, no shell word and no `%` expansion.

The address is handed to OpenSSH's client, whose own configuration may hand it on to a shell (`ProxyCommand`, `Match
exec`), and to logs and approvals that people read. So it is plain ASCII and nothing that anybody expands.
"""

import ipaddress
import re
from typing import NamedTuple

from instar.base.errors import InstarError
from instar.wire.limits import DNS_LABEL_MAX_CHARS, SSH_HOST_MAX_CHARS
from instar.wire.ssh import SshMode

DEFAULT_PORT = 22
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::([0-9]{1,5}))?")
_NAMED = re.compile(r"([^:\[\]]*)(?::([0-9]{1,5}))?")
_HINT = "Write `user@host`, `host:port`, `[address]:port`, or an alias of the ssh configuration."


class Destination(NamedTuple):
    """A machine and who to be there."""

    user: str
    """Empty: the client's own choice, in system mode."""
    host: str
    """A name or an address, without brackets."""
    port: int | None
    """None: the client's own choice, else 22."""

    @property
    def address(self) -> str:
        """`user@host`, as OpenSSH's client takes it."""
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def known_as(self) -> str:
        """The host as known_hosts lines name it."""
        return self.host if self.port in (None, DEFAULT_PORT) else f"[{self.host}]:{self.port}"

    @property
    def shown(self) -> str:
        """`user@host:port`, for people."""
        host = f"[{self.host}]" if ":" in self.host and self.port else self.host
        return (f"{self.user}@" if self.user else "") + host + (f":{self.port}" if self.port else "")


def parse_destination(address: str, port: int | None = None) -> Destination:
    """Return the destination that an address names; a port in it and `port` must not differ.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    if len(address) > SSH_HOST_MAX_CHARS or not address.isascii() or not address.isprintable():
        raise _refused("it must be printable ASCII")
    user, at, place = address.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise _refused("the user may hold letters, digits and `._+-` only, and not begin with `-`")
    host, written = _host_and_port(place)
    found = int(written) if written else None
    if found is not None and not 1 <= found <= 65_535:
        raise _refused(f"{found} is no port")
    if found is not None and port is not None and found != port:
        raise _refused(f"it says port {found}, and the port is {port}")
    return Destination(user, host, port if found is None else found)


def check_mode(destination: Destination, mode: SshMode) -> None:
    """Refuse a destination that cannot be reached in this mode.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    if mode is SshMode.MANAGED and not destination.user:
        raise _refused("in managed mode it must name the user, as no ssh configuration is read", "Write `user@host`.")


def _host_and_port(place: str) -> tuple[str, str]:
    if bracketed := _BRACKETED.fullmatch(place):
        return _ip6(bracketed[1]), bracketed[2] or ""
    if place.count(":") > 1:
        return _ip6(place), ""
    named = _NAMED.fullmatch(place)
    if named is None or not _HOST.fullmatch(named[1]) or ".." in named[1]:
        raise _refused("the host may hold letters, digits and `._-` only, and not begin or end with `-` or `.`")
    if max(map(len, named[1].split("."))) > DNS_LABEL_MAX_CHARS:
        raise _refused(f"a part of the host may have {DNS_LABEL_MAX_CHARS} characters")
    return named[1], named[2] or ""


def _ip6(text: str) -> str:
    # A zone could hold anything, and `%` is expanded where the client hands hosts on.
    if "%" in text:
        raise _refused("it has a zone", "Name the interface in the ssh configuration, and use its alias.")
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError as error:
        raise _refused(f"{text!r} is no IPv6 address") from error


def _refused(cause: str, hint: str = _HINT) -> InstarError:
    return InstarError("unprocessable_entity", f"the address cannot be used: {cause}", hint=hint)
