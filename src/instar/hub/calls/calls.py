"""Calls, wired: what is asked for, the one gate, what runs, and what is kept of it, in one object."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from instar.base.clock import MICROS_PER_S, Micros, now
from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.bus.fanout import Fanout, Pump
from instar.hub.act import Bindings
from instar.hub.execution import TargetSource
from instar.hub.identity.identity import Identity
from instar.hub.identity.principals import Caller
from instar.hub.rooms.directory import Directory
from instar.store.seam import Store
from instar.wire.approvals import Approval
from instar.wire.calls import Call
from instar.wire.events import Event
from instar.wire.execution import CallOrder, Outcome
from instar.wire.operation import ObjectKind, Verb
from instar.wire.runs import RunState

from . import records
from .dispatch import Dispatch
from .gate import Gate
from .handlers import Handlers, LocatedCall
from .live import Live, Wish
from .machine import Move
from .outputs import Outputs, gone
from .owing import Owing
from .policy import CallPolicy
from .routes import Routes
from .stage import Stage
from .targets import Targets
from .watching import CallWatch, Input, Watcher

OUTPUT_FOLDER = "outputs"
_SWEEP_MAX = 500


class Calls:
    """The one gate through which anything runs outside the hub.

    Args:
        store: Where calls are kept.
        pump: Keeps projections true to the log.
        fanout: Where signals of output go.
        identity: By whose right calls run, and who decides on it.
        directory: The rooms that calls belong to.
        gate: Rules and approvals.
        sources: Who knows targets.
        data_dir: Output is kept in a folder of it.
        scope: The parent of every call's task.
        policy: What the operator decided.
        is_local_forbidden: Whether calls may not run on the hub's own machine.
        clock: Wall-clock time, for tests.
    """

    def __init__(
        self,
        store: Store,
        pump: Pump,
        fanout: Fanout,
        identity: Identity,
        directory: Directory,
        gate: Gate,
        sources: Sequence[TargetSource],
        data_dir: Path,
        scope: TaskScope,
        policy: CallPolicy,
        *,
        is_local_forbidden: Callable[[], bool] = lambda: False,
        clock: Callable[[], Micros] = now,
    ) -> None:
        self.targets = Targets(sources)
        authority = identity.authority
        self.routes = Routes(store, pump, authority, directory, self.targets, is_local_forbidden, clock)
        self._stage = Stage(
            store, fanout, authority, directory, self.targets, self.routes, gate, Outputs(data_dir / OUTPUT_FOLDER),
            scope, policy, identity.standing, clock,
        )  # fmt: skip
        self._registry = identity.devices.registry
        self._owing = Owing(store, self.targets, scope)
        self._dispatch = Dispatch(self._stage, self._owing)
        self.handlers = Handlers(self._stage, self._dispatch, pump)
        gate.on_decided(self._decided)
        identity.on_ended(self._grant_ended)
        pump.apply_with("hub.stopped", lambda _: self._stop_agents())
        pump.apply_with("run.finished", self._run_finished)

    def bindings(self) -> Bindings:
        """Return `calls.*` and `routes.*` with their handlers."""
        return (*self.handlers.bindings(), *self.routes.bindings())

    def obey(self, policy: CallPolicy) -> None:
        """Let this hold for the calls to come."""
        self._stage.policy = policy

    async def load(self) -> None:
        """Read routes, and the calls that have not ended; called once, before anything is served."""
        await self.routes.load()
        await self._owing.load()
        for record in await self._stage.store.read(records.living):
            self._stage.open(record)

    def open(self) -> None:
        """Go on with the calls of an earlier process; called when sources and approvals are loaded."""
        for live in tuple(self._stage.living.values()):
            if live.task is None:
                self._dispatch.take_up(live)

    async def close(self) -> None:
        """Leave every call as it is on disk: the next start goes on with it. Twice is no error.

        To be called before links are closed: a broken link would end calls that the next start can take up again.
        """
        self._stage.is_closing = True
        for live in self._stage.living.values():
            live.changes.tell()
        tasks = [live.task for live in self._stage.living.values() if live.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def on_ended(self, observer: Callable[[records.CallRecord], None]) -> None:
        """Call `observer` with each call that ends here, for metrics."""
        self._stage.observers.append(observer)

    def live_count(self) -> int:
        """Return how many calls have not ended."""
        return len(self._stage.living)

    async def sweep(self) -> int:
        """Delete the output of calls that ended long ago; return of how many. To be called once in a while.

        What is owed to machines that were removed is forgotten as well.
        """
        stage = self._stage
        await self._owing.sweep(self._is_gone)
        before = Micros(stage.clock() - int(stage.policy.keep_s * MICROS_PER_S))
        due = await stage.store.read(lambda reader: records.kept_until(reader, before, _SWEEP_MAX))
        for call_id in due:
            await stage.outputs.remove(call_id)
            await stage.store.transact(lambda tx, call_id=call_id: records.swept(tx, call_id))
        return len(due)

    def stray(self, target_id: str, outcome: Outcome) -> None:
        """Take the end of a call that a node repeats though nobody follows it there: settle it, if it is that node's.

        One that lives is asked about by its own task.
        """
        if outcome.call_id not in self._stage.living:
            self._stage.scope.start(f"settle {outcome.call_id}", self._owing.settle_stray(target_id, outcome.call_id))

    async def watch(self, caller: Caller, call_id: str, watcher: Watcher, offsets: Mapping[int, int]) -> CallWatch:
        """Send a call's output to `watcher` from these offsets on, then its end; it may write the input as well.

        Raises:
            InstarError: `not_found`, `forbidden`; `output_gone` when its output was swept.
        """
        located = await self.handlers.find(call_id)
        authority = self._stage.authority
        authority.require(caller, Verb.READ, ObjectKind.CALL, located)
        may_write = authority.may(caller, Verb.MANAGE, ObjectKind.CALL, located).allowed
        live = located.live
        if live is None:
            return await self._watch_ended(located, watcher, offsets)
        reach = _Input(live if may_write else None, self._stage.scope)
        watch = CallWatch(call_id, watcher, offsets, self._stage.outputs, live.extent, reach, live.watches.discard)
        live.watches.add(watch)
        if may_write:
            watch.input_allowed(live.input.upto)
        if live.final is not None:
            watch.ended(live.final)
        self._stage.scope.start(f"watch {call_id}", watch.run())
        return watch

    async def _watch_ended(self, located: LocatedCall, watcher: Watcher, offsets: Mapping[int, int]) -> CallWatch:
        record, stage = located.record, self._stage
        ends = {end.channel: end for end in record.course.streams}
        if ends and not await stage.store.read(lambda reader: records.has_output(reader, record.id)):
            raise gone(record.id)

        def extent(channel: int) -> tuple[int, int]:
            end = ends.get(channel)
            return (end.size_bytes - end.dropped_bytes, end.size_bytes) if end else (0, 0)

        watch = CallWatch(
            record.id, watcher, offsets, stage.outputs, extent, _Unheard(), lambda _: None
        )  # fmt: skip
        watch.ended(await self.handlers.settled(located))
        stage.scope.start(f"watch {record.id}", watch.run())
        return watch

    # What others decide

    def _is_gone(self, target_id: str) -> bool:
        """Whether there is no such target any more; a device that was revoked may be let in again."""
        return self.targets.find(target_id) is None and self._registry.get(target_id) is None

    def _decided(self, approval: Approval) -> None:
        if (live := self._stage.living.get(approval.call_id)) is not None:
            live.decided(approval)

    def _grant_ended(self, grant_id: str) -> None:
        """Stop what runs by a right that has ended; one whose token was replaced has not."""
        if self._stage.standing(grant_id) is not None:
            return
        wish = Wish(Move.CANCEL, "cancelled", "the credential that asked for it was revoked or has expired")
        self._stop(wish, lambda live: live.record.request.grant_id == grant_id)

    def _stop_agents(self) -> None:
        wish = Wish(Move.CANCEL, "cancelled", "all agents were stopped")
        self._stop(wish, lambda live: bool(live.record.request.agent_id))

    def _run_finished(self, event: Event) -> None:
        """Stop what a run leaves behind that did not finish; background jobs outlive it."""
        if not self._stage.living:
            return
        run = msgspec.json.decode(event.payload, type=_Run)
        if run.state is RunState.DONE:
            return
        wish = Wish(Move.CANCEL, "cancelled", f"the run that asked for it {run.state}")
        self._stop(wish, lambda live: live.record.request.run_id == run.id and not live.record.request.is_background)

    def _stop(self, wish: Wish, is_meant: Callable[[Live], bool]) -> None:
        for live in tuple(self._stage.living.values()):
            if is_meant(live):
                live.stop(wish)


class _Run(msgspec.Struct):
    id: str
    state: RunState


class _Input(Input):
    """The input of a call to one watcher; of None: it may not write."""

    def __init__(self, live: Live | None, scope: TaskScope) -> None:
        self._live = live
        self._scope = scope

    def write(self, offset: int, content: bytes) -> None:
        live = self._allowed()
        # Who writes to a call that has just ended hears of its end, not of the input.
        if not live.input.is_closed:
            live.input.write(offset, content)

    def close_input(self, size_bytes: int) -> None:
        live = self._allowed()
        if live.input.is_closed:
            return
        executor = live.input.end(size_bytes)
        if executor is not None:
            order = executor.order("close_input", CallOrder(live.id, size_bytes=size_bytes))
            self._scope.start(f"end input {live.id}", _told(order))

    def _allowed(self) -> Live:
        if self._live is None:
            raise InstarError("forbidden", "needs the right to manage this call", hint="Its requester may write to it.")
        return self._live


class _Unheard(Input):
    """The input of a call that has ended: nobody takes it, and who writes it hears of the end."""

    def write(self, offset: int, content: bytes) -> None:
        """Drop it."""

    def close_input(self, size_bytes: int) -> None:
        """There is nothing to end."""


async def _told(work: Coroutine[Any, Any, None]) -> None:
    """Tell an executor; one that went away is noticed by the call's own task."""
    with suppress(InstarError):
        await work


__all__ = ["Call", "CallWatch", "Calls", "Watcher"]
