"""Dialling SSH hosts: which way a target takes, a script on it, and what a host shows of itself."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import Sequence

from instar.base.errors import InstarError
from instar.hub.secrets import Secrets
from instar.store.seam import Store
from instar.wire.execution import Channel
from instar.wire.limits import SSH_CONNECT_S, SSH_TEST_S
from instar.wire.ssh import SshMode

from .command_line import environment
from .destinations import DEFAULT_PORT, Destination, parse_destination
from .failures import ConnectError, Failure, Refusal
from .host_keys import HostKey
from .inventory import Located
from .records import secret_of
from .script import encoded
from .system import SystemWay
from .way import Remote, Way

_ANSWER_MAX_BYTES = 8_192
_VERSION_S = 5.0


class Reach:
    """How hosts are reached.

    Args:
        store: Where keys are kept.
        secrets: What opens them.
        client: The OpenSSH client, and options that win over ours.
    """

    def __init__(self, store: Store, secrets: Secrets, client: Sequence[str]) -> None:
        self._store = store
        self._secrets = secrets
        self._client = client

    def way(self, located: Located) -> Way:
        """Return the way to a target."""
        if located.record.mode is SshMode.SYSTEM:
            return SystemWay(located, self._client)
        from .managed import ManagedWay  # noqa: PLC0415 - asyncssh takes long to import, and few hubs need it

        return ManagedWay(located, lambda: self._key(located.record.key_id))

    async def run(self, located: Located, script: str, seconds: float) -> int | None:
        """Run a short script on a host and return its status, None when it could not be reached or took too long."""
        with contextlib.suppress(ConnectError, InstarError, TimeoutError):
            async with asyncio.timeout(seconds):
                status, _ = await self._answer(located, script)
                return status
        return None

    async def probe(self, located: Located, word: str) -> None:
        """Let the host say a word.

        Raises:
            ConnectError: It did not.
        """
        try:
            async with asyncio.timeout(SSH_TEST_S):
                status, said = await self._answer(located, f"printf %s {word}")
        except TimeoutError as error:
            refusal = Refusal(Failure.TIMEOUT, f"the host did not answer within {SSH_TEST_S:.0f} s")
            raise ConnectError(refusal) from error
        except InstarError as error:
            failure = Failure.KEY_UNREADABLE if error.code == "secret_unreadable" else Failure.UNREACHABLE
            raise ConnectError(Refusal(failure, error.message)) from error
        if status != 0 or word.encode() not in said:
            raise ConnectError(Refusal(Failure.UNREACHABLE, f"the account's login shell ran nothing (status {status})"))

    async def scan(self, destination: Destination) -> tuple[Destination, list[HostKey]]:
        """Return where a host really is, and every key that it shows.

        Raises:
            ConnectError: It shows none.
        """
        from .scanning import shown_keys  # noqa: PLC0415 - as above

        place = await self._resolved(destination)
        try:
            async with asyncio.timeout(2 * SSH_CONNECT_S):
                return place, await shown_keys(place.host, place.port or DEFAULT_PORT)
        except TimeoutError as error:
            raise ConnectError(Refusal(Failure.TIMEOUT, "the host did not answer in time")) from error

    def client_path(self) -> str:
        """Return where the OpenSSH client is, empty when there is none."""
        return shutil.which(self._client[0]) or "" if self._client else ""

    async def client_version(self) -> str:
        """Return the OpenSSH client's own words for its version, empty when there is none."""
        if not self.client_path():
            return ""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_VERSION_S):
                process = await asyncio.create_subprocess_exec(
                    self._client[0], "-V", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                )  # fmt: skip
                _, said = await process.communicate()
                return said.decode(errors="replace").strip()[:200]
        return ""

    async def _key(self, key_id: str) -> bytes:
        return await self._store.read(lambda reader: self._secrets.find(reader, secret_of(key_id)))

    async def _answer(self, located: Located, script: str) -> tuple[int | None, bytes]:
        remote = await self.way(located).open(encoded(script), terminal=None, term="", has_input=False)
        try:
            said, _ = await asyncio.gather(_all(remote, Channel.STDOUT), _all(remote, Channel.STDERR))
            found = await remote.ended()
            if found.broken:
                refused = await remote.refused()
                raise refused
            return found.status, said
        finally:
            await remote.close()

    async def _resolved(self, destination: Destination) -> Destination:
        """Return where an alias of the user's ssh configuration leads; a name that DNS knows is itself."""
        loop = asyncio.get_running_loop()
        try:
            await loop.getaddrinfo(destination.host, destination.port or DEFAULT_PORT, type=socket.SOCK_STREAM)
        except OSError:
            return await self._alias(destination)
        return destination

    async def _alias(self, destination: Destination) -> Destination:
        if not self.client_path():
            raise ConnectError(Refusal(Failure.UNREACHABLE, f"{destination.host} is no name of a host"))
        port = ["-p", str(destination.port)] if destination.port else []
        process = await asyncio.create_subprocess_exec(
            *self._client, "-G", *port, "--", destination.address, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=environment({}, ""),
        )  # fmt: skip
        said, _ = await process.communicate()
        told = [line.split(" ", 1) for line in said.decode(errors="replace").splitlines()]
        words = {line[0]: line[-1] for line in told}
        try:
            return parse_destination(words["hostname"], int(words["port"]))
        except (InstarError, KeyError, ValueError) as error:
            raise ConnectError(Refusal(Failure.UNREACHABLE, f"{destination.host} is no name of a host")) from error


async def _all(remote: Remote, channel: Channel) -> bytes:
    """Return the beginning of a stream, and read the rest of it away."""
    kept = b""
    while content := await remote.read(channel, _ANSWER_MAX_BYTES):
        kept += content[: _ANSWER_MAX_BYTES - len(kept)]
    return kept
