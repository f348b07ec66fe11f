"""Every live socket and stream of the hub: how many there may be, and how they end when the hub stops."""

from typing import Protocol

from instar.base.errors import InstarError
from instar.wire.limits import STREAMS_MAX, STREAMS_PER_PRINCIPAL_MAX


class Live(Protocol):
    """A socket or stream that can be told to end."""

    def stop(self) -> None:
        """End politely: the hub stops, the client shall come back."""
        ...

    def abort(self) -> None:
        """End now."""
        ...


class Streams:
    """The registry.

    Args:
        limit: Most streams at once.
        per_principal: Most streams of one credential at once.
    """

    def __init__(self, limit: int = STREAMS_MAX, per_principal: int = STREAMS_PER_PRINCIPAL_MAX) -> None:
        self.obey(limit, per_principal)
        self._owners: dict[Live, str] = {}
        self._counts: dict[str, int] = {}
        self.is_draining = False

    def obey(self, limit: int, per_principal: int) -> None:
        """Let in so many from now on; those that are open stay."""
        self._limit = limit
        self._per_principal = per_principal

    def __len__(self) -> int:
        return len(self._owners)

    def enter(self, stream: Live, principal: str) -> None:
        """Count a stream that is about to open.

        Raises:
            InstarError: `too_many_streams` at either limit; `service_unavailable` while the hub stops.
        """
        if self.is_draining:
            raise InstarError("service_unavailable", "the hub is stopping", retry_after_s=1.0)
        if len(self._owners) >= self._limit:
            raise InstarError("too_many_streams", f"the hub has its {self._limit} live streams", retry_after_s=5.0)
        self._count(principal)
        self._owners[stream] = principal

    def claim(self, stream: Live, principal: str) -> None:
        """Count a stream that opened without a credential against the one that it has named since; once.

        Raises:
            InstarError: `too_many_streams` when the credential has as many as it may.
        """
        if self._owners.get(stream) == "":
            self._count(principal)
            self._owners[stream] = principal

    def _count(self, principal: str) -> None:
        if not principal:
            return
        count = self._counts.get(principal, 0)
        if count >= self._per_principal:
            raise InstarError(
                "too_many_streams",
                f"this credential has its {self._per_principal} live streams",
                hint="Close a stream, or raise `limits.streams_per_principal`.",
                retry_after_s=5.0,
            )
        self._counts[principal] = count + 1

    def leave(self, stream: Live) -> None:
        """Count a stream no more; unknown ones are no error."""
        principal = self._owners.pop(stream, "")
        if principal and (count := self._counts[principal] - 1):
            self._counts[principal] = count
        elif principal:
            del self._counts[principal]

    def stop(self) -> None:
        """Take no more streams and tell every one to end."""
        self.is_draining = True
        for stream in tuple(self._owners):
            stream.stop()

    def abort(self) -> None:
        """Drop every stream."""
        self.is_draining = True
        for stream in tuple(self._owners):
            stream.abort()
