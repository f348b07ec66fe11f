"""Managed mode: the hub speaks SSH itself. Only the managed key is shown, only a pinned host key is believed.

No agent, no ssh configuration, no default key, no known_hosts file of the account is looked at.
"""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncssh

from instar.wire.execution import Channel, Terminal
from instar.wire.limits import SSH_CONNECT_S, SSH_KEEPALIVE_S

from .destinations import DEFAULT_PORT
from .failures import ConnectError, Failure, Refusal, changed
from .host_keys import HostKey, fingerprint_of
from .inventory import Located
from .system import gone, no_shell
from .way import Exit

# Its log would name what is run where.
asyncssh.set_log_level("CRITICAL")

ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
"""Kind of host key → algorithms that use it; none that signs with SHA-1."""
_NO_KEYS: tuple[list[asyncssh.SSHKey], ...] = ([], [], [])
"""Trusted, authorities, revoked. Not empty as a whole: asyncssh would read the account's own file then."""


class _Client(asyncssh.SSHClient):
    """Believes pinned keys only, and remembers what it was shown."""

    def __init__(self, pins: Sequence[HostKey]) -> None:
        self._pinned = {pin.blob for pin in pins}
        self.stranger = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        """Whether the host's key is a pinned one."""
        if base64.b64encode(key.public_data).decode() in self._pinned:
            return True
        self.stranger = fingerprint_of(key.public_data)
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        """No authority is trusted."""
        return False


class ManagedWay:
    """One target through asyncssh.

    Args:
        located: The target.
        read_key: Gives the private key; raises `secret_unreadable`.
    """

    def __init__(self, located: Located, read_key: Callable[[], Awaitable[bytes]]) -> None:
        self._located = located
        self._read_key = read_key

    async def open(self, command: str, *, terminal: Terminal | None, term: str, has_input: bool) -> "ManagedRemote":
        """Dial, log in and hand over the command.

        Raises:
            ConnectError: Nothing was handed over.
            InstarError: `secret_unreadable`; `node_away` when the connection broke while it was handed over.
        """
        if not self._located.pins:
            raise ConnectError(Refusal(Failure.HOST_KEY_UNKNOWN, "no host key is pinned, which managed mode needs"))
        client = _Client(self._located.pins)
        key = asyncssh.import_private_key(await self._read_key())
        try:
            async with asyncio.timeout(SSH_CONNECT_S):
                connection = await self._dial(client, key)
        except (asyncssh.Error, OSError, TimeoutError) as error:
            raise ConnectError(_refusal(error, client)) from error
        options: dict[str, Any] = {"stdin": asyncssh.PIPE if has_input or terminal else asyncssh.DEVNULL}
        if terminal is not None:
            options |= {
                "request_pty": "force", "term_type": term or "xterm",
                "term_size": (terminal.columns, terminal.rows),
            }  # fmt: skip
        try:
            process = await connection.create_process(command, encoding=None, **options)
        except (asyncssh.Error, OSError) as error:
            await _hang_up(connection)
            raise gone() from error
        return ManagedRemote(connection, process, has_terminal=terminal is not None)

    async def _dial(self, client: _Client, key: asyncssh.SSHKey) -> asyncssh.SSHClientConnection:
        destination = self._located.destination
        kinds = list(dict.fromkeys(pin.kind for pin in self._located.pins if pin.kind in ALGORITHMS))
        # Pinned kinds first, so that a host with several keys shows one that is known; then any, to see a change.
        order = [name for kind in dict.fromkeys([*kinds, *ALGORITHMS]) for name in ALGORITHMS[kind]]
        connection, _ = await asyncssh.create_connection(
            lambda: client, destination.host, destination.port or DEFAULT_PORT,
            config=None, known_hosts=_NO_KEYS, server_host_key_algs=order,
            username=destination.user, client_keys=[key], agent_path=None, agent_forwarding=False,
            preferred_auth="publickey", public_key_auth=True, password_auth=False, kbdint_auth=False,
            host_based_auth=False, gss_host=None, gss_kex=False, gss_auth=False, x11_forwarding=False,
            pkcs11_provider=None, keepalive_interval=SSH_KEEPALIVE_S, keepalive_count_max=3,
            connect_timeout=SSH_CONNECT_S, login_timeout=SSH_CONNECT_S,
        )  # fmt: skip
        return connection


class ManagedRemote:
    """A command under way on a connection of its own."""

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        process: "asyncssh.SSHClientProcess[bytes]",
        *,
        has_terminal: bool,
    ) -> None:
        self._connection = connection
        self._process = process
        self._has_terminal = has_terminal
        self._broken = ""

    async def read(self, channel: Channel, max_bytes: int) -> bytes:
        """See `way.Remote`."""
        stream = self._process.stdout if channel is Channel.STDOUT else self._process.stderr
        try:
            return await stream.read(max_bytes)
        except (asyncssh.Error, OSError) as error:
            # Not the end of what it wrote: whatever status came, something may be missing.
            self._broken = str(error) or "the connection broke"
            return b""

    async def write(self, content: bytes) -> None:
        """See `way.Remote`."""
        with contextlib.suppress(asyncssh.Error, OSError):
            self._process.stdin.write(content)
            await self._process.stdin.drain()

    def close_input(self) -> None:
        """See `way.Remote`."""
        with contextlib.suppress(asyncssh.Error, OSError):
            self._process.stdin.write_eof()

    def resize(self, terminal: Terminal) -> None:
        """See `way.Remote`."""
        if self._has_terminal:
            with contextlib.suppress(asyncssh.Error, OSError):
                self._process.change_terminal_size(terminal.columns, terminal.rows)

    async def ended(self) -> Exit:
        """See `way.Remote`."""
        await self._process.wait_closed()
        if self._broken:
            return Exit(broken=self._broken)
        if self._process.exit_signal is not None:
            return Exit(signal=self._process.exit_signal[0])
        if self._process.exit_status is not None:
            return Exit(status=self._process.exit_status)
        return Exit(broken="the connection broke")

    async def refused(self) -> Exception:
        """See `way.Remote`."""
        found = await self.ended()
        return gone() if found.broken else no_shell(found.status)

    async def close(self) -> None:
        """See `way.Remote`."""
        self._process.close()
        await _hang_up(self._connection)


async def _hang_up(connection: asyncssh.SSHClientConnection) -> None:
    connection.abort()
    await connection.wait_closed()


def _refusal(error: Exception, client: _Client) -> Refusal:
    if client.stranger:
        return changed(client.stranger)
    if isinstance(error, asyncssh.PermissionDenied):
        return Refusal(Failure.AUTH_FAILED, "the host refused the login")
    if isinstance(error, TimeoutError):
        return Refusal(Failure.TIMEOUT, "the host did not answer in time")
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return Refusal(Failure.UNREACHABLE, "hub and host have no algorithm in common")
    reason = getattr(error, "reason", "") or getattr(error, "strerror", "") or str(error)
    return Refusal(Failure.UNREACHABLE, " ".join(reason.split())[:200] or "the connection could not be made")
