"""Who is connected now. It is kept in memory only, and begins anew with every start."""

import asyncio
import socket
import sys
import time
from collections.abc import Callable
from math import inf

from msgspec.structs import replace

from instar import __version__
from instar.base.clock import now, to_rfc3339
from instar.base.ids import new_id
from instar.bus.fanout import Fanout
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity.principals import Caller
from instar.wire import presence as wire
from instar.wire.events import PRESENCE
from instar.wire.limits import PRESENCE_PAUSE_S, PRESENCE_ROWS_PER_S, PRESENCE_S
from instar.wire.names import Network
from instar.wire.operation import Nothing
from instar.wire.presence import PresenceChanged, PresenceEntry, PresenceList, PresenceNote

from .presence import Presence
from .rows import Key, Rows, key_of

SELF = "self"
CONNECT = "connect"


class Presences:
    """Who is here. Changes are signalled to feeds that read `system:presence`, at most once in `PRESENCE_PAUSE_S`,
    and less often where many listen.

    Args:
        fanout: Where signals go.
        own: The hub's own row.
        clock: Seconds that only rise.
    """

    def __init__(self, fanout: Fanout, own: PresenceEntry, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fanout = fanout
        self._clock = clock
        at = _now()
        self._rows = Rows(replace(own, key=own.key.casefold(), at=at, since=at, reason=SELF))
        self._telling: asyncio.TimerHandle | None = None
        self._forgetting: asyncio.TimerHandle | None = None
        self._told_at = -inf
        self.version = 1
        """Rises with each change."""

    def bindings(self) -> Bindings:
        """Return `presence.list` and `presence.note`."""
        return bind(wire.LIST, self.list), bind(wire.NOTE, self.note)

    def open(self, caller: Caller, entry: PresenceEntry) -> Presence:
        """Give a caller's connection its place; who and what it may is the caller's, not the entry's."""
        key, at = entry.key or new_id("conn"), _now()
        entry = replace(
            entry,
            key=key,
            principal=caller.principal.id,
            scopes=sorted(caller.grant.scopes),
            at=at,
            since=entry.since or at,
            reason=entry.reason or CONNECT,
        )
        self._put(key_of(entry), entry, more=1)
        return Presence(self, entry)

    def changed(self, entry: PresenceEntry) -> None:
        """Take note of what a connection says of itself now; a row that gave way to others comes back."""
        key = key_of(entry)
        self._put(key, replace(entry, at=_now()), more=0 if self._rows.get(key) else 1)

    def left(self, entry: PresenceEntry, reason: str) -> None:
        """Take note that a connection has ended; it shows when no other of its device or instance lives."""
        key = key_of(entry)
        row = self._rows.get(key)
        if row is None:
            return
        if row.connections > 1:
            row.connections -= 1
        else:
            self._put(key, replace(row.entry, at=_now(), reason=reason), more=-1)

    def here(self) -> PresenceList:
        """Return everybody, the hub itself first."""
        if self._rows.forget(self._clock()):
            self._tell_soon()
        return PresenceList(self.version, list(self._rows))

    async def list(self, act: Act[Nothing, None]) -> PresenceList:  # noqa: ARG002 - the shape of a handler
        """Return everybody, the hub itself first."""
        return self.here()

    async def note(self, act: Act[PresenceNote, None]) -> PresenceEntry:
        """Leave a note; one under the key of a connection of the caller's own is added to its row."""
        note, principal = act.params, act.caller.principal.id
        shown = note.key or note.host or principal
        key = self._rows.find(shown, principal) or ("note", shown.casefold())
        row = self._rows.get(key)
        at = _now()
        base = row.entry if row is not None else PresenceEntry(shown, at, since=at, principal=principal)
        said = {name: value for name in _SAID if (value := getattr(note, name))}
        return self._put(key, replace(base, at=at, text=note.text, idle_s=note.idle_s, **said))

    def _put(self, key: Key, entry: PresenceEntry, *, more: int = 0) -> PresenceEntry:
        shown = replace(entry, key=(entry.device_id or entry.instance_id or entry.key).casefold())
        kept = self._rows.put(key, shown, more=more, at=self._clock())
        # All rows without a connection last equally long, so a timer that runs already comes first.
        if not kept.connections and self._forgetting is None:
            self._forgetting = asyncio.get_running_loop().call_later(PRESENCE_S, self._forget)
        self._tell_soon()
        return kept.entry

    def _forget(self) -> None:
        """Drop the rows whose time has come, and come back for the next."""
        self._forgetting = None
        if self._rows.forget(self._clock()):
            self._tell_soon()
        if (next_at := self._rows.next_forgotten_at()) < inf:
            left_s = max(0.0, next_at - self._clock())
            self._forgetting = asyncio.get_running_loop().call_later(left_s, self._forget)

    def _tell_soon(self) -> None:
        self.version += 1
        if self._telling is None:
            wait_s = max(0.0, self._told_at + self._pause_s() - self._clock())
            self._telling = asyncio.get_running_loop().call_later(wait_s, self._tell)

    def _pause_s(self) -> float:
        """Return how long to gather changes: a crowd that comes at once must not be told of itself at every step."""
        return max(PRESENCE_PAUSE_S, len(self._rows) * self._fanout.listeners / PRESENCE_ROWS_PER_S)

    def _tell(self) -> None:
        self._telling = None
        self._told_at = self._clock()
        self._fanout.signal(PRESENCE, PresenceChanged(self.version, list(self._rows)))

    def close(self) -> None:
        """Tell nobody any more; the hub stops."""
        for timer in (self._telling, self._forgetting):
            if timer is not None:
                timer.cancel()


def own_entry(network: Network) -> PresenceEntry:
    """Return the hub's own row."""
    return PresenceEntry(
        network.id, "", principal=network.id, host=socket.gethostname(), mode="hub", version=__version__,
        platform=sys.platform, text=network.name,
    )  # fmt: skip


_SAID = ("host", "mode", "version", "platform", "family", "model", "reason", "tags")
"""What a note may say of a row, where it says anything."""


def _now() -> str:
    return to_rfc3339(now())
