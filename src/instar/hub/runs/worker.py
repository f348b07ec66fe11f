"""One hosted agent: looks into its inbox and runs what wakes it, one run a room, several rooms at once."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from instar.base.clock import MICROS_PER_S, Micros, now
from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.bus.fanout import Fanout
from instar.hub.agents.presence import Presence
from instar.hub.agents.registry import Registry
from instar.hub.agents.state import AgentState
from instar.hub.rooms.admission import Admission
from instar.hub.rooms.directory import Directory
from instar.hub.rooms.state import RoomState
from instar.store import log
from instar.store.seam import Reader, Store
from instar.wire.agents import Activity
from instar.wire.events import Event, RoomKey
from instar.wire.limits import INBOX_PAGE_MAX, RUN_ROOMS_MAX
from instar.wire.messages import Actor, Message

from .execution import Execution
from .patience import patiently
from .records import RunRecord
from .transitions import Transitions
from .wakes import Wakes
from .work import Runtime, Work

PAUSE_S = 1.0
"""How long a worker leaves a room, or its inbox, alone after the store has failed it."""

_log = structlog.get_logger("instar.runs")
_message = msgspec.json.Decoder(Message).decode


@dataclass(frozen=True, slots=True)
class Stage:
    """What every worker works with."""

    store: Store
    fanout: Fanout
    wakes: Wakes
    transitions: Transitions
    registry: Registry
    presence: Presence
    directory: Directory
    admission: Admission
    scope: TaskScope
    is_stopped: Callable[[], bool]
    budget_s: Callable[[], float]


class Worker:
    """The runs of one hosted agent. Never two at once in one room."""

    def __init__(self, agent_id: str, runtime: Runtime, stage: Stage) -> None:
        self.agent_id = agent_id
        self._runtime = runtime
        self._stage = stage
        self._rooms: dict[RoomKey, asyncio.Task[None]] = {}
        self._executions: dict[str, Execution] = {}
        self._is_retired = False

    async def serve(self) -> None:
        """Run what wakes the agent, until cancelled or retired. A store that refuses delays it, no more."""
        while not self._is_retired:
            with self._stage.wakes.waiting(self.agent_id) as rung:
                looked_at = now()
                try:
                    if not self._may_run() or not await self._start_what_can():
                        await self._rest(rung, looked_at)
                except InstarError as error:
                    _log.warning("inbox not readable", agent=self.agent_id, error=error.message)
                    await asyncio.sleep(PAUSE_S)

    async def _rest(self, rung: asyncio.Event, looked_at: Micros) -> None:
        """Wait until something may have changed, or an item is offered again that was not when we looked."""
        free_at = await self._stage.wakes.next_free_at(self.agent_id, looked_at) if self._may_run() else None
        try:
            async with asyncio.timeout(None if free_at is None else max(0.0, (free_at - now()) / MICROS_PER_S)):
                await rung.wait()
        except TimeoutError:
            return

    def _may_run(self) -> bool:
        agent = self._stage.registry.get(self.agent_id)
        return agent is not None and not agent.paused and not self._stage.is_stopped()

    async def _start_what_can(self) -> bool:
        """Start a run in each free room; return whether to look again at once."""
        stage = self._stage
        agent = stage.registry.get(self.agent_id)
        events = await stage.wakes.pending(self.agent_id, INBOX_PAGE_MAX)
        if agent is None or not events:
            return False
        unheeded: list[int] = []
        for event in events:
            if not self._is_heeded(agent, event):
                unheeded.append(event.seq)
            elif event.room not in self._rooms and len(self._rooms) < RUN_ROOMS_MAX:
                name = f"run {self.agent_id} {event.room}"
                self._rooms[event.room] = stage.scope.start(name, self._run(agent, event))
        if unheeded:
            await stage.transitions.skip(self.agent_id, unheeded)
        return bool(unheeded)

    def _is_heeded(self, agent: AgentState, event: Event) -> bool:
        """Whether an event is worth a run: it was not erased, the agent is still there, and the runtime wants it."""
        room = self._stage.directory.get(event.room)
        if event.redacted or room is None or room.is_removed or not room.has_member(self.agent_id):
            return False
        if event.seq <= room.begins_after:
            return False
        try:
            return self._runtime.heeds(agent.fqid, _message(event.payload))
        except Exception:  # noqa: BLE001 - a runtime is foreign code; the run that follows shows what is wrong with it
            _log.exception("runtime failed to judge a message", agent=self.agent_id, seq=event.seq)
            return True

    async def _run(self, agent: AgentState, event: Event) -> None:
        try:
            if (run := await self._admit(agent, event)) is not None:
                self._stage.presence.say(self.agent_id, Activity.BUSY, f"answering in {event.room}")
                await self._execute(agent, event, run)
        except InstarError as error:
            _log.error("run not recorded", agent=self.agent_id, seq=event.seq, error=error.message)
            await asyncio.sleep(PAUSE_S)
        finally:
            del self._rooms[event.room]
            if not self._rooms:
                self._stage.presence.say(self.agent_id, Activity.IDLE, "")
            self._stage.wakes.ring(self.agent_id)

    async def _admit(self, agent: AgentState, event: Event) -> RunRecord | None:
        """Ask the loop guard, then lease a run; None: not now."""
        stage = self._stage
        room: RoomState | None = stage.directory.get(event.room)
        if room is None or not self._may_run():
            return None
        actor = Actor("agent", agent.id, agent.name, room.network_id, agent.fqid)
        try:
            stage.admission.admit(actor, True, room, event.id)
        except InstarError as error:
            if error.code != "paused":
                reason = f"{error.code}: {error.message}"
                await patiently(lambda: stage.transitions.put_off(self.agent_id, event.seq, reason))
            return None
        return await patiently(lambda: stage.transitions.begin(self.agent_id, event))

    async def _execute(self, agent: AgentState, event: Event, run: RunRecord) -> None:
        work = Work(
            run_id=run.id,
            agent_id=agent.id,
            agent_fqid=agent.fqid,
            room=event.room,
            message=_message(event.payload),
            attempt=run.attempt,
            history=lambda limit: self._history(event, limit),
        )
        execution = Execution(
            run,
            work,
            self._runtime,
            name=agent.name,
            transitions=self._stage.transitions,
            fanout=self._stage.fanout,
            budget_s=self._stage.budget_s(),
        )
        self._executions[run.id] = execution
        try:
            await execution.perform()
        finally:
            del self._executions[run.id]

    async def _history(self, event: Event, limit: int) -> Sequence[Message]:
        async def read(reader: Reader) -> list[Event]:
            return await log.before(reader, event.seq, limit, rooms=[event.room], kind="message.created")

        begins_after = self._stage.directory.begun_anew.get(event.room, 0)
        found = await self._stage.store.read(read)
        return [_message(one.payload) for one in found if one.seq > begins_after and not one.redacted]

    def find(self, run_id: str) -> Execution | None:
        """Return a run that is under way, or None."""
        return self._executions.get(run_id)

    @property
    def run_count(self) -> int:
        """How many runs are under way."""
        return len(self._executions)

    def cancel_all(self, reason: str, room: RoomKey | None = None) -> None:
        """Stop every run of the agent, or those in one room; it does not wait for their ends."""
        for execution in self._executions.values():
            if room is None or execution.run.room == room:
                execution.stop(reason)

    def retire(self) -> None:
        """Let `serve` return at its next turn; what is under way goes on to its end."""
        self._is_retired = True
