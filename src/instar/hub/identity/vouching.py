"""Who a trusted proxy or the tailnet says that a request is from. The person's rights are still the hub's to say."""

import re
from ipaddress import ip_address
from typing import Final

from instar.base.errors import InstarError
from instar.wire.http import Request

from .policy import AuthPolicy
from .tailnet import Tailnet

TAILSCALE_LOGIN: Final = "tailscale-user-login"
_SERVE_HEADERS: Final = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")
"""What Tailscale Serve always writes beside the login."""
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")


class Vouching:
    """Reads the login of the person whom a proxy has signed in.

    Args:
        policy: Whose word counts.
    """

    def __init__(self, policy: AuthPolicy) -> None:
        self._header = policy.proxy_header.lower()
        self._tailnet = Tailnet(policy.tailscale) if policy.tailscale else None

    async def vouched_for(self, request: Request) -> str:
        """Return the login that somebody trusted vouches for; empty: nobody does.

        From anybody else the headers mean nothing. The carrier has refused repeated ones.

        Raises:
            InstarError: `unauthorized` when a trusted proxy names no login, or the tailnet another one;
                `service_unavailable` when tailscale cannot be asked.
        """
        if self._header and request.is_proxied and self._header in request.headers:
            return _login(request.headers[self._header])
        if self._tailnet is not None and TAILSCALE_LOGIN in request.headers and _is_served(request):
            return await self._confirmed(self._tailnet, request)
        return ""

    async def _confirmed(self, tailnet: Tailnet, request: Request) -> str:
        login = _login(request.headers[TAILSCALE_LOGIN])
        try:
            address = str(ip_address(request.headers["x-forwarded-for"].strip()))
        except ValueError:
            raise _refused("the X-Forwarded-For of Tailscale Serve is not one address") from None
        if (await tailnet.login_of(address)).lower() != login.lower():
            raise _refused(f"tailscale does not know {address} as {login!r}")
        return login


def _is_served(request: Request) -> bool:
    """Whether Tailscale Serve on this machine may have sent it."""
    try:
        is_near = ip_address(request.connected_from.removeprefix("::ffff:")).is_loopback
    except ValueError:
        is_near = False
    return is_near and all(name in request.headers for name in _SERVE_HEADERS)


def _login(text: str) -> str:
    if _LOGIN.fullmatch(text.strip()) is None:
        raise _refused("the proxy names no login of a person")
    return text.strip()


def _refused(message: str) -> InstarError:
    return InstarError(
        "unauthorized", message, hint="Sign in with a name and a password instead, or correct the proxy.",
        detail={"cause": "not_vouched_for"},
    )  # fmt: skip
