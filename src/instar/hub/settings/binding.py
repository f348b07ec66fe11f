"""Which addresses a hub may listen on: nothing public without credentials."""

import ipaddress
from typing import NamedTuple

from instar.base.errors import InstarError

from .tree import Settings

_PORT_MAX = 65_535


class Address(NamedTuple):
    """A listen address; an empty host is every interface."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self._bracketed}:{self.port}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def url(self) -> str:
        """Where a browser on this machine reaches it."""
        is_any = self.host in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
        return f"http://{'127.0.0.1' if is_any else self._bracketed}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the address that `host:port`, `[ipv6]:port` or `:port` names.

    Raises:
        InstarError: `bad_request` when it names none.
    """
    host, colon, port = text.strip().rpartition(":")
    is_bare_ipv6 = ":" in host and not (host.startswith("[") and host.endswith("]"))
    if not colon or not port.isascii() or not port.isdigit() or int(port) > _PORT_MAX or is_bare_ipv6:
        raise InstarError(
            "bad_request", f"{text!r} is no listen address", hint="Write it as `127.0.0.1:8787` or `[::1]:8787`."
        )
    return Address(host.strip("[]"), int(port))


def check_bind(settings: Settings) -> None:
    """Refuse to open a hub that asks for no credentials to other machines.

    Raises:
        InstarError: `forbidden`, with the safe command; `bad_request` for an address that is none.
    """
    addresses = [parse_address(text) for text in (settings.listen.address, *settings.listen.compat)]
    public = [address for address in addresses if not address.is_loopback]
    if public and settings.auth.mode == "none":
        host, port = public[0]
        raise InstarError(
            "forbidden",
            f"`auth.mode: none` would let anybody in at {host or 'every interface'} port {port}",
            hint=f"Run `INSTAR_AUTH_MODE=bearer instar start --listen {settings.listen.address}`, "
            f"or stay on `--listen 127.0.0.1:{port}`.",
        )


def base_url(settings: Settings) -> str:
    """Return where browsers reach the hub, without a trailing slash."""
    return settings.server.public_url.rstrip("/") or parse_address(settings.listen.address).url
