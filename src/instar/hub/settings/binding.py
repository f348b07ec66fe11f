"""Which addresses a hub may listen on: nothing public without credentials."""

import ipaddress
from typing import NamedTuple

from instar.base.errors import InstarError
from instar.wire.limits import SHARED_SECRET_MIN_CHARS

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
    def is_any(self) -> bool:
        """Whether it stands for every interface."""
        return self.host in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound

    @property
    def url(self) -> str:
        """Where a browser on this machine reaches it, unencrypted."""
        return self.reached_by("http")

    def reached_by(self, scheme: str) -> str:
        """Return where a browser on this machine reaches it by this scheme."""
        return f"{scheme}://{'127.0.0.1' if self.is_any else self._bracketed}:{self.port}"


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


def encrypts(settings: Settings, address: Address) -> bool:
    """Whether connections to this address are TLS: by default all that other machines can open."""
    if settings.tls.mode != "auto":
        return settings.tls.mode == "on"
    return not address.is_loopback and not settings.server.trusted_proxies


def url_of(settings: Settings, address: Address) -> str:
    """Return where a browser on this machine reaches this address."""
    return address.reached_by("https" if encrypts(settings, address) else "http")


def check_bind(settings: Settings) -> None:
    """Refuse to open a hub to other machines that asks for no credentials or weak ones, or that would send them in
    the clear.

    Raises:
        InstarError: `forbidden`, with the safe command; `bad_request` for an address that is none.
    """
    addresses = [parse_address(text) for text in (settings.listen.address, *settings.listen.compat)]
    public = [address for address in addresses if not address.is_loopback]
    if not public:
        return
    host, port = public[0]
    place = f"{host or 'every interface'} port {port}"
    if settings.auth.mode == "none":
        raise InstarError(
            "forbidden",
            f"`auth.mode: none` would let anybody in at {place}",
            hint=f"Run `INSTAR_AUTH_MODE=bearer instar start --listen {settings.listen.address}`, "
            f"or stay on `--listen 127.0.0.1:{port}`.",
        )
    if settings.tls.mode == "off" and not settings.server.trusted_proxies:
        raise InstarError(
            "forbidden",
            f"`tls.mode: off` would send every credential in the clear at {place}",
            hint=f"Run `INSTAR_TLS_MODE=auto instar start --listen {settings.listen.address}`, or name the proxy "
            "that encrypts in `server.trusted_proxies`.",
        )
    for key, secret in (("auth.token", settings.auth.token), ("auth.password", settings.auth.password)):
        if secret and len(secret) < SHARED_SECRET_MIN_CHARS:
            raise InstarError(
                "forbidden",
                f"`{key}` is shorter than {SHARED_SECRET_MIN_CHARS} characters, which is too easy to guess at {place}",
                hint=f"Set a longer one with `instar config set {key}`, or stay on `--listen 127.0.0.1:{port}`.",
            )


def base_url(settings: Settings) -> str:
    """Return where browsers reach the hub, without a trailing slash."""
    return settings.server.public_url.rstrip("/") or url_of(settings, parse_address(settings.listen.address))
