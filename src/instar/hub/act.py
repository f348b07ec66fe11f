"""What a handler is given: the caller, the object it was authorised for, and the only way to have an effect."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from instar.store.seam import AppendResult, Draft, Store, Transaction
from instar.wire.operation import Operation

from .identity.principals import Caller

P = TypeVar("P", bound=msgspec.Struct)
O = TypeVar("O")  # noqa: E741 - the object of the act
R = TypeVar("R", bound=msgspec.Struct)


class EffectRecorder(Protocol):
    """Writes the idempotency ledger and the audit event inside the effect's transaction (`hub.operations`)."""

    async def replay(self, tx: Transaction, act: "Act[Any, Any]") -> bytes | None:
        """Return the JSON of the first answer to this idempotency key, or None.

        Raises:
            InstarError: `id_reused` when the key was used for another request.
        """
        ...

    async def record(self, tx: Transaction, act: "Act[Any, Any]", result: bytes) -> None:
        """Remember the answer, and append the audit event if the operation is audited."""
        ...


@dataclass(slots=True)
class Act(Generic[P, O]):
    """One authorised operation under way."""

    caller: Caller
    operation: Operation[Any, Any]
    params: P
    object: O
    """What `locate` found and `may` allowed; None for acts on the hub."""
    store: Store
    recorder: EffectRecorder
    request_id: str = ""
    idempotency_key: str = ""
    body: Callable[[], AsyncIterator[bytes]] | None = None
    """The raw body of an operation with `Body.BYTES`."""
    audit_subject: str = ""
    """What the audit event names as the object; handlers may set it."""
    peer: str = ""
    """Address that it came from, where the door knows it: whom a wrong password is counted against."""
    is_recorded: bool = False
    """Whether the ledger and the audit have taken note of this act."""

    async def append(self, *drafts: Draft) -> list[AppendResult]:
        """Append events that carry their own idempotent ids (messages); no ledger, no audit."""
        return await self.store.append(drafts)

    async def transact(self, work: Callable[[Transaction], Awaitable[R]], result: type[R]) -> R:
        """Run `work` in one transaction with the ledger and the audit event, and return its answer.

        A repeat with the same idempotency key runs nothing and returns the first answer.
        """

        async def effect(tx: Transaction) -> R:
            if (first := await self.recorder.replay(tx, self)) is not None:
                return msgspec.json.decode(first, type=result)
            answer = await work(tx)
            await self.recorder.record(tx, self, msgspec.json.encode(answer))
            return answer

        answer = await self.store.transact(effect)
        self.is_recorded = True
        return answer

    async def record(self, answer: msgspec.Struct) -> None:
        """Take note of an act whose effect was not one transaction (a backup, say), unless that is done."""
        if self.is_recorded or not self.operation.audited:
            return
        self.is_recorded = True
        encoded = msgspec.json.encode(answer)
        await self.store.transact(lambda tx: self.recorder.record(tx, self, encoded))


Handler = Callable[[Act[Any, Any]], Awaitable[msgspec.Struct]]
Locate = Callable[[Caller, Any], Any]
"""(caller, params) → the object, or an awaitable of it. Raises `not_found` when there is none."""


def located_nowhere(caller: Caller, params: msgspec.Struct) -> None:  # noqa: ARG001 - the shape of Locate
    """Locate the hub itself."""
    return


@dataclass(frozen=True, slots=True)
class Binding:
    """An operation with its handler; each hub package exports its own, `hub.operations` joins them."""

    operation: Operation[Any, Any]
    handler: Handler
    locate: Locate = located_nowhere


def bind(
    operation: Operation[Any, Any],
    handler: Callable[[Any], Awaitable[msgspec.Struct]],
    locate: Locate = located_nowhere,
) -> Binding:
    """Return the binding of `operation`; `handler` takes one `Act`."""
    return Binding(operation, handler, locate)


Bindings = Sequence[Binding]
