"""One agent's inbox in memory, without IO: what waits, what is leased, and how far everything is settled.

Below `low_water` everything is settled but the items listed here; between it and `scanned_seq` every message that
wakes the agent is listed here or settled; beyond `scanned_seq` nothing is known yet. Plans are made from it, written
to the tables, and only then applied.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from instar.base.clock import MICROS_PER_S, Micros
from instar.base.errors import InstarError
from instar.wire.delivery import ItemState
from instar.wire.limits import INBOX_RETRY_BASE_S, INBOX_RETRY_MAX_S

_NEVER = Micros(0)
LEASE_EXPIRED = "the lease ended without an answer"


@dataclass(frozen=True, slots=True)
class Item:
    """One message that wakes the agent."""

    seq: int
    state: ItemState = ItemState.PENDING
    attempts: int = 0
    """How often it was leased, or given back without a lease."""
    lease: str = ""
    until: Micros = _NEVER
    """End of the lease; or when a failed item is offered again."""
    error: str = ""

    def is_free(self, at: Micros) -> bool:
        """Whether it can be offered now."""
        return self.state is ItemState.PENDING or self.until <= at

    def has_expired(self, at: Micros) -> bool:
        """Whether a lease on it ended without an answer."""
        return self.state is ItemState.LEASED and self.until <= at


@dataclass(slots=True)
class Desk:
    """The inbox of one agent."""

    low_water: int
    scanned_seq: int
    items: dict[int, Item] = field(default_factory=dict[int, Item])
    """Unsettled ones: pending, leased or failed."""
    settled: set[int] = field(default_factory=set[int])
    """Acknowledged or dead ones above the low water."""

    def scanned(self, seqs: Iterable[int], through_seq: int) -> None:
        """Take what a scan of the log found up to `through_seq`."""
        for seq in seqs:
            if seq > self.low_water and seq not in self.settled:
                self.items.setdefault(seq, Item(seq))
        self.scanned_seq = max(self.scanned_seq, through_seq)

    def free(self, at: Micros) -> list[Item]:
        """Return what can be offered now, in order."""
        return [self.items[seq] for seq in sorted(self.items) if self.items[seq].is_free(at)]

    def next_free_at(self) -> Micros | None:
        """Return when the next leased or failed item becomes free, or None."""
        return min((item.until for item in self.items.values() if item.state is not ItemState.PENDING), default=None)

    def low_water_after(self, gone: Collection[int]) -> int:
        """Return the low water once these items are settled: the place before the first one that is not."""
        left = [seq for seq in self.items if seq > self.low_water and seq not in gone]
        return max(self.low_water, min(left) - 1 if left else self.scanned_seq)

    def settle(self, gone: Collection[int]) -> None:
        """Apply that these items are settled."""
        low_water = self.low_water_after(gone)
        for seq in gone:
            self.items.pop(seq, None)
        self.settled.update(gone)
        self._rise(low_water)

    def settle_through(self, seq: int) -> None:
        """Apply that everything up to `seq` is settled, known or not."""
        self.items = {each: item for each, item in self.items.items() if each > seq}
        self.scanned_seq = max(self.scanned_seq, seq)
        self._rise(max(self.low_water, seq, self.low_water_after(())))

    def _rise(self, low_water: int) -> None:
        self.low_water = low_water
        self.settled = {each for each in self.settled if each > low_water}

    def put(self, items: Iterable[Item]) -> None:
        """Apply changed items; one that was settled meanwhile stays settled."""
        for item in items:
            if item.seq in self.items:
                self.items[item.seq] = item

    def revive(self, items: Iterable[Item]) -> None:
        """Apply that dead items wait again."""
        for item in items:
            self.settled.discard(item.seq)
            self.items[item.seq] = item


@dataclass(frozen=True, slots=True)
class Offer:
    """What a read leases, and what it finds dead: items whose leases ended unanswered too often."""

    leased: Sequence[Item]
    dead: Sequence[Item]


def offer(desk: Desk, limit: int, at: Micros, *, lease: str, until: Micros, attempts_max: int) -> Offer:
    """Plan to lease the next free items."""
    leased: list[Item] = []
    dead: list[Item] = []
    for item in desk.free(at):
        if item.has_expired(at) and item.attempts >= attempts_max:
            dead.append(replace(item, state=ItemState.DEAD, lease="", until=at, error=item.error or LEASE_EXPIRED))
        elif len(leased) < limit:
            leased.append(replace(item, state=ItemState.LEASED, attempts=item.attempts + 1, lease=lease, until=until))
    return Offer(leased, dead)


def check_lease(desk: Desk, seqs: Iterable[int], lease: str, at: Micros) -> None:
    """Check that a lease still holds for those of the items that are not settled yet.

    Raises:
        InstarError: `lease_lost`.
    """
    for seq in seqs:
        item = desk.items.get(seq)
        if item is not None and (item.lease != lease or item.state is not ItemState.LEASED or item.until <= at):
            raise InstarError("lease_lost", f"lease {lease!r} no longer holds item {seq}")


def give_back(
    desk: Desk, seqs: Iterable[int], reason: str, at: Micros, *, attempts_max: int, final: bool
) -> list[Item]:
    """Plan what becomes of items that could not be handled: offered again after a pause, or dead."""
    given: list[Item] = []
    for seq in sorted(set(seqs)):
        item = desk.items.get(seq)
        if item is None:
            continue
        attempts = item.attempts if item.state is ItemState.LEASED else item.attempts + 1
        if final or attempts >= attempts_max:
            given.append(Item(seq, ItemState.DEAD, attempts, "", at, reason))
        else:
            given.append(Item(seq, ItemState.FAILED, attempts, "", retry_at(attempts, at), reason))
    return given


def retry_at(attempts: int, at: Micros) -> Micros:
    """Return when an item is offered again after so many attempts: the pause doubles each time."""
    pause_s = min(INBOX_RETRY_MAX_S, INBOX_RETRY_BASE_S * 2 ** max(0, attempts - 1))
    return Micros(at + int(pause_s * MICROS_PER_S))
