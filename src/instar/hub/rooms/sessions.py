"""Sessions: opening, joining, finding, resetting and removing conversations of one agent."""

from collections.abc import Awaitable, Callable

from instar.base.clock import MICROS_PER_S, now
from instar.base.errors import InstarError
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity.authority import Authority
from instar.hub.identity.missing import missing
from instar.store.seam import Store, Transaction
from instar.wire import sessions as wire
from instar.wire.names import Network, is_id, room_key, session_id_of
from instar.wire.rooms import RoomKind
from instar.wire.sessions import OpenSession, Session, SessionList, SessionQuery, SessionRef, UpdateSession

from . import session_changes
from .directory import Directory
from .governing import standing_room
from .history import History
from .load import read_room
from .participants import member_of
from .session_changes import Course, session_view
from .state import RoomState


def _nobody(agent_id: str) -> bool:  # noqa: ARG001 - the shape of is_agent
    return False


class Sessions:
    """Handlers of `sessions.*`."""

    def __init__(
        self, store: Store, directory: Directory, authority: Authority, network: Network, history: History
    ) -> None:
        self._store = store
        self._directory = directory
        self._authority = authority
        self._network = network
        self._history = history
        self.is_agent: Callable[[str], bool] = _nobody
        """Whether an agent of this id is registered; set when the hub is wired."""

    def bindings(self) -> Bindings:
        """Return the operations of sessions."""
        return (
            bind(wire.OPEN, self.open),
            bind(wire.LIST, self.list),
            bind(wire.GET, self.get, self.locate),
            bind(wire.UPDATE, self.update, self.locate),
            bind(wire.RESET, self.reset, self.locate),
            bind(wire.REMOVE, self.remove, self.locate),
            bind(wire.MESSAGES, self._history.page, self.locate),
        )

    def locate(self, caller: object, params: SessionRef) -> RoomState:  # noqa: ARG002 - the shape of Locate
        """Return a session that stands.

        Raises:
            InstarError: `not_found`.
        """
        session = self._directory.get(room_key(RoomKind.SESSION, params.session_id))
        if session is None or session.is_removed:
            raise missing("session", params.session_id)
        return session

    async def open(self, act: Act[OpenSession, None]) -> Session:
        """Open a session with its agent and the caller as members, or join it to those who are there.

        Raises:
            InstarError: `not_found` for an unknown agent, and for a session of others that the caller may not read;
                `unprocessable_entity` when the names are too long together, or the caller does not say who speaks.
        """
        wanted, caller = act.params, act.caller
        if not self.is_agent(wanted.agent_id):
            raise missing("agent", wanted.agent_id)
        session_id = check_session_id(session_id_of(wanted.agent_id, wanted.name))
        members = {wanted.agent_id}
        if not caller.is_anonymous:
            members.add(member_of(self._authority.sender(caller, None, self._network), self._network.id))
        by = caller.principal.id

        async def work(tx: Transaction) -> Session:
            known = await read_room(tx, room_key(RoomKind.SESSION, session_id), self._network)
            if known is None:
                return await session_changes.create(tx, self._network, session_id, wanted.label, sorted(members), by)
            if known.is_removed:
                return await session_changes.begin_anew(
                    tx, known, wanted.label, sorted(members), by, kind="session.opened"
                )
            if not self._directory.may_read(caller, known):
                raise missing("session", session_id)
            together = sorted(members | known.members.keys())
            return await session_changes.change(tx, known, wanted.label or known.own.name, together, by)

        return await act.transact(work, Session)

    async def list(self, act: Act[SessionQuery, None]) -> SessionList:
        """Return the sessions that the caller reads, by last message, newest first."""
        query = act.params
        courses = await self._store.read(session_changes.courses)
        keys = self._directory.readable(act.caller)
        prefix = session_id_of(query.agent_id, "") if query.agent_id else ""
        found = [
            session_view(session, courses.get(session.key, Course()))
            for session in self._directory.all(RoomKind.SESSION)
            if (keys is None or session.key in keys) and session.id.startswith(prefix)
        ]
        found = [session for session in found if _matches(session, query.search)]
        if query.active_s is not None:
            since = now() - query.active_s * MICROS_PER_S
            active = {key for key, course in courses.items() if course.last_message_at >= since}
            found = [session for session in found if session.key in active]
        found.sort(key=lambda session: (session.updated_at, session.id), reverse=True)
        return SessionList(found[: query.limit], len(found))

    async def get(self, act: Act[SessionRef, RoomState]) -> Session:
        """Return one session."""
        key = act.object.key
        courses = await self._store.read(lambda reader: session_changes.courses(reader, key))
        return session_view(act.object, courses.get(key, Course()))

    async def update(self, act: Act[UpdateSession, RoomState]) -> Session:
        """Call a session something else."""

        async def work(tx: Transaction, session: RoomState) -> Session:
            label, members = act.params.label, sorted(session.members)
            return await session_changes.change(tx, session, label, members, act.caller.principal.id)

        return await self._on_standing(act, work)

    async def reset(self, act: Act[SessionRef, RoomState]) -> Session:
        """Begin anew with the same members; runs that answer what was said before are cancelled."""

        async def work(tx: Transaction, session: RoomState) -> Session:
            label, members = session.own.name, sorted(session.members)
            return await session_changes.begin_anew(
                tx, session, label, members, act.caller.principal.id, kind="session.reset"
            )

        return await self._on_standing(act, work)

    async def remove(self, act: Act[SessionRef, RoomState]) -> Session:
        """Remove a session and return it as it was."""

        async def work(tx: Transaction, session: RoomState) -> Session:
            return await session_changes.remove(tx, session, act.caller.principal.id)

        return await self._on_standing(act, work)

    async def _on_standing(
        self, act: Act[SessionRef, RoomState] | Act[UpdateSession, RoomState],
        work: Callable[[Transaction, RoomState], Awaitable[Session]],
    ) -> Session:  # fmt: skip
        key = act.object.key
        act.audit_subject = act.object.id

        async def within(tx: Transaction) -> Session:
            return await work(tx, await standing_room(tx, key, self._network))

        return await act.transact(within, Session)


def check_session_id(session_id: str) -> str:
    """Return a session's id if the longest of its forms, its key, is an id.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    if not is_id(room_key(RoomKind.SESSION, session_id)):
        raise InstarError(
            "unprocessable_entity", f"session id {session_id!r} is too long", hint="Choose a shorter session name."
        )
    return session_id


def _matches(session: Session, text: str) -> bool:
    return text.casefold() in f"{session.id} {session.label}".casefold()
