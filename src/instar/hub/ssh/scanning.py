"""What keys a host shows to anybody who asks. Nothing is trusted by it."""

import base64

import asyncssh

from .failures import ConnectError, Failure, Refusal
from .host_keys import KINDS, HostKey
from .managed import ALGORITHMS


async def shown_keys(host: str, port: int) -> list[HostKey]:
    """Return every key that a host shows, the preferred kind first.

    Raises:
        ConnectError: It cannot be reached, or shows none.
    """
    found: list[HostKey] = []
    refused = ""
    for kind, algorithms in ALGORITHMS.items():
        try:
            key = await asyncssh.get_server_host_key(
                host, port, server_host_key_algs=list(algorithms), config=None, tunnel=None, proxy_command=None
            )
        except asyncssh.KeyExchangeFailed:
            # It has no key of this kind.
            continue
        except (asyncssh.Error, OSError) as error:
            refused = getattr(error, "strerror", "") or str(error)
            break
        if key is not None and kind in KINDS:
            found.append(HostKey(kind, base64.b64encode(key.public_data).decode()))
    if not found:
        raise ConnectError(Refusal(Failure.UNREACHABLE, f"{host} shows no host key ({refused or 'none of a kind'})"))
    return found
