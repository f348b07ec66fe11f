"""Where calls go: the choices of rooms, of agents and of the org, kept in a table and followed in memory."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from instar.base.clock import Micros, to_rfc3339
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.bus.fanout import Pump
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity.authority import Authority
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller
from instar.hub.rooms.directory import Directory
from instar.hub.rooms.state import RoomState
from instar.policy.routing import Choices, Routed, route
from instar.store.seam import HOME, Draft, Reader, Store, Transaction
from instar.wire import calls as wire
from instar.wire.calls import RouteAnswer, RouteList, RouteQuery, RouteRow, SetRoute
from instar.wire.events import NODES, Event, RoomKey
from instar.wire.operation import Nothing, ObjectKind, Verb

from .targets import Targets


@dataclass(frozen=True, slots=True)
class LocatedRoute:
    """A choice, made or yet to be made."""

    id: str
    room: RoomState | None
    agent_id: str


@dataclass(frozen=True, slots=True)
class WantedCall:
    """A call that is yet to be asked for: what `may` decides on."""

    room: RoomState | None
    agent_id: str
    requester: str = ""
    """Who asks, where no room is in question: they may be told what they lack."""
    id: str = ""

    @staticmethod
    def of(caller: Caller, room: RoomState | None, agent_id: str) -> "WantedCall":
        """Return what a caller asks for."""
        return WantedCall(room, agent_id, "" if room else caller.principal.id)


class Routes:
    """The projection of table `routes`, and the handlers of `routes.*` and `calls.route`."""

    def __init__(
        self,
        store: Store,
        pump: Pump,
        authority: Authority,
        directory: Directory,
        targets: Targets,
        is_local_forbidden: Callable[[], bool],
        clock: Callable[[], Micros],
    ) -> None:
        self._store = store
        self._authority = authority
        self._directory = directory
        self._targets = targets
        self._is_local_forbidden = is_local_forbidden
        self._clock = clock
        self._rows: dict[tuple[str, str], RouteRow] = {}
        pump.apply_with("route.changed", self._changed)

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return (
            bind(wire.EXPLAIN, self.explain, self.locate_query),
            bind(wire.ROUTES, self.list),
            bind(wire.SET_ROUTE, self.set, self.locate),
        )

    async def load(self) -> None:
        """Read the choices; called once, before anything is served."""

        async def read(reader: Reader) -> list[RouteRow]:
            rows = await reader.rows("SELECT target, room, agent, set_by, set_at FROM routes WHERE org = ?1", HOME)
            return [
                RouteRow(target, room, agent_id, by, to_rfc3339(Micros(at))) for target, room, agent_id, by, at in rows
            ]

        self._rows = {(row.room, row.agent_id): row for row in await self._store.read(read)}

    def route(self, target: str, room: str, agent_id: str) -> Routed:
        """Decide where a call goes; see `policy.routing.route`."""
        of_agent = self._chosen("", agent_id) if agent_id else ""
        choices = Choices(target, self._of_room(room), of_agent, self._chosen("", ""))
        return route(choices, self._targets, is_local_forbidden=self._is_local_forbidden())

    def default(self) -> Routed:
        """Decide where a call goes that names nothing, of no room and no agent."""
        return self.route("", "", "")

    def locate(self, caller: Caller, params: SetRoute) -> LocatedRoute:  # noqa: ARG002 - the shape of Locate
        """Find what a choice is for.

        Raises:
            InstarError: `not_found`; `unprocessable_entity` for a room and an agent at once.
        """
        if params.room and params.agent_id:
            raise InstarError("unprocessable_entity", "a route is a room's or an agent's", hint="Set one at a time.")
        room = room_of(self._directory, params.room)
        return LocatedRoute(params.room or params.agent_id or "the org", room, params.agent_id)

    def locate_query(self, caller: Caller, params: RouteQuery) -> WantedCall:
        """Find the room that a call would belong to.

        Raises:
            InstarError: `not_found`.
        """
        return WantedCall.of(caller, room_of(self._directory, params.room), params.agent_id)

    async def explain(self, act: Act[RouteQuery, WantedCall]) -> RouteAnswer:
        """Say where a call would go, and why."""
        return _answer(self.route(act.params.target, act.params.room, act.params.agent_id))

    async def list(self, act: Act[Nothing, None]) -> RouteList:
        """List the choices of the org, of agents, and of the rooms that the caller reads."""
        rows = [row for row in self._rows.values() if not row.room or self._reads(act.caller, row.room)]
        return RouteList(sorted(rows, key=lambda row: (row.room, row.agent_id)))

    async def set(self, act: Act[SetRoute, LocatedRoute]) -> RouteAnswer:
        """Make a choice, or take it back with an empty target.

        Raises:
            InstarError: `no_target`: nothing is called that.
        """
        wanted, at = act.params, self._clock()
        target = wanted.target.strip()
        if target:
            routed = self.route(target, "", "")
            if routed.error is not None and routed.error.code != "node_away":
                raise InstarError(routed.error.code, routed.error.message, hint=routed.error.hint)
        row = RouteRow(target, wanted.room, wanted.agent_id, act.caller.principal.id, to_rfc3339(at))
        act.audit_subject = act.object.id

        async def work(tx: Transaction) -> RouteRow:
            await _write(tx, row, at)
            return row

        await act.transact(work, RouteRow)
        return _answer(self.route("", wanted.room, wanted.agent_id))

    def _of_room(self, room: str) -> str:
        """Return the choice of a room; a thread without one of its own has its room's."""
        if not room:
            return ""
        state = self._directory.get(RoomKey(room))
        return self._chosen(room, "") or (self._chosen(state.parent, "") if state and state.parent else "")

    def _chosen(self, room: str, agent_id: str) -> str:
        row = self._rows.get((room, agent_id))
        return row.target if row else ""

    def _reads(self, caller: Caller, room: str) -> bool:
        state = self._directory.get(RoomKey(room))
        return state is not None and self._authority.may(caller, Verb.READ, ObjectKind.ROOM, state).allowed

    def _changed(self, event: Event) -> None:
        row = msgspec.json.decode(event.payload, type=RouteRow)
        if row.target:
            self._rows[row.room, row.agent_id] = row
        else:
            self._rows.pop((row.room, row.agent_id), None)


async def _write(tx: Transaction, row: RouteRow, at: Micros) -> None:
    if row.target:
        await tx.execute(
            "INSERT INTO routes (org, room, agent, target, set_by, set_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
            " ON CONFLICT (org, room, agent) DO UPDATE SET target = excluded.target, set_by = excluded.set_by,"
            " set_at = excluded.set_at",
            HOME, row.room, row.agent_id, row.target, row.set_by, at,
        )  # fmt: skip
    else:
        await tx.execute("DELETE FROM routes WHERE org = ?1 AND room = ?2 AND agent = ?3", HOME, row.room, row.agent_id)
    await tx.append(Draft(NODES, new_id("evt"), "route.changed", msgspec.json.encode(row), at, row.set_by))


def room_of(directory: Directory, key: str) -> RoomState | None:
    """Return the room of a key; None for an empty one.

    Raises:
        InstarError: `not_found`.
    """
    if not key:
        return None
    room = directory.get(RoomKey(key))
    if room is None or room.is_removed:
        raise missing("room", key)
    return room


def _answer(routed: Routed) -> RouteAnswer:
    target = routed.target
    return RouteAnswer(
        routed.steps, target.id if target else "", target.name if target else "", target.kind if target else "",
        routed.by, routed.error,
    )  # fmt: skip
