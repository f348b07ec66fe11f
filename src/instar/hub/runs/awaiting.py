"""Waiting for runs to end: each waiter is woken by the pump when the run that it waits for moves, and never polls."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from instar.base.errors import InstarError
from instar.bus.fanout import Pump
from instar.hub.act import Act
from instar.hub.delivery.bell import Bell, wait_until
from instar.hub.identity.principals import Caller
from instar.hub.rooms.directory import Directory
from instar.hub.rooms.folding import changes_of, fold
from instar.store.log import by_id
from instar.store.seam import Reader, Store
from instar.wire.events import Event, message_event_id
from instar.wire.messages import PartKind
from instar.wire.runs import AwaitedRun, AwaitRun, RunState

from . import records
from .hosting import Hosting
from .records import RunRecord

_MOVES = ("run.started", "run.finished")


class _Moved(msgspec.Struct):
    """What a waiter needs of a run's event."""

    id: str
    cause: str = ""


_moved = msgspec.json.Decoder(_Moved).decode


class Found(NamedTuple):
    """A run, and what its agent has said."""

    run: RunRecord
    text: str


class Awaiting:
    """The handler of `runs.await`."""

    def __init__(self, store: Store, pump: Pump, directory: Directory, hosting: Hosting) -> None:
        self._store = store
        self._directory = directory
        self._hosting = hosting
        self._bell = Bell()
        pump.watch(self._heard)

    async def await_run(self, act: Act[AwaitRun, None]) -> AwaitedRun:
        """Wait for the run of a message, or the one named, to end, however; return it as it then stands.

        The run may begin later than the wait. Of an agent that tried several times, it is the latest attempt. When
        the time is up, the run is returned as it is. Who may not read its room is told what is told of none.

        Raises:
            InstarError: `unprocessable_entity` unless exactly one of `run_id` and `message_id` is named.
        """
        wanted = act.params
        if bool(wanted.run_id) == bool(wanted.message_id):
            raise InstarError("unprocessable_entity", "name one of `run_id` and `message_id`")
        deadline = time.monotonic() + wanted.wait
        with self._bell.waiting((), wanted.run_id or message_event_id(wanted.message_id)) as rung:
            while True:
                rung.clear()
                found = await self._find(act.caller, wanted)
                left_s = deadline - time.monotonic()
                if left_s <= 0 or (found is not None and found.run.is_ended):
                    return _answer(found)
                await wait_until(rung, left_s)

    def _heard(self, events: Sequence[Event]) -> None:
        """Wake who waits for a run that began or ended; a pump watcher."""
        for event in events:
            if event.type in _MOVES and not event.redacted:
                run = _moved(event.payload)
                self._bell.ring(run.id)
                self._bell.ring(run.cause)

    async def _find(self, caller: Caller, wanted: AwaitRun) -> Found | None:
        async def read(reader: Reader) -> Found | None:
            run = await _latest(reader, wanted)
            return None if run is None else Found(run, await _said(reader, run))

        found = await self._store.read(read)
        if found is None:
            return None
        room = self._directory.at(found.run.room, found.run.item_seq)
        if room is None or not self._directory.may_read(caller, room):
            return None
        return found if found.run.is_ended else found._replace(run=self._hosting.live(found.run.id) or found.run)


async def _latest(reader: Reader, wanted: AwaitRun) -> RunRecord | None:
    if wanted.run_id:
        return await records.find(reader, wanted.run_id)
    runs = await records.caused_by(reader, message_event_id(wanted.message_id))
    agent_id = wanted.agent_id or (runs[0].agent_id if runs else "")
    return next((run for run in reversed(runs) if run.agent_id == agent_id), None)


async def _said(reader: Reader, run: RunRecord) -> str:
    if run.state is not RunState.DONE:
        return ""
    event = await by_id(reader, message_event_id(run.message_id))
    if event is None:
        return ""
    message = fold(event, await changes_of(reader, run.message_id))
    return "\n".join(part.text for part in message.parts if part.kind is PartKind.TEXT)


def _answer(found: Found | None) -> AwaitedRun:
    if found is None:
        return AwaitedRun()
    return AwaitedRun(found.run.view(), found.text, found.run.is_ended)
