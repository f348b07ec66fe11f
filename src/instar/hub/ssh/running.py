"""One call under way on an SSH host: its streams with credit, its input, its end, and how it is stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from time import monotonic
from typing import Any

from instar.base.errors import InstarError
from instar.hub.execution import CallSink
from instar.wire.execution import CallOrder, Channel, Ended, Outcome, StreamEnd, Terminal
from instar.wire.limits import CALL_OBEY_S, LINK_CHUNK_MAX_BYTES, LINK_CREDIT_BYTES, SSH_CONNECT_S

from . import script
from .heads import Head, Said
from .way import Exit, Remote

STOP_S = CALL_OBEY_S
"""Longest time to reach the host once more and end a call's processes."""
_NOT_KNOWN = "whether its processes ended is not known, as the host could not be reached to end them"

Run = Callable[[str, float], Awaitable[int | None]]
"""Runs a script on the host over a connection of its own, for at most so many seconds; returns its status, None when
it could not be reached."""


class _Stream:
    """One direction of output: how far it has come, and how far it may."""

    def __init__(self, channel: Channel, head: Head) -> None:
        self.channel = channel
        self.head = head
        self.size = 0
        self.upto = LINK_CREDIT_BYTES
        self.digest = sha256()
        self.may_go = asyncio.Event()
        self.pending = b""
        """What came together with the mark."""


