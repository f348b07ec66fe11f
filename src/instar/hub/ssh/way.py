"""The seam between a call and whoever speaks SSH: OpenSSH's client (`system`), or the hub itself (`managed`)."""

from typing import NamedTuple, Protocol

from instar.wire.execution import Channel, Terminal


class Exit(NamedTuple):
    """How a remote program ended, as far as SSH says."""

    status: int | None = None
    """None: a signal ended it, or nobody can say."""
    signal: str = ""
    """Its name; `?` where the client keeps it to itself."""
    broken: str = ""
    """Why the connection ended before the program did; empty: it did not."""


class Remote(Protocol):
    """A command under way on a host."""

    async def read(self, channel: Channel, max_bytes: int) -> bytes:
        """Return the next bytes of a stream, empty at its end. Unread ones hold the host up. Never raises."""
        ...

    async def write(self, content: bytes) -> None:
        """Send input, and wait while the host takes no more; what nobody reads is dropped."""
        ...

    def close_input(self) -> None:
        """There is no more input."""
        ...

    def resize(self, terminal: Terminal) -> None:
        """Give the terminal another size; without a terminal nothing happens."""
        ...

    async def ended(self) -> Exit:
        """Wait for the end and return it; to be asked once both streams are at theirs."""
        ...

    async def refused(self) -> Exception:
        """Return why nothing ran: to be asked when the streams ended before the command said its mark."""
        ...

    async def close(self) -> None:
        """Let go of the connection, whatever still runs. Twice is no error."""
        ...


class Way(Protocol):
    """How one target is reached."""

    async def open(self, command: str, *, terminal: Terminal | None, term: str, has_input: bool) -> Remote:
        """Dial, log in and hand over a command; each has a connection of its own.

        Raises:
            ConnectError: Nothing was handed over.
        """
        ...
