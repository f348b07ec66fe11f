"""A store that fails on purpose, for tests of everything that stands on the seam."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeVar

import msgspec

from instar.base.errors import InstarError

from .seam import AppendResult, BackupResult, Committed, Draft, Reader, Store, Transaction

T = TypeVar("T")

Kind = Literal["refused", "acknowledgement_lost", "late", "storage_full", "overloaded"]
KINDS: tuple[Kind, ...] = ("refused", "acknowledgement_lost", "late", "storage_full", "overloaded")


class Fault(msgspec.Struct, frozen=True):
    """What happens to one write.

    `refused`: `internal_error`, nothing is written. `acknowledgement_lost`: it is written, the caller gets
    `internal_error`. `late`: it is written after `delay_s`. `storage_full`, `overloaded`: nothing is written.
    """

    kind: Kind
    delay_s: float = 0.0


def seeded(seed: int, rate: float, kinds: Sequence[Kind] = KINDS, *, delay_s: float = 0.0) -> Iterator[Fault | None]:
    """Yield for ever, the same for the same seed: a fault of a random kind with probability `rate`, else None."""
    draw = random.Random(seed)  # noqa: S311 - a script, not a secret
    while True:
        yield Fault(draw.choice(kinds), delay_s) if draw.random() < rate else None


class FaultyStore:
    """A `Store` in front of another: each `append` and each `transact` takes the next fault of the script.

    Args:
        store: The store that does the work.
        faults: The script; None is a write without a fault, as is every one after its end.
    """

    def __init__(self, store: Store, faults: Iterable[Fault | None] = ()) -> None:
        self._store = store
        self._faults = iter(faults)
        self.injected = 0
        """How many faults have happened."""

    def on_commit(self, receive: Callable[[Committed], None]) -> None:
        """Set the pump."""
        self._store.on_commit(receive)

    async def append(self, drafts: Sequence[Draft]) -> list[AppendResult]:
        """Append, or fail as the script says."""
        return await self._write(lambda: self._store.append(drafts))

    async def transact(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work`, or fail as the script says."""
        return await self._write(lambda: self._store.transact(work))

    async def read(self, work: Callable[[Reader], Awaitable[T]]) -> T:
        """Read; never fails on purpose."""
        return await self._store.read(work)

    async def last_seq(self) -> int:
        """Return the greatest committed `seq`."""
        return await self._store.last_seq()

    async def backup(self, folder: str, name: str) -> BackupResult:
        """Write a backup."""
        return await self._store.backup(folder, name)

    async def check(self) -> Mapping[str, str]:
        """Verify that the store behind answers."""
        return await self._store.check()

    async def close(self) -> None:
        """Close the store behind."""
        await self._store.close()

    async def _write(self, write: Callable[[], Awaitable[T]]) -> T:
        fault = next(self._faults, None)
        if fault is None:
            return await write()
        self.injected += 1
        match fault.kind:
            case "refused":
                raise InstarError("internal_error", "injected: the write was refused")
            case "storage_full":
                raise InstarError("storage_full", "injected: the disk is full", retry_after_s=fault.delay_s)
            case "overloaded":
                raise InstarError("overloaded", "injected: the queue is full", retry_after_s=fault.delay_s)
            case "late":
                await asyncio.sleep(fault.delay_s)
                return await write()
            case "acknowledgement_lost":
                await write()
                raise InstarError("internal_error", "injected: the acknowledgement was lost")
