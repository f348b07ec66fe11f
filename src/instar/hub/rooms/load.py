"""Reading rooms from their tables: all of them once at start, or one inside a transaction that decides by it."""

from types import MappingProxyType

from instar.base.clock import Micros
from instar.store.seam import HOME, Reader, Row
from instar.wire.events import RoomKey
from instar.wire.names import Network
from instar.wire.rooms import RoomKind, Visibility, WritePolicy

from .directory import Directory
from .state import RoomState, Rules

_COLUMNS = (
    "key, kind, id, name, parent, parent_message_id, visibility, write_policy, revision, created_at, removed_at,"
    " generation, begins_after"
)


async def load(reader: Reader, directory: Directory, network: Network) -> None:
    """Fill `directory` with every room of the org, removed ones included."""
    members: dict[str, dict[str, int]] = {}
    for room, member, since_seq in await reader.rows(
        "SELECT room, member, since_seq FROM members WHERE org = ?1 ORDER BY room, member", HOME
    ):
        members.setdefault(room, {})[member] = since_seq
    # Rooms without a parent sort first, so a thread's parent is already there.
    rows = await reader.rows(f"SELECT {_COLUMNS} FROM rooms WHERE org = ?1 ORDER BY parent, key", HOME)  # noqa: S608
    for row in rows:
        parent = directory.get(RoomKey(row[4])) if row[4] else None
        directory.add(_state_of(row, members.get(row[0], {}), parent, network))


async def read_room(reader: Reader, key: str, network: Network) -> RoomState | None:
    """Return a room, removed or not, as this snapshot or transaction sees it; None when its id was never taken."""
    row = await reader.row(f"SELECT {_COLUMNS} FROM rooms WHERE org = ?1 AND key = ?2", HOME, key)  # noqa: S608
    if row is None:
        return None
    members = await reader.rows(
        "SELECT member, since_seq FROM members WHERE org = ?1 AND room = ?2 ORDER BY member", HOME, key
    )
    parent = await read_room(reader, row[4], network) if row[4] else None
    return _state_of(row, {row[0]: row[1] for row in members}, parent, network)


def _state_of(row: Row, members: dict[str, int], parent: RoomState | None, network: Network) -> RoomState:
    key, kind, room_id, name, _, parent_message_id, visibility, write_policy, revision, created_at, *newer = row
    rules = Rules(name, Visibility(visibility), WritePolicy(write_policy), MappingProxyType(members), revision, *newer)
    return RoomState(
        RoomKey(key), room_id, RoomKind(kind), network.id, Micros(created_at), rules, parent, parent_message_id
    )
