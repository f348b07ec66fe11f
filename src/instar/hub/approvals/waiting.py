"""The approvals that wait, in memory: changed only by the pump, and heard by whoever awaits a decision."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec

from instar.bus.fanout import Pump
from instar.store.seam import Store
from instar.wire.approvals import Approval
from instar.wire.events import Event

from . import records
from .records import ApprovalRecord


class Waiting:
    """The projection of pending rows of table `approvals`."""

    def __init__(self, pump: Pump) -> None:
        self._records: dict[str, ApprovalRecord] = {}
        self._listeners: list[Callable[[Approval], None]] = []
        self._news = asyncio.Event()
        pump.apply_with("approval.requested", self._requested)
        pump.apply_with("approval.decided", self._decided)

    async def load(self, store: Store) -> None:
        """Read what waits; called once, before the pump starts."""
        self._records = {record.id: record for record in await store.read(records.pending)}

    def get(self, ref: str) -> ApprovalRecord | None:
        """Return one that waits by its id, or by the id of its call."""
        return self._records.get(ref) or next((each for each in self._records.values() if each.call_id == ref), None)

    def all(self) -> list[ApprovalRecord]:
        """Return all that wait, oldest first."""
        return sorted(self._records.values(), key=lambda each: each.created_at)

    def on_decided(self, callback: Callable[[Approval], None]) -> None:
        """Call back on the loop with each one that waits no more."""
        self._listeners.append(callback)

    async def change(self, timeout_s: float) -> None:
        """Wait for something new, or so long."""
        news = self._news
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):  # `wait_for` may swallow a cancellation
                await news.wait()

    def _requested(self, event: Event) -> None:
        record = msgspec.json.decode(event.payload, type=ApprovalRecord)
        self._records[record.id] = record
        self._tell()

    def _decided(self, event: Event) -> None:
        record = msgspec.json.decode(event.payload, type=ApprovalRecord)
        self._records.pop(record.id, None)
        self._tell()
        for callback in self._listeners:
            callback(record.view())

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
