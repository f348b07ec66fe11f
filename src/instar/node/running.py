"""One program of a call, from its first byte to the end of everything that it started."""

import asyncio
import os
import time
from dataclasses import dataclass

from instar.wire.execution import Channel, Ended, Outcome, Terminal

from . import terminal
from .processes import Program, Supervised, Supervisors, signal_name, signal_number
from .pumps import Reader, feed, output_pipe
from .streams import Input, Streams

_DISK = "the node's disk did not take the output: {}"
_UNSEEN = "its supervisor was ended from outside, and its processes with it"


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a program is ended before it ends by itself."""

    ended: Ended
    code: str = ""
    message: str = ""
    hint: str = ""


class Run:
    """A running program. `begin` starts it; `outcome` waits for its end.

    Args:
        call_id: The call.
        streams: Where its output goes.
        source: Its input; None: it has none.
        size: Of its terminal; None: it has pipes.
    """

    def __init__(self, call_id: str, streams: Streams, source: Input | None, size: Terminal | None) -> None:
        self._call_id = call_id
        self._streams = streams
        self._source = source
        self._size = size
        self._terminal = -1
        self._readers: dict[Channel, Reader] = {}
        self._supervised: Supervised | None = None
        self._feeding: asyncio.Task[None] | None = None
        self._ending: Ending | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._began_at = time.monotonic()

    async def begin(self, supervisors: Supervisors, program: Program, deadline_s: float) -> None:
        """Start the program; with a deadline (0: none) it is ended when that has passed.

        Raises:
            InstarError: As `Supervisors.spawn`; nothing ran then.
        """
        ours, theirs = self._open()
        input_end = ours.pop(Channel.STDIN, -1)
        try:
            self._supervised = await supervisors.spawn(program, theirs)
        except BaseException:
            for each in {*ours.values(), input_end, self._terminal} - {-1}:
                os.close(each)
            self._terminal = -1
            raise
        finally:
            for each in set(theirs):
                os.close(each)
        self._readers = {channel: Reader(each, channel, self._streams) for channel, each in ours.items()}
        self._feed(input_end)
        if deadline_s > 0:
            message = f"its time was over after {deadline_s:g} s"
            ending = Ending(Ended.EXPIRED, "timeout", message)
            self._deadline = asyncio.get_running_loop().call_later(deadline_s, self.end, ending)

    async def outcome(self) -> Outcome:
        """Wait until everything that it started has ended, and all that was written is kept."""
        supervised = self._supervised
        assert supervised is not None
        try:
            status = await asyncio.shield(supervised.exited)
            is_gone = await asyncio.shield(supervised.gone)
        finally:
            self._release(supervised)
        return self._outcome(status, is_gone=is_gone)

    def end(self, ending: Ending) -> None:
        """End the program and all that it started; the first ending counts."""
        if self._ending is None:
            self._ending = ending
        if self._supervised is not None:
            self._supervised.terminate()

    def signal(self, name: str) -> None:
        """Send a signal by name: to the foreground of its terminal, or to its group.

        Raises:
            InstarError: `unprocessable_entity`.
        """
        number = signal_number(name)
        if self._terminal >= 0 and terminal.signal_foreground(self._terminal, number):
            return
        if self._supervised is not None:
            self._supervised.signal(number)

    def resize(self, rows: int, columns: int) -> None:
        """Give its terminal another size; without one nothing happens."""
        if self._terminal >= 0:
            terminal.resize(self._terminal, rows, columns)

    def go_on(self, channel: int) -> None:
        """Read a channel again that was choked."""
        if (reader := self._readers.get(Channel(channel))) is not None:
            reader.go_on()

    def _open(self) -> tuple[dict[Channel, int], tuple[int, int, int]]:
        """Return the node's ends by channel and the program's three descriptors."""
        if self._size is not None:
            self._terminal, theirs = terminal.open_terminal(self._size)
            return {Channel.STDOUT: os.dup(self._terminal)}, (theirs, theirs, theirs)
        ours: dict[Channel, int] = {}
        if self._source is None:
            source = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        else:
            source, ours[Channel.STDIN] = os.pipe()
            os.set_blocking(ours[Channel.STDIN], False)
        ours[Channel.STDOUT], out = output_pipe()
        ours[Channel.STDERR], errors = output_pipe()
        return ours, (source, out, errors)

    def _feed(self, input_end: int) -> None:
        if self._source is None:
            return
        if self._terminal >= 0:
            work = feed(self._source, self._terminal, terminal.end_of_input(self._terminal))
        else:
            work = feed(self._source, input_end)
        self._feeding = asyncio.get_running_loop().create_task(work, name=f"input {self._call_id}")

    def _release(self, supervised: Supervised) -> None:
        """Take what is left in the pipes and give everything back."""
        supervised.release()
        if self._deadline is not None:
            self._deadline.cancel()
        if self._feeding is not None:
            self._feeding.cancel()
        for reader in self._readers.values():
            reader.drain()
        if self._terminal >= 0:
            if self._feeding is not None:
                asyncio.get_running_loop().remove_writer(self._terminal)
            os.close(self._terminal)
            self._terminal = -1

    def _outcome(self, status: int | None, *, is_gone: bool) -> Outcome:
        ending = self._ending or Ending(Ended.DONE)
        failure = next((reader.failure for reader in self._readers.values() if reader.failure is not None), None)
        if failure is not None and ending.ended is Ended.DONE:
            ending = Ending(Ended.FAILED, "internal_error", _DISK.format(failure.strerror))
        elif status is None and ending.ended is Ended.DONE:
            ending = Ending(Ended.FAILED, "internal_error", _UNSEEN)
        message = ending.message
        if not is_gone:
            message = f"{message + '; ' if message else ''}some of its processes cannot be ended by this account"
        return Outcome(
            self._call_id,
            ending.ended,
            exit_status=status if status is not None and status >= 0 else None,
            signal=signal_name(status) if status is not None and status < 0 else "",
            code=ending.code,
            message=message,
            streams=self._streams.ends(),
            duration_s=round(time.monotonic() - self._began_at, 6),
        )
