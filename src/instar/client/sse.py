"""Server-sent events as an IO-free machine: lines in, events out."""

from typing import NamedTuple


class ServerSent(NamedTuple):
    """One dispatched event."""

    id: str
    """The last id seen so far; what `Last-Event-ID` resumes after."""
    event: str
    data: str


class Parser:
    """Reads a `text/event-stream`, one line at a time (WHATWG HTML §9.2.6).

    Args:
        last_id: Where reading resumes.
    """

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        """Id of the last whole event."""
        self.retry_ms: int | None = None
        """The reconnection time that the server asked for."""
        self._id = last_id
        self._event = ""
        self._data: list[str] = []

    def feed(self, line: str) -> ServerSent | None:
        """Take one line without its end; return the event that it completes, if it does."""
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isdigit():
            self.retry_ms = int(value)
        return None

    def restart(self) -> None:
        """Begin with a new connection: what was read of an unfinished event is forgotten."""
        self._id, self._event, self._data = self.last_id, "", []

    def _dispatch(self) -> ServerSent | None:
        self.last_id = self._id
        event, lines = self._event or "message", self._data
        self._event, self._data = "", []
        return ServerSent(self.last_id, event, "\n".join(lines)) if lines else None
