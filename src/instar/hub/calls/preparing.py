"""A call until it is dispatched: routed, permitted, prepared, judged, and approved where that is asked for."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from instar.base.clock import MICROS_PER_S
from instar.base.errors import InstarError
from instar.hub.approvals.asking import ApprovalDraft
from instar.hub.execution import Executor
from instar.policy.digest import plan_digest
from instar.policy.environment import filtered
from instar.policy.routing import TargetFacts
from instar.policy.values import is_plan_of
from instar.wire.approvals import Action, Approval, ApprovalState, Judged, Layer, Verdict
from instar.wire.calls import CallState
from instar.wire.execution import Plan, Preparation, Prepared, Sandbox, Start
from instar.wire.limits import CALL_QUEUE_S
from instar.wire.tools import TOOLS

from . import records
from .live import AWAY, Ending, Live, OverError, Sink, call_error
from .machine import Move
from .stage import Stage

_SETS: dict[str, str] = {
    Layer.AGENT: "the agent's veto",
    Layer.FILE: "permissions.jsonc",
    Layer.REMEMBERED: "a remembered rule",
}
_RANKS = {Sandbox.NONE: 0, Sandbox.NETWORK: 1, Sandbox.STRICT: 2}


class Placed(NamedTuple):
    """What is asked of which target."""

    target: TargetFacts
    preparation: Preparation
    is_lax: bool
    """An agent asks for less of a sandbox than it would have by default."""


class Preparing:
    """Brings calls to their executor."""

    def __init__(self, stage: Stage, stream: Callable[[Live], None]) -> None:
        self._stage = stage
        self._stream = stream

    async def send(self, live: Live) -> None:
        """Bring one call as far as its executor, told to start it: on disk before that.

        Raises:
            OverError: It was denied, or ended otherwise before anything ran.
            InstarError: Why it cannot run.
        """
        placed = self._place(live)
        if live.state is CallState.AWAITING_APPROVAL and live.record.prepared is not None:
            # Of an earlier process: just this was shown. Its machine need not be back before somebody decides.
            executor, prepared = None, live.record.prepared
        else:
            executor, prepared = await self._prepare(live, placed)
        draft = _draft(live, placed, prepared)
        verdict = self._stage.gate.judge(draft)
        if verdict.action is Action.DENY:
            raise OverError(Ending(Move.FAIL, call_error("denied", _why(verdict))))
        by = _allowed_by(verdict)
        if verdict.action is Action.ASK or placed.is_lax or executor is None:
            self._give_turn(live)
            by = await self._approved(live, draft)
            placed = self._place(live)
            executor = await self._reach(live, live.record.course.target_id)
            await self._take_turn(live, executor)
        await self._dispatch(live, executor, prepared, placed.preparation, by)

    # Where to, and what

    def _place(self, live: Live) -> Placed:
        """Settle where a call goes and what is asked there; asked again after each long wait.

        Raises:
            InstarError: `no_target`, `node_away` …: what routing says; `denied`: its right has ended;
                `command_refused`; `unprocessable_entity`: a variable that is not forwarded; `sandbox_unavailable`.
        """
        stage, record = self._stage, live.record
        request = record.request
        if stage.standing(request.grant_id) is None:
            raise InstarError("denied", "the credential that asked for it was revoked or has expired")
        target = self._target(live)
        if missing := stage.targets.permits(target.id, request.tool, request.agent_id):
            raise InstarError("command_refused", missing)
        allowed = stage.targets.env_allowed(target.id)
        env, refused = filtered(request.env, allowed)
        if refused:
            raise InstarError(
                "unprocessable_entity", f"these variables are not forwarded to {target.name}: {', '.join(refused)}",
                hint="An operator lists names in the node's permit; secrets and loader variables are never forwarded.",
            )  # fmt: skip
        usual = self._usual_sandbox(live, target)
        sandbox = request.sandbox or usual
        if sandbox is not Sandbox.NONE and sandbox not in stage.targets.sandboxes(target.id):
            raise InstarError("sandbox_unavailable", f"{target.name} has no sandbox `{sandbox}`")
        preparation = Preparation(
            record.id, request.tool, request.args, request.cwd, env, list(allowed), request.terminal,
            request.has_input, request.timeout_s, sandbox, request.is_background,
            stage.gate.read_rules(request.tool, target, request.agent_id, record.room),
        )  # fmt: skip
        return Placed(target, preparation, _RANKS[sandbox] < _RANKS[usual])

    def _target(self, live: Live) -> TargetFacts:
        course, request = live.record.course, live.record.request
        if course.target_id:
            if (known := self._stage.targets.find(course.target_id)) is None:
                raise InstarError("no_target", f"{course.target_name} is no machine of this hub any more")
            return known
        routed = self._stage.routes.route(request.target, live.record.room, request.agent_id)
        if routed.target is None or (routed.error and not (live.outlasts_absence and routed.error.code == "node_away")):
            error = routed.error or call_error("no_target", "no machine is chosen for this call")
            raise OverError(Ending(Move.FAIL, error))
        changed = replace(course, target_id=routed.target.id, target_name=routed.target.name, routed_by=routed.by)
        live.become(replace(live.record, course=changed))
        return routed.target

    def _usual_sandbox(self, live: Live, target: TargetFacts) -> Sandbox:
        request = live.record.request
        tool = TOOLS.get(request.tool)
        is_kept = bool(request.agent_id) and tool is not None and tool.runs_programs
        has_strict = is_kept and Sandbox.STRICT in self._stage.targets.sandboxes(target.id)
        return Sandbox.STRICT if has_strict else Sandbox.NONE

    async def _reach(self, live: Live, target_id: str, seen: int = -1) -> Executor:
        """Return the executor of a target; a call that outlasts its absence waits for it.

        Args:
            live: The call.
            target_id: Whom to reach.
            seen: How often the target had come back when it was last tried in vain; -1: it was not tried.

        Raises:
            InstarError: `node_away`.
            OverError: It is wished to end.
        """
        targets = self._stage.targets
        targets.await_return(target_id, live.news.set)
        try:
            while True:
                executor = targets.executor(target_id)
                if executor is not None and targets.returns(target_id) > seen:
                    return executor
                name = live.record.course.target_name
                if not live.outlasts_absence:
                    raise InstarError("node_away", f"{name} is not connected")
                if live.record.request.is_queued:
                    live.wait_at_most(CALL_QUEUE_S)
                live.become(live.record, f"waits for {name} to connect")
                await live.heard()
        finally:
            targets.forget(target_id, live.news.set)

    async def _take_turn(self, live: Live, executor: Executor) -> None:
        target_id, turns = executor.target_id, self._stage.turns
        if turns.held(target_id) >= executor.calls_max:
            live.wait_at_most(CALL_QUEUE_S)
            live.become(live.record, f"waits for its turn on {live.record.course.target_name}")
        await live.interruptibly(turns.take(target_id, executor.calls_max, live.record.requester))
        live.turn = target_id

    def _give_turn(self, live: Live) -> None:
        if live.turn:
            self._stage.turns.give(live.turn)
            live.turn = ""

    async def _prepare(self, live: Live, placed: Placed) -> tuple[Executor, Prepared]:
        """Return what would run, as its executor resolved it; of a tool without operands the hub knows it itself.

        Raises:
            InstarError: What the executor refuses; `plan_changed`: its digest is not that of its plan.
        """
        target_id, seen = placed.target.id, -1
        while True:
            executor = await self._reach(live, target_id, seen)
            await self._take_turn(live, executor)
            tool = TOOLS.get(placed.preparation.tool)
            if tool is not None and not tool.is_bound:
                plan = _own_plan(target_id, placed.preparation)
                return executor, Prepared(plan, plan_digest(plan))
            try:
                seen = self._stage.targets.returns(target_id)
                prepared = await live.interruptibly(executor.prepare(placed.preparation))
                _check_plan(target_id, placed.preparation, prepared)
            except InstarError as error:
                self._give_turn(live)
                if error.code != "node_away" or not live.outlasts_absence:
                    raise
            else:
                return executor, prepared

    # Whether

    async def _approved(self, live: Live, draft: ApprovalDraft) -> str:
        """Ask for an approval and wait for it; return who gave it.

        Raises:
            OverError: It was denied, has expired, or is no longer wanted.
        """
        waiting = live.record
        if waiting.state is not CallState.AWAITING_APPROVAL:
            # On disk before anybody is asked: what was once left to a person is never decided by a rule again.
            waiting = replace(waiting.after(Move.ASK), prepared=draft.prepared)
            await self._stage.store.transact(lambda tx: records.put(tx, waiting))
        approval = await self._stage.gate.request(draft)
        # Said only now: who sees that it waits finds what it waits for.
        waiting = replace(waiting, course=replace(waiting.course, approval_id=approval.id))
        live.become(waiting, "waits for an approval")
        while (approval := live.approval or approval).state is ApprovalState.PENDING:
            await live.heard()
        live.check_wish()
        if approval.state is not ApprovalState.APPROVED:
            raise OverError(_refused(approval))
        return approval.decided_by

    # Off it goes

    async def _dispatch(
        self, live: Live, executor: Executor, prepared: Prepared, preparation: Preparation, by: str
    ) -> None:
        """Write down that the executor is about to be told, then tell it.

        Raises:
            OverError: It is wished to end; nothing was sent.
            InstarError: The executor refused; nothing ran.
        """
        live.check_wish()
        stage, timeout_s, at = self._stage, live.record.request.timeout_s, self._stage.clock()
        deadline_at = at + int(timeout_s * MICROS_PER_S) if timeout_s else 0
        record = live.record.after(Move.DISPATCH, approved_by=by, dispatched_at=at, deadline_at=deadline_at)
        record = replace(record, prepared=prepared)
        if not await asyncio.shield(stage.store.transact(partial(records.dispatch, call=record))):
            raise OverError(Ending(Move.FAIL, call_error("conflict", "it has ended before")))
        live.timers.stop()
        live.become(record)
        live.check_wish()
        live.expect_end(timeout_s)
        live.executor, live.sink = executor, Sink(live, partial(self._stream, live))
        await self.start(live, executor, Start(preparation, prepared.digest, timeout_s))

    async def start(self, live: Live, executor: Executor, start: Start) -> None:
        """Tell the executor to run it; one that cannot be reached may have heard.

        Raises:
            InstarError: It refused; nothing ran.
        """
        live.start = start
        if live.sink is None:
            raise AssertionError("a call is started with a sink")
        try:
            await executor.start(start, live.sink)
            await live.input.connect(executor)
        except InstarError as error:
            if error.code not in AWAY:
                raise
            if live.outcome is None:
                live.severed = live.severed or error.message


def _draft(live: Live, placed: Placed, prepared: Prepared) -> ApprovalDraft:
    record, target = live.record, placed.target
    return ApprovalDraft(
        record.id, record.requester, target.id, target.name, prepared, record.request.requester_name, target.labels,
        record.request.agent_id, record.room, record.request.reason, placed.is_lax,
    )  # fmt: skip


def _own_plan(target_id: str, asked: Preparation) -> Plan:
    return Plan(
        target_id, asked.tool, asked.args, asked.cwd, env=asked.env, sandbox=asked.sandbox,
        has_terminal=asked.terminal is not None, timeout_s=asked.timeout_s, is_background=asked.is_background,
    )  # fmt: skip


def _check_plan(target_id: str, asked: Preparation, prepared: Prepared) -> None:
    """Refuse a plan that is not of what was asked, or that its digest does not fit. A machine may keep it in stricter.

    Raises:
        InstarError: `plan_changed`.
    """
    plan = prepared.plan
    is_of_it = (
        plan.target_id == target_id
        and plan.tool == asked.tool
        and _RANKS[plan.sandbox] >= _RANKS[asked.sandbox]
        and plan.env.items() <= asked.env.items()
        and plan.is_background == asked.is_background
        and plan.has_terminal == (asked.terminal is not None)
        and plan.read_rules == asked.read_rules
        and is_plan_of(plan, asked.tool, msgspec.json.decode(asked.args))
    )
    if not is_of_it or plan_digest(plan) != prepared.digest:
        raise InstarError("plan_changed", f"{target_id} answered with a plan of something else")


def _why(verdict: Verdict) -> str:
    denied = [each for each in verdict.judged if each.action is Action.DENY]
    return "; ".join(f"`{each.value}` is denied{_by(each)}" for each in denied) or "the rules deny it"


def _by(judged: Judged) -> str:
    return f" by {_SETS.get(judged.layer, 'a rule')} ({judged.rule_id})" if judged.rule_id else ""


def _allowed_by(verdict: Verdict) -> str:
    for each in verdict.judged:
        if each.layer == "file" or not each.rule_id:
            continue
        return f"rule:{each.rule_id}"
    return "file" if any(each.layer == "file" for each in verdict.judged) else "default"


def _refused(approval: Approval) -> Ending:
    if approval.state is ApprovalState.EXPIRED:
        return Ending(Move.EXPIRE, call_error("expired", "nobody decided about it in time"))
    if approval.state is ApprovalState.CANCELLED:
        return Ending(Move.CANCEL, call_error("cancelled", "its approval was withdrawn"))
    said = approval.feedback or "no reason was given"
    return Ending(Move.FAIL, call_error("denied", f"{approval.decided_by or 'an approver'} denied it: {said}"))