class Running:
    """One call.

    Args:
        call_id: Its id.
        remote: Its command, just handed over.
        mark: What the command says first.
        sink: Where its output goes.
        run: Reaches the same host once more.
        has_terminal: It has one stream, and control characters.
    """

    def __init__(
        self, call_id: str, remote: Remote, mark: script.Mark, sink: CallSink, run: Run, *, has_terminal: bool
    ) -> None:
        self.call_id = call_id
        self._remote = remote
        self._sink = sink
        self._run = run
        self._has_terminal = has_terminal
        channels = (Channel.STDOUT,) if has_terminal else (Channel.STDOUT, Channel.STDERR)
        self._streams = {channel: _Stream(channel, Head(mark)) for channel in channels}
        self._pid = 0
        self._began = monotonic()
        self._inputs: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._input_size = 0
        self._input_closed = -1
        self._stopped: tuple[Ended, str] | None = None
        """As what it ends, and what cannot be known about it, once it was told to end."""
        self._has_stopped = asyncio.Event()
        self._signalled = ""

    async def begin(self) -> None:
        """Wait until the command says that it runs.

        Raises:
            InstarError: `not_found` (folder), `ssh_failed`: nothing ran; `node_away`, `timeout`: it may have.
            ConnectError: Nothing ran.
        """
        try:
            async with asyncio.timeout(2 * SSH_CONNECT_S):
                said = [await self._head(stream) for stream in self._streams.values()]
        except TimeoutError as error:
            raise InstarError("timeout", "the host took the command and said nothing; it may have begun") from error
        except ValueError as error:
            raise InstarError(
                "ssh_failed", f"the host's login shell is in the way: {error}",
                hint="Let the account's profile print nothing when it is no terminal.",
            ) from error  # fmt: skip
        self._pid = said[0].pid

    async def follow(self, deadline_s: float) -> None:
        """Pass everything on until the end, then say how it ended. Never raises but when it is cancelled."""
        self._sink.started()
        timer: asyncio.TimerHandle | None = None
        late: list[asyncio.Task[None]] = []
        if deadline_s > 0:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(
                deadline_s, lambda: late.append(loop.create_task(self.stop(Ended.EXPIRED, "its time was over")))
            )
        feeding = asyncio.create_task(self._feed())
        try:
            await asyncio.gather(*(self._pass_on(stream) for stream in self._streams.values()))
            if self._stopped is not None:
                await self._has_stopped.wait()
            self._end(await self._remote.ended())
        finally:
            if timer is not None:
                timer.cancel()
            feeding.cancel()
            await asyncio.gather(feeding, *late, return_exceptions=True)

    async def stop(self, ended: Ended, reason: str) -> None:
        """End its processes, as far as SSH allows: its process group, and where the host shows them, strays of it."""
        if self._stopped is not None:
            return
        self._stopped = (ended, reason)
        self._release()
        try:
            # Before the host has said what runs, hanging up is all that can be done.
            status = await self._run(script.killing(self._pid, self.call_id), STOP_S) if self._pid else None
            if status is None:
                self._stopped = (Ended.LOST, f"{reason}; {_NOT_KNOWN}")
            elif status != 0:
                self._stopped = (ended, f"{reason}; some of its processes did not end")
        finally:
            # A stray that holds the streams open would hold the call open.
            await self._remote.close()
            self._has_stopped.set()

    async def signal(self, name: str) -> None:
        """Send a signal to its process group.

        Raises:
            InstarError: `unprocessable_entity`; `ssh_failed` when the host could not be reached for it.
        """
        status = await self._run(script.signal(self._pid, name), SSH_CONNECT_S) if self._pid else None
        if status is None:
            raise InstarError("ssh_failed", "the host could not be reached to signal the call")
        self._signalled = name if status == 0 else self._signalled

    def write(self, offset: int, content: bytes) -> None:
        """Take input; what was taken before is dropped."""
        fresh = content[max(0, self._input_size - offset) :]
        if offset <= self._input_size and fresh:
            self._input_size += len(fresh)
            self._inputs.put_nowait(fresh)
        self._close_if_whole()

    def close_input(self, size_bytes: int) -> None:
        """There is no more input than this."""
        self._input_closed = size_bytes
        self._close_if_whole()

    def resize(self, order: CallOrder) -> None:
        """Give its terminal another size."""
        self._remote.resize(Terminal(order.rows, order.columns))

    def allow(self, channel: int, upto: int) -> None:
        """Let output come up to this offset."""
        stream = self._streams.get(Channel(channel))
        if stream is not None and upto > stream.upto:
            stream.upto = upto
            stream.may_go.set()

    async def close(self) -> None:
        """Let go of the host, whatever still runs there. Twice is no error."""
        await self._remote.close()

    def produced(self) -> dict[str, int]:
        """Return how many bytes came so far, by channel."""
        return {str(int(stream.channel)): stream.size for stream in self._streams.values()}

    async def _head(self, stream: _Stream) -> Said:
        while stream.head.said is None:
            content = await self._remote.read(stream.channel, LINK_CHUNK_MAX_BYTES)
            if not content:
                raise await self._remote.refused()
            stream.pending = stream.head.take(content)
            if stream.head.said is not None and stream.head.said.has_no_folder:
                raise InstarError("not_found", "the working directory is not there", hint="Name one that is.")
        return stream.head.said

    async def _pass_on(self, stream: _Stream) -> None:
        self._deliver(stream, stream.pending)
        stream.pending = b""
        while True:
            while (room := stream.upto - stream.size) <= 0 and self._stopped is None:
                stream.may_go.clear()
                await stream.may_go.wait()
            content = await self._remote.read(stream.channel, min(max(room, 1), LINK_CHUNK_MAX_BYTES))
            if not content:
                return
            self._deliver(stream, content)

    def _deliver(self, stream: _Stream, content: bytes) -> None:
        # Once it is told to end nobody allows more, and the rest is thrown away so that it can end.
        if content and (self._stopped is None or stream.size < stream.upto):
            self._sink.output(stream.channel, stream.size, content)
            stream.size += len(content)
            stream.digest.update(content)

    async def _feed(self) -> None:
        sent = 0
        while (content := await self._inputs.get()) is not None:
            await self._remote.write(content)
            sent += len(content)
            self._sink.allowed(sent + LINK_CREDIT_BYTES)
        if self._has_terminal:
            await self._remote.write(b"\x04")
        else:
            self._remote.close_input()

    def _close_if_whole(self) -> None:
        if 0 <= self._input_closed <= self._input_size:
            self._input_closed = -1
            self._inputs.put_nowait(None)

    def _release(self) -> None:
        for stream in self._streams.values():
            stream.may_go.set()

    def _end(self, found: Exit) -> None:
        if self._stopped is None and found.broken:
            self._sink.severed(found.broken)
            return
        facts: dict[str, Any] = {
            "streams": [StreamEnd(s.channel, s.size, s.digest.hexdigest()) for s in self._streams.values()],
            "duration_s": monotonic() - self._began,
        }
        if self._stopped is not None:
            ended, message = self._stopped
            self._sink.ended(Outcome(self.call_id, ended, message=message, **facts))
            return
        if found.signal:
            name = self._signalled if found.signal == "?" else found.signal
            message = "" if name else "a signal ended it; OpenSSH's client does not say which"
            facts |= {"signal": name or "?", "message": message}
        self._sink.ended(Outcome(self.call_id, Ended.DONE, exit_status=found.status, **facts))
