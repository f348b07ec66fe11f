"""System mode: the machine's OpenSSH client as a child process, with the user's own configuration, keys and agent."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from instar.base.errors import InstarError
from instar.wire.execution import Channel, Terminal
from instar.wire.limits import LINK_CHUNK_MAX_BYTES

from .command_line import Files, command_line, environment, known_hosts
from .failures import ConnectError, Failure, Refusal, read_log
from .inventory import Located
from .terminals import LocalTerminal
from .way import Exit

_LOG_MAX_BYTES = 262_144
_REFUSED = 255
"""What the client ends with when it is its own affair; a remote program may end so as well."""
_END_S = 5.0
"""How long the client may take to end by itself once both streams have."""
_HANDED_OVER = re.compile(r"Authenticated to |Authentication succeeded")
_STATUS = re.compile(r"rtype exit-status")
_SIGNAL = re.compile(r"rtype exit-signal")


class SystemWay:
    """One target through OpenSSH's client.

    Args:
        located: The target.
        client: The program and options that win over ours.
    """

    def __init__(self, located: Located, client: Sequence[str]) -> None:
        self._located = located
        self._client = client

    async def open(self, command: str, *, terminal: Terminal | None, term: str, has_input: bool) -> "SystemRemote":
        """Start the client; whether it gets through is seen once the command says its mark.

        Raises:
            ConnectError: There is no client.
        """
        if not self._client or shutil.which(self._client[0]) is None:
            raise ConnectError(Refusal(Failure.CLIENT_MISSING, "the hub's machine has no OpenSSH client"))
        pins, alias = self._located.pins, f"instar-{self._located.record.id}"
        files = Files(Path(tempfile.mkdtemp(prefix="instar-ssh-")))
        try:
            if pins:
                files.known_hosts.write_text(known_hosts(alias, pins), encoding="ascii")
            line = command_line(
                self._client, self._located.destination, alias, files,
                is_pinned=bool(pins), terminal=terminal is not None,
            )  # fmt: skip
            screen = LocalTerminal(terminal) if terminal else None
            process = await _spawn([*line, command], screen, term, has_input=has_input)
        except BaseException:
            shutil.rmtree(files.folder, ignore_errors=True)
            raise
        return SystemRemote(process, screen, files, is_pinned=bool(pins))


class SystemRemote:
    """A command under way through a client process."""

    def __init__(
        self, process: asyncio.subprocess.Process, screen: LocalTerminal | None, files: Files, *, is_pinned: bool
    ) -> None:
        self._process = process
        self._screen = screen
        self._files = files
        self._is_pinned = is_pinned
        self._log = ""

    async def read(self, channel: Channel, max_bytes: int) -> bytes:
        """See `way.Remote`."""
        if self._screen is not None:
            return await self._screen.read(max_bytes) if channel is Channel.STDOUT else b""
        stream = self._process.stdout if channel is Channel.STDOUT else self._process.stderr
        return await stream.read(max_bytes) if stream is not None else b""

    async def write(self, content: bytes) -> None:
        """See `way.Remote`."""
        if self._screen is not None:
            await self._screen.write(content)
        elif (stdin := self._process.stdin) is not None:
            with contextlib.suppress(ConnectionError):
                stdin.write(content)
                await stdin.drain()

    def close_input(self) -> None:
        """See `way.Remote`; to a terminal it is a control character."""
        if self._screen is None and self._process.stdin is not None:
            self._process.stdin.close()

    def resize(self, terminal: Terminal) -> None:
        """See `way.Remote`."""
        if self._screen is not None:
            self._screen.resize(terminal)
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGWINCH)

    async def ended(self) -> Exit:
        """See `way.Remote`. OpenSSH's client does not say which signal ended a program."""
        code = await self._wait()
        if 0 <= code < _REFUSED or _STATUS.search(self._log):
            return Exit(status=code)
        if _SIGNAL.search(self._log):
            return Exit(signal="?")
        return Exit(broken=read_log(self._log, is_pinned=self._is_pinned).message)

    async def refused(self) -> Exception:
        """See `way.Remote`."""
        code = await self._wait()
        if _STATUS.search(self._log) or _SIGNAL.search(self._log):
            return no_shell(code)
        if _HANDED_OVER.search(self._log):
            return gone()
        return ConnectError(read_log(self._log, is_pinned=self._is_pinned))

    async def close(self) -> None:
        """See `way.Remote`."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._screen is not None:
            self._screen.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        shutil.rmtree(self._files.folder, ignore_errors=True)

    async def _wait(self) -> int:
        try:
            async with asyncio.timeout(_END_S):
                code = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            code = await self._process.wait()
        if self._files.log.exists():
            with self._files.log.open("rb") as file:
                file.seek(max(0, self._files.log.stat().st_size - _LOG_MAX_BYTES))
                self._log = file.read().decode(errors="replace")
        return code


def gone() -> InstarError:
    """Return the error of a connection that broke after the command was handed over, before it said anything."""
    return InstarError("node_away", "the connection broke while the command was handed over; it may have begun")


def no_shell(status: int | None) -> InstarError:
    """Return the error of an account whose login shell does not run commands; nothing ran."""
    return InstarError(
        "ssh_failed", f"the account's login shell ran nothing (status {status})",
        hint="Give the account a login shell that runs commands, and a POSIX `sh`.",
    )  # fmt: skip


async def _spawn(
    line: Sequence[str], screen: LocalTerminal | None, term: str, *, has_input: bool
) -> asyncio.subprocess.Process:
    """Start the client in a session of its own: no terminal of the hub is its terminal."""
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    # A remote terminal is one stream; beside it the client has only words of its own to say.
    streams = [screen.client, screen.client, nowhere] if screen else [pipe if has_input else nowhere, pipe, pipe]
    try:
        process = await asyncio.create_subprocess_exec(
            *line, stdin=streams[0], stdout=streams[1], stderr=streams[2],
            env=environment(os.environ, term), start_new_session=True, limit=LINK_CHUNK_MAX_BYTES,
        )  # fmt: skip
    except BaseException:
        if screen is not None:
            screen.close()
        raise
    finally:
        if screen is not None:
            screen.handed_over()
    return process
