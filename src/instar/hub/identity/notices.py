"""What the log is told of refused callers: `authenticate` cannot wait for the disk, so the next duty writes it."""

from collections.abc import Callable

import msgspec

from instar.base.clock import Micros
from instar.base.ids import new_id
from instar.store.seam import Draft, Store, Transaction
from instar.wire.events import AUDIT
from instar.wire.limits import AUTH_FAILURES_MAX, AUTH_LOCK_S, REFUSALS_WAITING_MAX


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of an audit event that no operation left."""

    subject: str
    detail: str
    operation: str = ""
    principal: str = ""
    grant: str = ""


async def record(tx: Transaction, notice: Notice, at: Micros) -> None:
    """Note in the audit log what the hub did by itself, in the transaction in which it did it."""
    await tx.append(Draft(AUDIT, new_id("evt"), "audit.recorded", msgspec.json.encode(notice), at))


class Notices:
    """Events that wait to be written, at most `REFUSALS_WAITING_MAX`: a flood of refusals must not fill the log.

    Args:
        store: Where they go.
        clock: Wall-clock time.
    """

    def __init__(self, store: Store, clock: Callable[[], Micros]) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[Draft] = []

    def add(self, draft: Draft) -> None:
        """Write this event with the next duty, unless too many wait."""
        if len(self._waiting) < REFUSALS_WAITING_MAX:
            self._waiting.append(draft)

    def locked(self, peer: str) -> None:
        """Say that an address is locked."""
        detail = f"{AUTH_FAILURES_MAX} wrong credentials; refused for {AUTH_LOCK_S:g} s"
        payload = msgspec.json.encode(Notice(subject=peer, detail=detail))
        self.add(Draft(AUDIT, new_id("evt"), "auth.locked", payload, self._clock()))

    async def flush(self) -> None:
        """Write what waits. To be called each second, and at the end."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            await self._store.append(waiting)
        except BaseException:
            self._waiting = waiting + self._waiting
            raise
