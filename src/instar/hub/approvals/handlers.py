"""Handlers of `approvals.*` that decide about calls."""

import time
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from instar.base.clock import MICROS_PER_S, Micros, to_rfc3339
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller
from instar.policy.rules import describe
from instar.store.seam import Store, Transaction
from instar.wire import approvals as wire
from instar.wire.approvals import Approval, ApprovalState, KnownRule, Layer, Rule
from instar.wire.limits import RULES_LAYER_MAX

from . import records
from .deciding import Deciding
from .records import ApprovalRecord
from .rulebook import Rulebook
from .waiting import Waiting

_Ref = wire.ApprovalRef | wire.Approve | wire.Deny


class Handlers:
    """What approvers may do.

    Args:
        store: Where approvals are kept.
        deciding: Judges, and checks decisions.
        waiting: What waits.
        rulebook: What is remembered.
        reaches: (caller, key of a room) → whether the caller's grant reaches calls of that room.
        clock: Wall-clock time.
    """

    def __init__(
        self,
        store: Store,
        deciding: Deciding,
        waiting: Waiting,
        rulebook: Rulebook,
        reaches: Callable[[Caller, str], bool],
        clock: Callable[[], Micros],
    ) -> None:
        self._store = store
        self._deciding = deciding
        self._waiting = waiting
        self._rulebook = rulebook
        self._reaches = reaches
        self._clock = clock

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return (
            bind(wire.LIST, self.page),
            bind(wire.GET, self.get, self.locate),
            bind(wire.APPROVE, self.approve, self.locate),
            bind(wire.DENY, self.deny, self.locate),
        )

    async def locate(self, caller: Caller, params: _Ref) -> ApprovalRecord:
        """Find an approval by its id, or by the id of its call.

        Raises:
            InstarError: `not_found`: there is none, or it is of a room that the caller's grant does not reach.
        """
        ref = params.approval_id
        record = self._waiting.get(ref) or await self._store.read(lambda reader: records.find(reader, ref))
        if record is None or not self._reaches(caller, record.room):
            raise missing("approval", ref)
        return record

    async def page(self, act: Act[wire.ApprovalQuery, None]) -> wire.ApprovalList:
        """List approvals, those that wait first; with none that waits, wait for one if asked to."""
        query = msgspec.structs.replace(act.params, state=None) if act.params.all else act.params
        deadline = time.monotonic() + query.wait
        while not (found := self._pending(act.caller, query)) and query.state is ApprovalState.PENDING:
            if (left := deadline - time.monotonic()) <= 0:
                break
            await self._waiting.change(left)
        if query.state is not ApprovalState.PENDING:
            wanted, limit = query.state, query.limit
            ended = await self._store.read(lambda reader: records.decided(reader, wanted, query.room, limit))
            found += [record.view() for record in ended if self._reaches(act.caller, record.room)]
        return wire.ApprovalList(found[: query.limit])

    async def get(self, act: Act[wire.ApprovalRef, ApprovalRecord]) -> Approval:
        """Show one approval."""
        return act.object.view()

    async def approve(self, act: Act[wire.Approve, ApprovalRecord]) -> Approval:
        """Let exactly what was shown run, once; with `always`, remember the rules that were shown with it.

        Raises:
            InstarError: `conflict`: it is decided, or was shown otherwise, or cannot become a rule; `expired`;
                `plan_changed`; `denied`: a rule denies it meanwhile.
        """
        params, at, actor = act.params, self._clock(), act.caller.principal.id
        act.audit_subject = act.object.call_id
        expires_at = ""
        if params.always:
            self._check_always(act.caller, act.object)
            if params.expires_in_s is not None:
                expires_at = to_rfc3339(Micros(at + round(params.expires_in_s * MICROS_PER_S)))

        async def work(tx: Transaction) -> Approval:
            stored = await self._stored(tx, act.object.id)
            self._deciding.check(stored, params.digest, at)
            self._deciding.check_allowed(stored)
            for rule in stored.rules if params.always else ():
                await records.add_rule(tx, _known(replace(rule, expires_at=expires_at), stored, at, actor), at)
            return await self._decide(tx, stored, ApprovalState.APPROVED, at, actor, "")

        answer = await act.transact(work, Approval)
        if params.always:
            await self._deciding.settle(act.object)
        return answer

    async def deny(self, act: Act[wire.Deny, ApprovalRecord]) -> Approval:
        """Do not let it run; the feedback is what the model reads.

        Raises:
            InstarError: `conflict`, `expired`, as `approve`.
        """
        params, at, actor = act.params, self._clock(), act.caller.principal.id
        act.audit_subject = act.object.call_id

        async def work(tx: Transaction) -> Approval:
            stored = await self._stored(tx, act.object.id)
            if params.digest or stored.state is not ApprovalState.PENDING:
                self._deciding.check(stored, params.digest or stored.digest, at)
            return await self._decide(tx, stored, ApprovalState.DENIED, at, actor, params.feedback)

        return await act.transact(work, Approval)

    def _pending(self, caller: Caller, query: wire.ApprovalQuery) -> list[Approval]:
        if query.state not in (ApprovalState.PENDING, None):
            return []
        found = [each for each in self._waiting.all() if not query.room or each.room == query.room]
        return [each.view() for each in found if self._reaches(caller, each.room)]

    def _check_always(self, caller: Caller, record: ApprovalRecord) -> None:
        if caller.grant.rooms is not None:
            raise InstarError("forbidden", "needs a grant that is not confined to rooms: rules hold everywhere")
        if not record.rules:
            raise InstarError(
                "conflict", "this cannot become a rule: it is dangerous, unclear, or not bound to what was shown",
                hint="Approve it once, without `always`.",
            )  # fmt: skip
        if self._rulebook.count() + len(record.rules) > RULES_LAYER_MAX:
            raise InstarError(
                "conflict", f"{RULES_LAYER_MAX:,} rules are remembered already",
                hint="Remove some with `instar approvals rules remove ID`.",
            )  # fmt: skip

    async def _stored(self, tx: Transaction, approval_id: str) -> ApprovalRecord:
        stored = await records.find(tx, approval_id)
        if stored is None:
            raise missing("approval", approval_id)
        return stored

    async def _decide(
        self, tx: Transaction, stored: ApprovalRecord, state: ApprovalState, at: Micros, actor: str, feedback: str
    ) -> Approval:
        decided = replace(stored, state=state, decided_at=to_rfc3339(at), decided_by=actor, feedback=feedback)
        if not await records.decide(tx, decided, at, actor):
            raise InstarError("conflict", f"the approval {stored.id} was decided meanwhile")
        return decided.view()


def _known(rule: Rule, of: ApprovalRecord, at: Micros, actor: str) -> KnownRule:
    """Return a rule as it is remembered."""
    text = describe(rule, of.target_name)
    return KnownRule(new_id("rul"), Layer.REMEMBERED, rule, text, created_at=to_rfc3339(at), created_by=actor)
