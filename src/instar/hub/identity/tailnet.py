"""Tailscale, asked who an address of the tailnet is: the header alone could be written by anybody on this machine."""

import asyncio
import os
import signal
import time
from asyncio.subprocess import Process
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

import msgspec

from instar.base.errors import InstarError
from instar.wire.limits import (
    TAILNET_KEEP_S,
    TAILNET_KNOWN_MAX,
    TAILNET_WHOIS_MAX,
    TAILNET_WHOIS_MAX_BYTES,
    TAILNET_WHOIS_S,
)


class _Profile(msgspec.Struct, rename="pascal"):
    login_name: str = ""


class _Whois(msgspec.Struct, rename="pascal"):
    user_profile: _Profile = msgspec.field(default_factory=_Profile)


class Tailnet:
    """Asks `tailscale whois`, and remembers the answer for a moment.

    Args:
        command: Path of the `tailscale` command.
        clock: Monotonic seconds, for tests.
    """

    def __init__(self, command: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._command = command
        self._clock = clock
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._turns = asyncio.Semaphore(TAILNET_WHOIS_MAX)

    async def login_of(self, address: str) -> str:
        """Return the login of who has this address of the tailnet; empty: tailscale knows none.

        Args:
            address: An IP address, already parsed: it is an argument of a command.

        Raises:
            InstarError: `service_unavailable` when tailscale cannot be asked.
        """
        login, until = self._known.get(address, ("", 0.0))
        if self._clock() < until:
            return login
        async with self._turns:
            login = await self._asked(address)
        self._known[address] = login, self._clock() + TAILNET_KEEP_S
        self._known.move_to_end(address)
        if len(self._known) > TAILNET_KNOWN_MAX:
            self._known.popitem(last=False)
        return login

    async def _asked(self, address: str) -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                self._command, "whois", "--json", address,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise _unusable(f"{self._command} cannot be started: {error.strerror}") from None
        try:
            async with asyncio.timeout(TAILNET_WHOIS_S):
                return await _answer(process)
        except TimeoutError:
            raise _unusable(f"{self._command} whois did not answer within {TAILNET_WHOIS_S:g} s") from None
        except msgspec.DecodeError:
            raise _unusable(f"{self._command} whois did not answer with its JSON") from None
        finally:
            await _end(process)


async def _answer(process: Process) -> str:
    """Return the login that the command prints; empty when it fails, as it does for a stranger."""
    assert process.stdout is not None
    said = b""
    while (chunk := await process.stdout.read(TAILNET_WHOIS_MAX_BYTES)) and len(said) < TAILNET_WHOIS_MAX_BYTES:
        said += chunk
    if chunk:
        raise msgspec.DecodeError("the answer has no end")
    if await process.wait() != 0:
        return ""
    return msgspec.json.decode(said, type=_Whois).user_profile.login_name


async def _end(process: Process) -> None:
    """Leave nothing of the command behind, however it went."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.stdout is not None
    while await process.stdout.read(TAILNET_WHOIS_MAX_BYTES):
        pass
    await process.wait()


def _unusable(message: str) -> InstarError:
    return InstarError("service_unavailable", message, hint="Check `auth.tailscale`, and that tailscale runs.")
