"""The rows of who is here: which are merged, which are forgotten, which give way. No IO; the clock is the caller's."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from math import inf

from msgspec.structs import replace

from instar.wire.limits import PRESENCE_MAX, PRESENCE_S
from instar.wire.presence import PresenceEntry

Key = tuple[str, str]
"""What a row is found by: the kind of its id, and the id in lower case."""


@dataclass(slots=True)
class Row:
    """One row, and how many connections stand behind it; without one it is forgotten after a while."""

    entry: PresenceEntry
    connections: int = 0
    forgotten_at: float = field(default=inf)


def key_of(entry: PresenceEntry) -> Key:
    """Return what the row of a connection is found by: its device, its instance, else itself.

    An instance is what a client says of itself, so it counts among those of one principal only.
    """
    if entry.device_id:
        return "device", entry.device_id.casefold()
    if entry.instance_id:
        return f"instance {entry.principal}", entry.instance_id.casefold()
    return "connection", entry.key.casefold()


def is_loopback(address: str) -> bool:
    """Whether an address says nothing of where somebody is: this machine's own, or none."""
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return not address


class Rows:
    """At most `PRESENCE_MAX` rows in the order in which they were heard of last, the hub's own first."""

    def __init__(self, own: PresenceEntry) -> None:
        self.own = own
        self._rows: dict[Key, Row] = {}

    def __iter__(self) -> Iterator[PresenceEntry]:
        yield self.own
        for row in self._rows.values():
            yield row.entry

    def __len__(self) -> int:
        return len(self._rows) + 1

    def get(self, key: Key) -> Row | None:
        """Return a row, or None."""
        return self._rows.get(key)

    def find(self, shown: str, principal: str) -> Key | None:
        """Return the key of the row that shows this key and is this principal's, or None."""
        wanted = shown.casefold()
        for key, row in self._rows.items():
            if row.entry.key == wanted and row.entry.principal == principal:
                return key
        return None

    def put(self, key: Key, entry: PresenceEntry, *, more: int = 0, at: float) -> Row:
        """Write a row, behind which so many more connections stand now, and let the oldest give way to it."""
        row = self._rows.pop(key, None)
        connections = max(0, (row.connections if row else 0) + more)
        if row is not None and is_loopback(entry.address) and not is_loopback(row.entry.address):
            entry = replace(entry, address=row.entry.address)
        made = self._rows[key] = Row(entry, connections, inf if connections else at + PRESENCE_S)
        if len(self._rows) >= PRESENCE_MAX:
            del self._rows[self._least(key)]
        return made

    def _least(self, newest: Key) -> Key:
        """Return the row that gives way: the oldest without a connection, else the oldest."""
        others = (key for key, row in self._rows.items() if not row.connections and key != newest)
        return next(others, next(iter(self._rows)))

    def forget(self, at: float) -> bool:
        """Drop the rows whose time has come; return whether there were any."""
        gone = [key for key, row in self._rows.items() if row.forgotten_at <= at]
        for key in gone:
            del self._rows[key]
        return bool(gone)

    def next_forgotten_at(self) -> float:
        """Return when the next row is to be forgotten; infinity when none is."""
        return min((row.forgotten_at for row in self._rows.values()), default=inf)
