"""What keeps a schedule from speaking: asked when it is made, and each time that it is due."""

from collections.abc import Callable
from dataclasses import dataclass

from instar.base.errors import InstarError
from instar.hub.agents.registry import Registry
from instar.hub.delivery.switch import StopSwitch
from instar.hub.identity.authority import Authority
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller
from instar.hub.rooms.directory import Directory
from instar.hub.rooms.state import RoomState
from instar.wire.events import RoomKey
from instar.wire.names import split_key
from instar.wire.operation import ObjectKind, Verb
from instar.wire.rooms import RoomKind

from .records import ScheduleRecord


@dataclass(frozen=True, slots=True)
class LocatedSchedule:
    """A schedule with its room: what `may` decides on."""

    record: ScheduleRecord
    room: RoomState | None

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.id


class Obstacles:
    """Finds what stands in a schedule's way.

    Args:
        authority: Who may speak where.
        standing: The caller that a grant makes, if it still holds.
        directory: The rooms.
        registry: The agents.
        switch: Whether all agents are stopped.
    """

    def __init__(
        self,
        authority: Authority,
        standing: Callable[[str], Caller | None],
        directory: Directory,
        registry: Registry,
        switch: StopSwitch,
    ) -> None:
        self._authority = authority
        self._standing = standing
        self._directory = directory
        self._registry = registry
        self._switch = switch

    def locate(self, record: ScheduleRecord) -> LocatedSchedule:
        """Return a schedule with its room."""
        return LocatedSchedule(record, self._directory.get(RoomKey(record.room)))

    def now(self, schedule: LocatedSchedule) -> str:
        """Return why the schedule cannot speak at this moment; empty: it can."""
        record, room = schedule.record, schedule.room
        if self._switch.is_stopped:
            return f"all agents are stopped{': ' if self._switch.reason else ''}{self._switch.reason}"
        if room is None or room.is_removed:
            return f"there is no {record.room} any more"
        owner = self._standing(record.grant_id)
        if owner is None:
            return f"the right of {record.owner} that it speaks by has ended"
        decision = self._authority.may(owner, Verb.SEND, ObjectKind.SCHEDULE, schedule)
        if not decision.allowed:
            return f"{record.owner}, by whose right it speaks, lacks {decision.missing}"
        agent = self._registry.get(record.agent_id)
        if agent is not None and agent.paused:
            return f"agent {agent.id!r} is paused"
        return self._unheard(record.agent_id, room)

    def refuse(self, caller: Caller, schedule: LocatedSchedule) -> None:
        """Refuse a schedule that could not speak by the right of who makes it.

        Raises:
            InstarError: `not_found` (no such room, or not the caller's to see), `forbidden` (the right), or
                `unprocessable_entity` (the agent).
        """
        record, room = schedule.record, schedule.room
        if room is None or room.is_removed or room.kind is RoomKind.SYSTEM:
            raise missing(*split_key(record.room))
        decision = self._authority.may(caller, Verb.SEND, ObjectKind.SCHEDULE, schedule)
        is_seen = decision._replace(visible=self._authority.reads(caller, room))
        self._authority.enforce(caller, is_seen, ObjectKind.ROOM, room)
        if reason := self._unheard(record.agent_id, room):
            is_known = self._registry.get(record.agent_id) is not None
            remedy = f"rooms members add {room.id}" if is_known else "agents register"
            hint = f"First run `instar {remedy} {record.agent_id}`."
            raise InstarError("unprocessable_entity", reason, hint=hint)

    def _unheard(self, agent_id: str, room: RoomState) -> str:
        """Return why a mention would not reach the agent that is to wake."""
        if agent_id and self._registry.get(agent_id) is None:
            return f"there is no agent {agent_id!r}"
        return f"agent {agent_id!r} is not in {room.key}" if agent_id and not room.has_member(agent_id) else ""
