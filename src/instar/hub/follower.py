"""A durable follower of the log: how effects travel upwards. It sees every event once it is on disk, in order,
at least once, also those that were committed while it was away.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from instar.base.backoff import full_jitter
from instar.bus.fanout import Pump
from instar.store.log import after
from instar.store.seam import HOME, Reader, Store, Transaction
from instar.wire.events import Event

BATCH = 512
RETRY_BASE_S = 0.05
RETRY_MAX_S = 10.0

Handle = Callable[[Sequence[Event]], Awaitable[None]]


class Follower:
    """Reads batches after its cursor, hands them on, then moves the cursor.

    A batch whose handling fails is handed on again, whole, after a back-off: `handle` must bear repeats.

    Args:
        name: The key of its cursor in table `cursors`.
        store: The log.
        pump: Wakes it.
        handle: Takes a batch; it is awaited before the next one is read.
        org: Whose log.
        gather_s: How long it lets news gather before it reads them, to leave the machine to whoever waits.
        on_error: Hears of each failure; it is tried again in any case.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        pump: Pump,
        handle: Handle,
        org: str = HOME,
        *,
        gather_s: float = 0.0,
        on_error: Callable[[str, Exception], None] = lambda name, error: None,  # noqa: ARG005
    ) -> None:
        self.name = name
        self.position = 0
        """The `seq` up to which everything was handled."""
        self._store = store
        self._pump = pump
        self._handle = handle
        self._org = org
        self._gather_s = gather_s
        self._on_error = on_error
        self._keeps_cursor = True
        self._news = asyncio.Event()
        self._moved = asyncio.Event()
        pump.watch(self._wake)

    def lag(self) -> int:
        """Return how far it is behind the end of the log, in `seq`: an upper bound of the events to come."""
        return max(0, self._pump.last_seq - self.position)

    async def start(self, position: int | None = None) -> None:
        """Take up the stored cursor; or begin after `position`, when the owner keeps the position itself.

        With a `position` no cursor is stored.
        """
        if position is not None:
            self._keeps_cursor = False
            self.position = position
            return
        self.position = await self._store.read(self._load)

    def seek(self, position: int) -> None:
        """Go on after `position`; for an owner that lost what it had made of the log."""
        self.position = position
        self._news.set()

    async def run(self) -> None:
        """Follow until cancelled; the body of a task."""
        delays = full_jitter(RETRY_BASE_S, RETRY_MAX_S)
        while True:
            self._news.clear()
            try:
                if await self.step():
                    delays = full_jitter(RETRY_BASE_S, RETRY_MAX_S)
                    continue
            except Exception as error:  # noqa: BLE001 - a follower outlives every fault; its owner is told
                self._on_error(self.name, error)
                await asyncio.sleep(next(delays))
                continue
            await self._news.wait()
            if self._gather_s:
                await asyncio.sleep(self._gather_s)

    async def step(self) -> int:
        """Handle one batch and return how many events it had; 0 at the end of the log."""
        at = self.position
        events = await self._store.read(lambda reader: after(reader, at, BATCH, org=self._org))
        if not events:
            return 0
        await self._handle(events)
        # A `seek` while the batch was handled wins.
        if self.position == at:
            self.position = events[-1].seq
        if self._keeps_cursor:
            await self._store.transact(self._save)
        self._moved.set()
        return len(events)

    async def reached(self, seq: int) -> None:
        """Wait until everything up to `seq` was handled."""
        while self.position < seq:
            self._moved.clear()
            await self._moved.wait()

    def _wake(self, events: Sequence[Event]) -> None:  # noqa: ARG002 - the shape of a watcher
        self._news.set()

    async def _load(self, reader: Reader) -> int:
        row = await reader.row("SELECT seq FROM cursors WHERE org = ?1 AND name = ?2", self._org, self.name)
        return row[0] if row else 0

    async def _save(self, tx: Transaction) -> None:
        await tx.execute(
            "INSERT INTO cursors (org, name, seq) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (org, name) DO UPDATE SET seq = excluded.seq",
            self._org,
            self.name,
            self.position,
        )
