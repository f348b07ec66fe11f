"""Stop-all: one switch that outlives a restart. Stopped agents are given nothing and may say nothing."""

from collections.abc import Callable

import msgspec

from instar.base.clock import now
from instar.base.ids import new_id
from instar.bus.fanout import Pump
from instar.hub.act import Act
from instar.store.seam import HOME, Draft, Store, Transaction
from instar.wire.agents import HubEvent, HubSwitch, StopAll
from instar.wire.events import DIRECTORY, Event
from instar.wire.operation import Nothing

STOPPED = "stopped"


class StopSwitch:
    """The projection of the switch `stopped`, and the operations that throw it. Runs are cancelled by their package.

    Args:
        on_change: Called after it was thrown.
    """

    def __init__(self, pump: Pump, on_change: Callable[[], None]) -> None:
        self.is_stopped = False
        self.reason = ""
        self.open_runs: Callable[[], int] = lambda: 0
        """How many runs a stop cancels; `hub.runs` answers."""
        self._on_change = on_change
        pump.apply_with("hub.stopped", self._thrown)
        pump.apply_with("hub.resumed", self._thrown)

    async def load(self, store: Store) -> None:
        """Read the switch as it was left."""
        row = await store.read(
            lambda reader: reader.row("SELECT value FROM switches WHERE org = ?1 AND name = ?2", HOME, STOPPED)
        )
        if row is not None:
            self._take(msgspec.json.decode(row[0], type=HubEvent))

    def _thrown(self, event: Event) -> None:
        self._take(msgspec.json.decode(event.payload, type=HubEvent))
        self._on_change()

    def _take(self, state: HubEvent) -> None:
        self.is_stopped, self.reason = state.stopped, state.reason

    async def stop_all(self, act: Act[StopAll, None]) -> HubSwitch:
        """Stop all agents; stopping twice changes the reason."""
        return await self._throw(act, HubEvent(True, act.params.reason), self.open_runs())

    async def resume_all(self, act: Act[Nothing, None]) -> HubSwitch:
        """Let all agents run again."""
        return await self._throw(act, HubEvent(False), 0)

    async def _throw(self, act: Act[StopAll, None] | Act[Nothing, None], state: HubEvent, runs: int) -> HubSwitch:
        payload = msgspec.json.encode(state)
        kind = "hub.stopped" if state.stopped else "hub.resumed"

        async def work(tx: Transaction) -> HubSwitch:
            await tx.execute(
                "INSERT INTO switches (org, name, value) VALUES (?1, ?2, ?3)"
                " ON CONFLICT (org, name) DO UPDATE SET value = excluded.value",
                HOME, STOPPED, payload.decode(),
            )  # fmt: skip
            await tx.append(Draft(DIRECTORY, new_id("evt"), kind, payload, now(), act.caller.principal.id))
            return HubSwitch(state.stopped, state.reason, runs)

        return await act.transact(work, HubSwitch)
