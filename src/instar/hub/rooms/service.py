"""The rooms part, wired: what exists, what is said in it, and how it is found again."""

from pathlib import Path

from instar.base.clock import Micros
from instar.bus.fanout import Pump
from instar.hub.act import Bindings, bind
from instar.hub.identity.identity import Identity
from instar.store.blobs import Blobs
from instar.store.seam import Store
from instar.wire import messages as m
from instar.wire import rooms as r
from instar.wire.names import Network

from .admission import Admission
from .applying import Applying
from .artifacts import Artifacts
from .changing import Changing
from .directory import Directory
from .directs import Directs
from .exporting import Exporting
from .governing import Governing
from .history import History
from .load import load
from .markers import Markers
from .messages import Messages
from .policy import RoomPolicy
from .reactions import Reactions
from .reading import Reading
from .search import SearchIndex
from .search.searching import Searching
from .sessions import Sessions
from .stored import StoredMessages
from .uploads import Uploads

SEARCH_FILE = "search.db"


class Rooms:
    """Rooms and messages.

    Args:
        store: The log and its tables.
        pump: Brings each commit.
        identity: Who may do what.
        network: The local network.
        admission: The loop guard and the rate limits.
        blobs: The bytes of files.
        policy: Which uploads are accepted.
        data_dir: Where the search file lies.
    """

    def __init__(
        self,
        store: Store,
        pump: Pump,
        identity: Identity,
        network: Network,
        admission: Admission,
        blobs: Blobs,
        policy: RoomPolicy,
        data_dir: Path,
    ) -> None:
        authority = identity.authority
        self._store = store
        self._network = network
        self.directory = Directory(network, authority)
        self.directory.connect(pump)
        self.messages = Messages(store, self.directory, authority, network, admission)
        self.search = SearchIndex(data_dir / SEARCH_FILE, store, pump, network.id)
        self.apply = Applying(store, network)
        self._reading = Reading(store, self.directory, authority)
        self._governing = Governing(network)
        self._directs = Directs(self.directory, authority, network)
        self._history = History(store)
        self.sessions = Sessions(store, self.directory, authority, network, self._history)
        self._found = StoredMessages(store, self.directory, network)
        self._uploads = Uploads(store, blobs, self.directory, policy)
        self._changing = Changing(store, network, self._uploads)
        self._reactions = Reactions(authority, network)
        self._artifacts = Artifacts(store, self.directory)
        self._markers = Markers(store, self.directory, authority)
        self._exporting = Exporting(store, self.directory, network)
        self._searching = Searching(store, self.directory, authority, network, self.search)

    def obey(self, policy: RoomPolicy) -> None:
        """Accept uploads by this policy from now on."""
        self._uploads.policy = policy

    async def load(self) -> None:
        """Read the directory from its tables and open the search file; before anything is served."""
        await self._store.read(lambda reader: load(reader, self.directory, self._network))
        await self.search.open()

    async def close(self) -> None:
        """Close the search file; its `run` must have been cancelled."""
        await self.search.close()

    async def sweep_uploads(self, before: Micros) -> int:
        """Delete files that no message names and nobody has uploaded since `before`; return how many."""
        return await self._uploads.sweep(before)

    def bindings(self) -> Bindings:
        """Return the operations of rooms and messages with their handlers."""
        return (
            *self._room_bindings(),
            *self._thread_and_dm_bindings(),
            *self.sessions.bindings(),
            *self._message_bindings(),
        )

    def _room_bindings(self) -> Bindings:
        find = self._reading.locate

        def room(_: object, params: r.RoomRef) -> object:
            return find(r.RoomKind.ROOM, params.room_id)

        return (
            bind(r.LIST, self._reading.rooms),
            bind(r.CREATE, self._governing.create),
            bind(r.GET, self._reading.room, room),
            bind(r.UPDATE, self._governing.update, room),
            bind(r.REMOVE, self._governing.remove, room),
            bind(r.MEMBERS, self._governing.members, room),
            bind(r.MESSAGES, self._history.page, room),
            bind(r.THREADS, self._reading.threads, room),
            bind(r.MARK_READ, self._markers.mark, lambda _, params: self._markers.locate(params.target)),
            bind(r.EXPORT, self._exporting.export, lambda _, params: self._exporting.locate(params)),
            bind(r.APPLY, self.apply.apply),
        )

    def _thread_and_dm_bindings(self) -> Bindings:
        find = self._reading.locate

        def thread(_: object, params: r.ThreadRef) -> object:
            return find(r.RoomKind.THREAD, params.thread_id)

        def dm(_: object, params: r.DmRef) -> object:
            return self._reading.locate_direct(params.dm_id)

        return (
            bind(r.THREAD_GET, self._reading.thread, thread),
            bind(r.THREAD_MESSAGES, self._history.page, thread),
            bind(r.DM_LIST, self._reading.dms),
            bind(r.DM_OPEN, self._directs.open),
            bind(r.DM_GET, self._reading.dm, dm),
            bind(r.DM_MESSAGES, self._history.direct, dm),
        )

    def _message_bindings(self) -> Bindings:
        def message(_: object, params: m.MessageRef) -> object:
            return self._found.locate(params.message_id)

        return (
            # The conversation of a message is judged with its sender, in the handler.
            bind(m.SEND, self.messages.send),
            bind(m.SEND_BATCH, self.messages.send_batch),
            bind(m.GET, self._changing.get, message),
            bind(m.EDIT, self._changing.edit, message),
            bind(m.REDACT, self._changing.redact, message),
            bind(m.REACT, self._reactions.put, message),
            bind(m.UNREACT, self._reactions.take, message),
            bind(m.SEARCH, self._searching.search),
            bind(m.ARTIFACTS, self._artifacts.page, self._artifacts.locate),
            bind(m.UPLOAD, self._uploads.upload),
            bind(m.BLOB, self._uploads.get, lambda caller, params: self._uploads.locate(caller, params.blob)),
        )
