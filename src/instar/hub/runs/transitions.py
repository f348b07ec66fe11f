"""The transactions of a run: each changes its row, says so in its room, and settles its inbox item, all or nothing."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from instar.base.clock import MICROS_PER_S, Micros, now
from instar.base.ids import new_id
from instar.hub.rooms.messages import Messages
from instar.store.seam import Draft, Store, Transaction
from instar.wire.events import Event
from instar.wire.limits import REASON_MAX_CHARS, RUN_ATTEMPTS_MAX, RUN_LEASE_S
from instar.wire.messages import Part, PartKind
from instar.wire.runs import RunState

from . import records
from .machine import Move
from .records import RunRecord
from .wakes import Wakes

INTERRUPTED = "the hub stopped while this run was under way"


class Transitions:
    """Moves runs in the store. Every write but the first checks the fence, and raises `LeaseLostError` without it.

    Args:
        store: Where runs are.
        wakes: The inboxes that they come from.
        messages: How an answer becomes a message.
        lease_s: How long the inbox item of a run is nobody else's: longer than any run lives.
    """

    def __init__(self, store: Store, wakes: Wakes, messages: Messages, lease_s: Callable[[], float]) -> None:
        self._store = store
        self._wakes = wakes
        self._messages = messages
        self._lease_s = lease_s

    async def begin(self, agent_id: str, waking: Event) -> RunRecord | None:
        """Admit and lease a run for an event that wakes the agent; None: the item is settled or another's."""
        at = now()
        run_id = new_id("run")

        async def begin(tx: Transaction) -> RunRecord:
            run = RunRecord(
                id=run_id,
                agent_id=agent_id,
                room=waking.room,
                state=RunState.ADMITTED,
                cause=waking.id,
                item_seq=waking.seq,
                message_id=new_id("msg"),
                attempt=await records.attempts(tx, agent_id, waking.seq) + 1,
                fence=0,
                lease_until=at,
                partial="",
                error="",
                created_at=at,
            )
            await records.insert(tx, run)
            leased = run.leased(at, lease_end(at))
            await records.write(tx, leased, run.fence)
            await tx.append(_event("run.started", leased, at))
            return leased

        until = Micros(at + int(self._lease_s() * MICROS_PER_S))
        return await self._wakes.lease(agent_id, waking.seq, run_id, until, begin)

    async def save(self, run: RunRecord) -> None:
        """Store where a run stands, and hold it for another lease."""

        async def save(tx: Transaction) -> None:
            await records.write(tx, run, run.fence)

        await self._store.transact(save)

    async def finish(self, run: RunRecord, text: str, name: str) -> RunRecord:
        """End a run with its answer: the message, the run and the inbox item, all or nothing. No text, no message.

        Raises:
            InstarError: The agent may no longer speak in the room; the run is as it was.
        """
        at = now()
        done = run.ended(Move.FINISH, at)

        async def finish(tx: Transaction) -> None:
            await records.write(tx, done, run.fence)
            if text.strip():
                await self._messages.append_as(
                    tx,
                    run.agent_id,
                    run.room,
                    [Part(PartKind.TEXT, text)],
                    message_id=run.message_id,
                    cause=run.cause,
                    run=run.id,
                    name=name,
                )
            await tx.append(_event("run.finished", done, at))

        await self._wakes.ack(run.agent_id, [run.item_seq], finish)
        return done

    async def fail(self, run: RunRecord, text: str, error: str, *, final: bool) -> RunRecord:
        """End a run that cannot go on; its item comes again, or is dead-lettered when that cannot help (`final`)."""
        at = now()
        failed = run.ended(Move.FAIL, at, partial=text, error=error)

        await self._end_badly(run, failed, final=final)
        return failed

    async def cancel(self, run: RunRecord, text: str, reason: str) -> RunRecord:
        """End a run that somebody stopped; its item is settled: nobody wants it again."""
        at = now()
        cancelled = run.ended(Move.CANCEL, at, partial=text, error=reason)

        async def cancel(tx: Transaction) -> None:
            await records.write(tx, cancelled, run.fence)
            await tx.append(_event("run.finished", cancelled, at))

        await self._wakes.ack(run.agent_id, [run.item_seq], cancel)
        return cancelled

    async def recover(self) -> list[RunRecord]:
        """End the runs that an earlier process left open, visibly and with what they had said.

        Their items come again as new attempts; one that was under way in `RUN_ATTEMPTS_MAX` deaths is dead-lettered:
        it may be what kills the process.
        """

        ended: list[RunRecord] = []
        for run in await self._store.read(records.open_runs):
            failed = replace(run.ended(Move.FAIL, now(), partial=run.partial, error=INTERRUPTED), fence=run.fence + 1)
            await self._end_badly(run, failed, final=run.attempt >= RUN_ATTEMPTS_MAX)
            ended.append(failed)
        return ended

    async def skip(self, agent_id: str, seqs: Sequence[int]) -> None:
        """Settle items that are worth no run."""
        await self._wakes.ack(agent_id, seqs, _nothing_more)

    async def put_off(self, agent_id: str, seq: int, reason: str) -> None:
        """Give an item back that may not be run now: the room cools down, or a rate is reached."""
        await self._wakes.nack(agent_id, seq, reason[:REASON_MAX_CHARS], _nothing_more, final=False)

    async def _end_badly(self, run: RunRecord, failed: RunRecord, *, final: bool) -> None:
        async def end(tx: Transaction) -> None:
            await records.write(tx, failed, run.fence)
            await tx.append(_event("run.finished", failed, failed.ended_at or now()))

        reason = failed.error[:REASON_MAX_CHARS]
        await self._wakes.nack(run.agent_id, run.item_seq, reason, end, final=final)


async def _nothing_more(tx: Transaction) -> None:
    """Do nothing beside what the inbox does."""


def lease_end(at: Micros) -> Micros:
    """Return until when a run that is leased or renewed at `at` is held."""
    return Micros(at + int(RUN_LEASE_S * MICROS_PER_S))


def _event(kind: str, run: RunRecord, at: Micros) -> Draft:
    return Draft(run.room, new_id("evt"), kind, msgspec.json.encode(run.view()), at, run.agent_id)
