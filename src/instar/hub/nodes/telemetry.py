"""How nodes are: the newest report of each in memory, all of them on disk for a while."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from instar.base.clock import MICROS_PER_S, Micros, to_rfc3339
from instar.store.seam import HOME, Reader, Store, Transaction
from instar.wire.limits import (
    TELEMETRY_DENSE_S,
    TELEMETRY_KEEP_S,
    TELEMETRY_MIN_S,
    TELEMETRY_SPARSE_S,
    TELEMETRY_STALE_S,
)
from instar.wire.nodes import Telemetry, TelemetryHistory

_PENDING_MAX = 10_000
"""Reports that wait to be written down; older ones give way."""


class Reports:
    """The newest report of each node, and those that wait to be written down.

    Args:
        store: Where history is kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._newest: dict[str, tuple[Micros, Telemetry]] = {}
        self._sparse: dict[str, int] = {}
        self._pending: list[tuple[str, Micros, bool, Telemetry]] = []
        self.keep_s = TELEMETRY_KEEP_S

    async def load(self) -> None:
        """Take the newest report of each node."""
        for node_id, at, body in await self._store.read(_newest):
            self._newest[node_id] = (Micros(at), msgspec.json.decode(body, type=Telemetry))

    def take(self, node_id: str, telemetry: Telemetry, at: Micros) -> Telemetry | None:
        """Keep a report with the hub's time; return it, or None when it came too soon after the one before."""
        before = self._newest.get(node_id)
        if before is not None and 0 <= at - before[0] < TELEMETRY_MIN_S * MICROS_PER_S:
            return None
        telemetry = replace(telemetry, taken_at=to_rfc3339(at))
        self._newest[node_id] = (at, telemetry)
        span = int(at // (TELEMETRY_SPARSE_S * MICROS_PER_S))
        is_sparse = self._sparse.get(node_id) != span
        self._sparse[node_id] = span
        self._pending.append((node_id, at, is_sparse, telemetry))
        del self._pending[:-_PENDING_MAX]
        return telemetry

    def newest(self, node_id: str) -> Telemetry | None:
        """Return how a node was when it said so last."""
        found = self._newest.get(node_id)
        return found[1] if found else None

    def is_stale(self, node_id: str, at: Micros) -> bool:
        """Whether the newest report is too old, or there never was one."""
        found = self._newest.get(node_id)
        return found is None or at - found[0] > TELEMETRY_STALE_S * MICROS_PER_S

    def forget(self, node_id: str) -> None:
        """Forget a node."""
        self._newest.pop(node_id, None)
        self._sparse.pop(node_id, None)
        self._pending = [each for each in self._pending if each[0] != node_id]

    def keep_only(self, is_known: Callable[[str], bool]) -> None:
        """Forget nodes that are not known: a report of one may have come while it was removed."""
        for node_id in [each for each in self._newest if not is_known(each)]:
            self.forget(node_id)

    async def flush(self) -> int:
        """Write down what waits; return how many reports. To be called every few seconds.

        Raises:
            InstarError: They could not be written; they wait on.
        """
        pending = list(self._pending)

        async def work(tx: Transaction) -> None:
            for node_id, at, is_sparse, telemetry in pending:
                sql = "UPDATE nodes SET last_seen_at = ?3 WHERE org = ?1 AND id = ?2"
                if not await tx.execute(sql, HOME, node_id, at):
                    continue  # It was removed while its last report was on its way.
                await tx.execute(
                    "INSERT INTO telemetry (org, node, at, is_sparse, body) VALUES (?1, ?2, ?3, ?4, ?5)"
                    " ON CONFLICT (org, node, at) DO NOTHING",
                    HOME, node_id, at, int(is_sparse), msgspec.json.encode(telemetry).decode(),
                )  # fmt: skip

        if pending:
            await self._store.transact(work)
            written = {(node_id, at) for node_id, at, _, _ in pending}
            self._pending = [each for each in self._pending if each[:2] not in written]
        return len(pending)

    async def sweep(self, at: Micros) -> int:
        """Delete reports whose time is over; return how many. To be called every minute."""
        ended, dense = (Micros(at - int(each * MICROS_PER_S)) for each in (self.keep_s, TELEMETRY_DENSE_S))

        async def work(tx: Transaction) -> int:
            swept = await tx.execute("DELETE FROM telemetry WHERE org = ?1 AND at < ?2", HOME, ended)
            sql = "DELETE FROM telemetry WHERE org = ?1 AND at < ?2 AND is_sparse = 0"
            return swept + await tx.execute(sql, HOME, dense)

        return await self._store.transact(work)

    async def history(self, node_id: str, limit: int, before: Micros) -> TelemetryHistory:
        """Return a node's reports, newest first."""
        await self.flush()

        async def work(reader: Reader) -> Sequence[str]:
            rows = await reader.rows(
                "SELECT body FROM telemetry WHERE org = ?1 AND node = ?2 AND at < ?3 ORDER BY at DESC LIMIT ?4",
                HOME, node_id, before, limit + 1,
            )  # fmt: skip
            return [row[0] for row in rows]

        bodies = await self._store.read(work)
        reports = [msgspec.json.decode(body, type=Telemetry) for body in bodies[:limit]]
        return TelemetryHistory(reports, len(bodies) > limit)


async def _newest(reader: Reader) -> Sequence[tuple[str, int, str]]:
    rows = await reader.rows(
        "SELECT t.node, t.at, t.body FROM telemetry t JOIN"
        " (SELECT node, MAX(at) AS at FROM telemetry WHERE org = ?1 GROUP BY node) m"
        " ON m.node = t.node AND m.at = t.at WHERE t.org = ?1",
        HOME,
    )
    return [(row[0], row[1], row[2]) for row in rows]
