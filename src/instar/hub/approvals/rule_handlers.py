"""Handlers of `approvals.*` that change the rules, or ask them."""

import shlex
from collections.abc import Callable
from typing import Any

from instar.base.clock import Micros, from_rfc3339, to_rfc3339
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller
from instar.policy.routing import TargetFacts
from instar.policy.rules import Question, describe, judge
from instar.policy.values import NAMES_OF_COMMANDS, values_of
from instar.store.seam import Store, Transaction
from instar.wire import approvals as wire
from instar.wire.approvals import Action, KnownRule, Layer, Rule, RuleList, Verdict
from instar.wire.limits import RULES_LAYER_MAX
from instar.wire.operation import Nothing

from . import records
from .asking import suggested
from .rulebook import Rulebook


class RuleHandlers:
    """What approvers may do to rules.

    Args:
        store: Where rules are kept.
        rulebook: The rules as they hold.
        find_target: What is known of a machine by its id or name; None: nothing.
        clock: Wall-clock time.
    """

    def __init__(
        self,
        store: Store,
        rulebook: Rulebook,
        find_target: Callable[[str], TargetFacts | None],
        clock: Callable[[], Micros],
    ) -> None:
        self._store = store
        self._rulebook = rulebook
        self._find_target = find_target
        self._clock = clock

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return (
            bind(wire.RULES, self.rules),
            bind(wire.ADD_RULE, self.add),
            bind(wire.REMOVE_RULE, self.remove),
            bind(wire.SET_AGENT_RULES, self.set_agent),
            bind(wire.IMPORT, self.replace_file),
            bind(wire.JUDGE, self.judge),
        )

    async def rules(self, act: Act[Nothing, None]) -> RuleList:
        """List the rules in the order in which they are asked."""
        _check_reach(act.caller)
        return self._listed()

    async def add(self, act: Act[wire.AddRule, None]) -> KnownRule:
        """Remember a rule.

        Raises:
            InstarError: `unprocessable_entity`: its time cannot be read or is over; `conflict`: there are too many.
        """
        _check_reach(act.caller)
        rule, at, actor = act.params.rule, self._clock(), act.caller.principal.id
        _check_time(rule, at)
        if self._rulebook.count() >= RULES_LAYER_MAX:
            raise InstarError(
                "conflict", f"{RULES_LAYER_MAX:,} rules are remembered already",
                hint="Remove some with `instar approvals rules remove ID`.",
            )  # fmt: skip
        known = KnownRule(
            new_id("rul"), Layer.REMEMBERED, rule, describe(rule), created_at=to_rfc3339(at), created_by=actor
        )
        act.audit_subject = known.id
        return await act.transact(lambda tx: records.add_rule(tx, known, at), KnownRule)

    async def remove(self, act: Act[wire.RuleRef, None]) -> KnownRule:
        """Forget a remembered rule.

        Raises:
            InstarError: `not_found`.
        """
        _check_reach(act.caller)
        at, actor = self._clock(), act.caller.principal.id
        known = self._rulebook.remembered(act.params.rule_id)
        if known is None:
            raise missing("rule", act.params.rule_id)
        act.audit_subject = known.id

        async def work(tx: Transaction) -> KnownRule:
            if not await records.remove_rule(tx, known, at, actor):
                raise missing("rule", known.id)
            return known

        return await act.transact(work, KnownRule)

    async def set_agent(self, act: Act[wire.SetAgentRules, None]) -> RuleList:
        """Replace the veto of an agent.

        Raises:
            InstarError: `unprocessable_entity`: a time cannot be read or is over.
        """
        _check_reach(act.caller)
        agent_id, at, actor = act.params.agent_id, self._clock(), act.caller.principal.id
        act.audit_subject = agent_id
        for rule in act.params.rules:
            _check_time(rule, at)
        found = [
            KnownRule(new_id("rul"), Layer.AGENT, rule, describe(rule), place, agent_id, to_rfc3339(at), actor)
            for place, rule in enumerate(act.params.rules, 1)
        ]

        async def work(tx: Transaction) -> RuleList:
            await records.replace_agent(tx, agent_id, found, at, actor)
            return RuleList(found)

        await act.transact(work, RuleList)
        return self._listed()

    async def replace_file(self, act: Act[wire.ImportRules, None]) -> RuleList:
        """Replace the static file, or only say what it would hold.

        Raises:
            InstarError: `unprocessable_entity`: it names the line or key; `internal_error`: it cannot be written.
        """
        _check_reach(act.caller)
        file, at, actor = self._rulebook.file, self._clock(), act.caller.principal.id
        if act.params.check_only:
            return RuleList(file.parsed(act.params.text), str(file.path))
        try:
            found = file.write(act.params.text)
        except OSError as error:
            raise InstarError(
                "internal_error", f"{file.path} cannot be written: {error.strerror}",
                hint="Check the disk and the rights of the data directory.",
            ) from error  # fmt: skip

        async def work(tx: Transaction) -> RuleList:
            await records.replaced_file(tx, found, at, actor)
            return RuleList(found, str(file.path))

        return await act.transact(work, RuleList)

    async def judge(self, act: Act[wire.JudgeQuery, None]) -> Verdict:
        """Say what the rules would answer."""
        query = act.params
        values = values_of(query.tool, _args(query))
        target = self._find_target(query.target) if query.target else None
        labels = [f"{name}={value}" for name, value in (target.labels if target else {}).items()]
        target_id, name = (target.id, target.name) if target else (query.target, query.target)
        question = Question(query.tool, values.values, target_id, name, labels, query.agent_id, query.room)
        verdict = judge(self._rulebook.layers(query.agent_id), question, self._clock())
        if verdict.action is not Action.ASK:
            return verdict
        rules = suggested(query.tool, values, target_id, query.agent_id)
        texts = [describe(rule) for rule in rules]
        return Verdict(verdict.action, verdict.judged, rules, texts, verdict.is_dangerous)

    def _listed(self) -> RuleList:
        found = self._rulebook.all()
        return RuleList(found, str(self._rulebook.file.path), self._rulebook.file.fault)


def _args(query: wire.JudgeQuery) -> dict[str, Any]:
    """Return the arguments that a question stands for."""
    if query.tool not in NAMES_OF_COMMANDS:
        return {"path": query.path or ".", "pattern": query.path, "url": query.path, "patch": query.command}
    if query.tool == "shell":
        return {"command": query.command}
    try:
        return {"argv": shlex.split(query.command)}
    except ValueError as error:
        raise InstarError(
            "unprocessable_entity", f"the command cannot be split into words: {error}",
            hint="Close its quotes, or judge it as tool `shell`.",
        ) from error  # fmt: skip


def _check_time(rule: Rule, at: Micros) -> None:
    if not rule.expires_at:
        return
    try:
        is_over = from_rfc3339(rule.expires_at) <= at
    except ValueError as error:
        raise InstarError("unprocessable_entity", f"{rule.expires_at!r} is no time", hint="Use RFC 3339.") from error
    if is_over:
        raise InstarError("unprocessable_entity", f"{rule.expires_at} has passed", hint="Give a later time.")


def _check_reach(caller: Caller) -> None:
    if caller.grant.rooms is not None:
        raise InstarError("forbidden", "needs a grant that is not confined to rooms: rules hold everywhere")
