"""One message as an operation finds it."""

from dataclasses import dataclass

from instar.hub.identity.missing import missing
from instar.store.log import by_id
from instar.store.seam import Reader, Store
from instar.wire.events import Event, message_event_id
from instar.wire.messages import Message
from instar.wire.names import Network

from .directory import Directory
from .folding import Changes, changes_of, fold, message_of
from .participants import member_of
from .state import RoomState


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message with its room and sender; `Authority` decides on these."""

    event: Event
    message: Message
    """As it was sent, or its tombstone."""
    changes: Changes
    room: RoomState
    sender_id: str

    @property
    def id(self) -> str:
        """Its id."""
        return self.message.id

    @property
    def folded(self) -> Message:
        """The message as it is read now."""
        return fold(self.event, self.changes)


class StoredMessages:
    """Finds messages by id."""

    def __init__(self, store: Store, directory: Directory, network: Network) -> None:
        self._store = store
        self._directory = directory
        self._network = network

    async def locate(self, message_id: str) -> StoredMessage:
        """Return a message of a conversation that stands.

        Raises:
            InstarError: `not_found`.
        """

        async def read(reader: Reader) -> tuple[Event | None, Changes]:
            return await by_id(reader, message_event_id(message_id)), await changes_of(reader, message_id)

        event, changes = await self._store.read(read)
        room = self._directory.at(event.room, event.seq) if event is not None else None
        if event is None or event.type != "message.created" or room is None or room.is_removed:
            raise missing("message", message_id)
        message = message_of(event)
        return StoredMessage(event, message, changes, room, member_of(message.from_, self._network.id))
