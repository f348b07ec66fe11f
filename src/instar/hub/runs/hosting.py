"""Which agents this hub hosts, and their workers: they come and go with the registry."""

from collections.abc import Mapping
from uuid import uuid4

import structlog

from instar.base.errors import InstarError
from instar.bus.fanout import Pump
from instar.store.seam import Store
from instar.wire.events import Event, RoomKey

from . import records
from .records import LeaseLostError, RunRecord
from .work import Runtime
from .worker import Stage, Worker

_log = structlog.get_logger("instar.runs")


class Hosting:
    """The workers of the hosted agents.

    Args:
        runtimes: Runtime name → runtime; an agent that names one of them is hosted here.
    """

    def __init__(self, store: Store, pump: Pump, stage: Stage, runtimes: Mapping[str, Runtime]) -> None:
        self._store = store
        self._stage = stage
        self._runtimes = runtimes
        self._workers: dict[str, Worker] = {}
        self._is_open = False
        stage.registry.on_change(self._changed)
        stage.registry.on_removed(lambda agent_id: self._stop(agent_id, "the agent was removed"))
        pump.apply_with("hub.stopped", self._stopped)
        pump.apply_with("session.reset", lambda event: self._cancel_in(event.room, "the session was reset"))
        pump.apply_with("session.removed", lambda event: self._cancel_in(event.room, "the session was removed"))

    async def open(self) -> None:
        """End what an earlier process left under way, then serve every agent with a known runtime."""
        for run in await self._stage.transitions.recover():
            _log.warning("run interrupted", run=run.id, agent=run.agent_id, attempt=run.attempt)
        self._is_open = True
        for agent in self._stage.registry.all():
            self._changed(agent.id)

    def open_runs(self) -> int:
        """Return how many runs are under way."""
        return sum(worker.run_count for worker in self._workers.values())

    def live(self, run_id: str) -> RunRecord | None:
        """Return a run that is under way here, as far as it has come, or None."""
        for worker in self._workers.values():
            if (execution := worker.find(run_id)) is not None:
                return execution.snapshot()
        return None

    async def cancel(self, run: RunRecord, reason: str) -> RunRecord:
        """Cancel a run and return how it ended, which may be otherwise."""
        for worker in self._workers.values():
            if (execution := worker.find(run.id)) is not None:
                return await execution.cancel(reason)
        known = await self._store.read(lambda reader: records.find(reader, run.id))
        if known is None or known.is_ended:
            return known or run
        try:
            return await self._stage.transitions.cancel(known, known.partial, reason)
        except LeaseLostError:
            raise InstarError("conflict", f"run {run.id!r} moved meanwhile", hint="Read it again.") from None

    def _changed(self, agent_id: str) -> None:
        agent = self._stage.registry.get(agent_id)
        runtime = self._runtimes.get(agent.runtime) if agent else None
        if agent is None or not self._is_open:
            return
        if runtime is None:
            self._stop(agent_id, "the agent is hosted elsewhere now")
        elif agent_id not in self._workers:
            worker = self._workers[agent_id] = Worker(agent_id, runtime, self._stage)
            self._stage.scope.start(f"worker {agent_id}", self._serve(worker))
        elif agent.paused:
            self._cancel(agent_id, "the agent was paused")
        self._stage.wakes.ring(agent_id)

    async def _serve(self, worker: Worker) -> None:
        presence, attachment = self._stage.presence, f"runtime-{uuid4()}"
        await presence.attached(worker.agent_id, attachment, reason="hosted")
        try:
            await worker.serve()
        finally:
            if self._stage.registry.get(worker.agent_id) is not None:
                await presence.detached(worker.agent_id, attachment, reason="hosted")

    def _stop(self, agent_id: str, reason: str) -> None:
        self._cancel(agent_id, reason)
        if (worker := self._workers.pop(agent_id, None)) is not None:
            worker.retire()
            self._stage.wakes.ring(agent_id)

    def _cancel(self, agent_id: str, reason: str) -> None:
        if (worker := self._workers.get(agent_id)) is not None:
            worker.cancel_all(reason)

    def _cancel_in(self, room: RoomKey, reason: str) -> None:
        for worker in self._workers.values():
            worker.cancel_all(reason, room)

    def _stopped(self, event: Event) -> None:
        del event
        for agent_id in self._workers:
            self._cancel(agent_id, "all agents were stopped")
