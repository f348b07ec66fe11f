"""What the rules say, what waits, and how it comes to wait no more: by rule, by time, because the call has ended."""

from collections.abc import Callable

from msgspec.structs import replace

from instar.base.clock import Micros, from_rfc3339, to_rfc3339
from instar.base.errors import InstarError
from instar.policy.digest import plan_digest
from instar.policy.routing import TargetFacts
from instar.policy.rules import Question
from instar.policy.searching import SEARCHES, read_rules
from instar.store.seam import Store, Transaction
from instar.wire.approvals import Action, Approval, ApprovalState, Judged, Verdict
from instar.wire.execution import ReadRule
from instar.wire.limits import APPROVALS_MAX, APPROVALS_OF_ONE_MAX

from . import records
from .asking import ApprovalDraft, drafted, judged, made
from .records import ApprovalRecord, shown_digest
from .rulebook import Rulebook
from .waiting import Waiting


class Deciding:
    """Judges calls and moves approvals, always in one transaction with the event that says so."""

    def __init__(
        self, store: Store, rulebook: Rulebook, waiting: Waiting, expires_s: float, clock: Callable[[], Micros]
    ) -> None:
        self._store = store
        self._rulebook = rulebook
        self._waiting = waiting
        self._clock = clock
        self.expires_s = expires_s
        """How long one waits; those that wait keep their time."""

    def judge(self, draft: ApprovalDraft) -> Verdict:
        """Return what the rules say of a call."""
        return judged(self._rulebook.layers(draft.agent_id), draft, self._clock())

    def read_rules(self, tool: str, target: TargetFacts, agent_id: str, room: str) -> list[ReadRule]:
        """Return the rules that go with a search; see `policy.searching`."""
        if tool not in SEARCHES:
            return []
        labels = [f"{name}={value}" for name, value in sorted(target.labels.items())]
        question = Question(tool, (), target.id, target.name, labels, agent_id, room)
        return read_rules(self._rulebook.layers(agent_id), question, self._clock())

    async def request(self, draft: ApprovalDraft) -> Approval:
        """Ask for an approval, once for each call: a repeat returns it as it stands.

        Raises:
            InstarError: `plan_changed`: the digest is not the plan's, or the call's approval is of another plan;
                `overloaded`: too many wait.
        """
        if plan_digest(draft.prepared.plan) != draft.prepared.digest:
            raise InstarError("plan_changed", "the digest that came with the plan is not the plan's")
        at = self._clock()
        # Judged again, though the gate has asked before: a transaction lies between, or a restart, and what a person is
        # shown, and the rules that `always` would make, come from the rules as they are now and from no caller's word.
        # Only calls that are asked about pay for it; `check_allowed` judges once more when somebody approves.
        record = made(draft, self.judge(draft), at, self.expires_s)

        async def work(tx: Transaction) -> ApprovalRecord:
            known = await records.find(tx, draft.call_id)
            if known is not None:
                if known.plan_digest != record.plan_digest or known.target_id != record.target_id:
                    raise InstarError("plan_changed", f"the approval {known.id} of this call is for another plan")
                return known
            waiting = await records.count_pending(tx)
            own = await records.count_pending(tx, draft.requester)
            if waiting >= APPROVALS_MAX or own >= APPROVALS_OF_ONE_MAX:
                whose = f"{own:,} calls of {draft.requester}" if waiting < APPROVALS_MAX else f"{waiting:,} calls"
                raise InstarError(
                    "overloaded", f"{whose} wait for an approval already",
                    hint="Decide some with `instar approvals list`.", retry_after_s=60.0,
                )  # fmt: skip
            await records.put(tx, record, at)
            return record

        return (await self._store.transact(work)).view()

    async def cancel(self, call_id: str, reason: str) -> None:
        """Withdraw the approval of a call that has ended. One that does not wait is no error."""
        # Found where it is stored: what was asked for a moment ago may not be known to wait yet.
        await self._end(call_id, ApprovalState.CANCELLED, "", reason)

    async def expire(self) -> None:
        """End those that waited too long, and forget rules whose time is over."""
        at = self._clock()
        for known in self._waiting.all():
            if from_rfc3339(known.expires_at) <= at:
                await self._end(known.id, ApprovalState.EXPIRED, "", "nobody decided in time")
        for rule in self._rulebook.expired():
            await self._store.transact(lambda tx, rule=rule: records.remove_rule(tx, rule, at, ""))

    async def settle(self, by: ApprovalRecord) -> None:
        """Judge again what waits of the same requester or room, and approve what the rules allow now."""
        for known in self._waiting.all():
            if known.requester == by.requester or (known.room and known.room == by.room):
                verdict = self.judge(drafted(known))
                if verdict.action is Action.ALLOW and known.is_dangerous is False and _is_whole(known):
                    await self._end(known.id, ApprovalState.APPROVED, _allowing(verdict.judged), "")

    def check(self, record: ApprovalRecord, digest: str, at: Micros) -> None:
        """Refuse a decision on what waits no more, was not shown so, or may not run whoever says so.

        Raises:
            InstarError: `conflict`: it is decided, or the digest is another one; `expired`; `plan_changed`: what is
                stored is not what was shown; `denied`: a rule denies it meanwhile.
        """
        if record.state is not ApprovalState.PENDING:
            raise InstarError(
                "conflict", f"the approval {record.id} is {record.state} already",
                hint="Ask for the call again if it is still wanted.",
            )  # fmt: skip
        if not _is_whole(record):
            raise InstarError("plan_changed", f"what is stored of the approval {record.id} is not what was shown")
        if from_rfc3339(record.expires_at) <= at:
            raise InstarError("expired", f"the approval {record.id} has expired")
        if digest != record.digest:
            raise InstarError(
                "conflict", f"the decision is about something else than the approval {record.id} shows",
                hint="Read it again with `instar approvals show`, then decide.",
            )  # fmt: skip

    def check_allowed(self, record: ApprovalRecord) -> None:
        """Refuse to approve what a rule denies by now.

        Raises:
            InstarError: `denied`.
        """
        if self.judge(drafted(record)).action is Action.DENY:
            raise InstarError(
                "denied", "a rule denies it meanwhile", hint="`instar approvals rules list` shows the rules."
            )

    async def _end(self, approval_id: str, state: ApprovalState, by: str, feedback: str) -> None:
        at = self._clock()

        async def work(tx: Transaction) -> None:
            stored = await records.find(tx, approval_id)
            if stored is not None and stored.state is ApprovalState.PENDING:
                ended = replace(stored, state=state, decided_at=to_rfc3339(at), decided_by=by, feedback=feedback)
                await records.decide(tx, ended, at, by if not by.startswith("rule:") else "")

        await self._store.transact(work)


def _is_whole(record: ApprovalRecord) -> bool:
    """Whether an approval is exactly what was shown: its digests are those of what it holds."""
    return shown_digest(record) == record.digest and plan_digest(record.plan) == record.plan_digest


def _allowing(values: list[Judged]) -> str:
    """Return by what a call is allowed, as `approved_by` and `decided_by` say it."""
    found = next((value for value in values if value.rule_id), None)
    if found is None:
        return "rule:"
    return "file" if found.rule_id.startswith("file:") else f"rule:{found.rule_id}"
