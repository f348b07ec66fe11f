"""The index: follows the log in a thread of its own, steps back under load, and heals itself."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from instar.bus.fanout import Pump
from instar.hub.follower import Follower
from instar.hub.rooms.participants import member_of
from instar.store.seam import Store
from instar.wire.events import Event
from instar.wire.limits import SEARCH_BUSY_EVENTS_PER_S, SEARCH_BUSY_PAUSE_S, SEARCH_GATHER_S
from instar.wire.messages import Edit, Message, Part, PartKind, Redaction
from instar.wire.sessions import SessionEvent

from .file import BrokenFileError, Entry, Found, SearchFile, Wanted, remove_file

T = TypeVar("T")

_MESSAGE = msgspec.json.Decoder(Message)
_EDIT = msgspec.json.Decoder(Edit)
_SESSION = msgspec.json.Decoder(SessionEvent)
_REDACTION = msgspec.json.Decoder(Redaction)


class SearchIndex:
    """Messages by their words. `follower.lag()` says how far it is behind.

    Args:
        path: Its file; a missing, damaged or foreign one is made anew from the log.
        store: The log.
        pump: Wakes it.
        network_id: The local network.
    """

    def __init__(self, path: Path, store: Store, pump: Pump, network_id: str) -> None:
        self._path = path
        self._store = store
        self._network_id = network_id
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._file: SearchFile | None = None
        self._is_closed = False
        self._load = _Load()
        pump.watch(self._load.note)
        self.follower = Follower("search", store, pump, self._handle, gather_s=SEARCH_GATHER_S)

    @property
    def indexed_seq(self) -> int:
        """How far the index has come."""
        return self.follower.position

    async def open(self) -> None:
        """Open the file, or make a new one."""
        position = await self._run(self._open)
        if position > await self._store.last_seq():
            # The log was restored from an older backup: the file knows messages that never were.
            position = await self._run(self._rebuild)
        await self.follower.start(position)

    async def run(self) -> None:
        """Follow the log until cancelled; the body of a task."""
        await self.follower.run()

    async def search(self, wanted: Wanted) -> list[Found]:
        """Return hits, newest first; a damaged file answers nothing and is rebuilt from the log."""
        try:
            return await self._run(lambda: self._opened().search(wanted))
        except BrokenFileError:
            self.follower.seek(await self._run(self._rebuild))
            return []

    async def close(self) -> None:
        """Close the file and end the thread. Closing twice is no error."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._run(self._close)
        self._thread.shutdown()

    async def _handle(self, events: Sequence[Event]) -> None:
        try:
            await self._run(lambda: self._opened().index(self._entries(events), events[-1].seq))
        except BrokenFileError:
            self.follower.seek(await self._run(self._rebuild))
            return
        if self._load.is_heavy():
            await asyncio.sleep(SEARCH_BUSY_PAUSE_S)

    def _entries(self, events: Sequence[Event]) -> list[Entry]:
        return [entry for event in events if (entry := self._entry(event)) is not None]

    def _entry(self, event: Event) -> Entry | None:
        if event.type == "message.created":
            message = _MESSAGE.decode(event.payload)
            body = text_of(message.parts)
            sender = member_of(message.from_, self._network_id)
            return Entry(event.seq, message.id, event.room, sender, body) if body else None
        if event.type == "message.edited" and not event.redacted:
            edit = _EDIT.decode(event.payload)
            return Entry(0, edit.message_id, event.room, "", text_of(edit.parts))
        if event.type in ("session.opened", "session.reset"):
            return Entry(0, "", event.room, "", "") if _SESSION.decode(event.payload).generation > 1 else None
        if event.type == "message.redacted":
            return Entry(0, _REDACTION.decode(event.payload).message_id, event.room, "", "")
        return None

    def _open(self) -> int:
        try:
            self._file = SearchFile(self._path)
            return self._file.fact("indexed_seq")
        except BrokenFileError:
            return self._rebuild()

    def _rebuild(self) -> int:
        self._close()
        remove_file(self._path)
        self._file = SearchFile(self._path)
        return 0

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> SearchFile:
        if self._file is None:
            raise BrokenFileError("the search file is closed")
        return self._file

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class _Load:
    """How busy the log is: above a rate the index rests between batches and leaves the machine to the send path."""

    def __init__(self) -> None:
        self._count = 0
        self._since = time.monotonic()
        self._rate = 0.0

    def note(self, events: Sequence[Event]) -> None:
        self._count += len(events)
        elapsed = time.monotonic() - self._since
        if elapsed >= 1.0:
            self._rate = self._count / elapsed
            self._count, self._since = 0, time.monotonic()

    def is_heavy(self) -> bool:
        is_stale = time.monotonic() - self._since > 2.0
        return self._rate > SEARCH_BUSY_EVENTS_PER_S and not is_stale


def text_of(parts: Sequence[Part]) -> str:
    """Return what is searched of a message: its texts and the names of its files."""
    words = [part.text if part.kind is PartKind.TEXT else part.filename or part.text for part in parts]
    return "\n".join(word for word in words if word)
