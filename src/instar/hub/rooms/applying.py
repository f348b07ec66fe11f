"""`apply`: rooms and agents as they shall be; all of it in one transaction, or only the plan."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.principals import Caller
from instar.store.seam import Reader, Store, Transaction
from instar.wire.names import Network, room_key
from instar.wire.rooms import Applied, Apply, ApplyAgent, ApplyRoom, Change, Room, RoomKind

from .governing import check_room_id, create_room, set_members, update_room
from .load import read_room
from .participants import canonical_members
from .state import RoomState, Rules


class AgentApplier(Protocol):
    """Declares agents; `hub.agents` does it. Both methods await nothing but what they are given to read or write."""

    async def plan(self, reader: Reader, agents: Sequence[ApplyAgent]) -> list[Change]:
        """Return one change per agent.

        Raises:
            InstarError: `unprocessable_entity` for an agent that cannot be declared so.
        """
        ...

    async def apply(self, tx: Transaction, caller: Caller, agents: Sequence[ApplyAgent]) -> None:
        """Make the agents as declared.

        Raises:
            InstarError: `unprocessable_entity`, `conflict`.
        """
        ...


class Applying:
    """The handler of `hub.apply`, and what a start declares.

    Args:
        store: The log and its tables.
        network: The local network.
    """

    def __init__(self, store: Store, network: Network) -> None:
        self._store = store
        self._network = network
        self.agents: AgentApplier | None = None
        """Set when the hub is wired."""

    async def apply(self, act: Act[Apply, None]) -> Applied:
        """Make rooms and agents as declared. A removed room is left as it is, and said so.

        Raises:
            InstarError: `unprocessable_entity` (an id, a member, twice the same id), `conflict` (another network).
        """
        wanted = act.params
        self._check(wanted)
        if wanted.dry_run:
            return Applied(False, await self._store.read(lambda reader: self._plan(reader, wanted)))

        async def work(tx: Transaction) -> Applied:
            changes = await self._plan(tx, wanted)
            made = [await self._make(tx, each, act.caller.principal.id) for each in wanted.rooms]
            if self.agents is not None and wanted.agents:
                await self.agents.apply(tx, act.caller, wanted.agents)
            return Applied(True, changes, [room for room in made if room is not None])

        return await act.transact(work, Applied)

    async def ensure(self, rooms: Sequence[ApplyRoom]) -> None:
        """Create those rooms that never were, for a start: what was changed or removed at run time stays so.

        Raises:
            InstarError: `unprocessable_entity` for a room that cannot be declared so.
        """
        for each in rooms:
            check_room_id(each.id)

        async def work(tx: Transaction) -> None:
            for each in rooms:
                if await self._find(tx, each) is None:
                    await self._make(tx, each, "")

        await self._store.transact(work)

    def _check(self, wanted: Apply) -> None:
        if wanted.network_id not in {"", self._network.id}:
            raise InstarError("conflict", f"this is network {self._network.id!r}, not {wanted.network_id!r}")
        ids = [each.id for each in wanted.rooms]
        if len(set(ids)) != len(ids):
            raise InstarError("unprocessable_entity", "a room is declared twice")
        for each in wanted.rooms:
            check_room_id(each.id)
            canonical_members(each.members, self._network.id)

    async def _find(self, reader: Reader, wanted: ApplyRoom) -> RoomState | None:
        return await read_room(reader, room_key(RoomKind.ROOM, wanted.id), self._network)

    async def _plan(self, reader: Reader, wanted: Apply) -> list[Change]:
        changes = [self._difference(await self._find(reader, each), each) for each in wanted.rooms]
        if wanted.agents:
            if self.agents is None:
                raise InstarError("service_unavailable", "agents cannot be declared yet", hint="Try again in a moment.")
            changes += await self.agents.plan(reader, wanted.agents)
        return changes

    def _difference(self, room: RoomState | None, wanted: ApplyRoom) -> Change:
        if room is None:
            return Change("room", wanted.id, "create")
        if room.is_removed:
            return Change("room", wanted.id, "removed", [], "this room was removed; its id stays taken for ever")
        members = canonical_members(wanted.members, self._network.id)
        pairs = {
            "name": (room.name, wanted.name or wanted.id),
            "members": (sorted(room.members), members),
            "visibility": (room.visibility, wanted.visibility),
            "write_policy": (room.write_policy, wanted.write_policy),
        }
        fields = [name for name, (now, then) in pairs.items() if now != then]
        return Change("room", wanted.id, "update" if fields else "unchanged", fields)

    async def _make(self, tx: Transaction, wanted: ApplyRoom, actor: str) -> Room | None:
        room = await self._find(tx, wanted)
        members = canonical_members(wanted.members, self._network.id)
        if room is None:
            rules = Rules(wanted.name, wanted.visibility, wanted.write_policy)
            return await create_room(tx, self._network, wanted.id, rules, members, actor)
        if room.is_removed:
            return None
        rules = replace(room.own, visibility=wanted.visibility, write_policy=wanted.write_policy)
        if room.name != (wanted.name or wanted.id):
            rules = replace(rules, name=wanted.name)
        await update_room(tx, room, rules, actor)
        return await set_members(tx, room, members, actor)
