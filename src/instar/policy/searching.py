"""Searches: a call that names a folder reads files that it does not name, so the rules go with it.

Hub: which rules say what may be read there (`read_rules`). Executor: which of them the gate has not asked about
already (`unasked`); each file that is found is held against those (`policy.reading`).
"""

from collections.abc import Sequence
from itertools import chain

import msgspec

from instar.base.clock import Micros
from instar.base.errors import InstarError
from instar.wire.approvals import Action, Layer, Rule
from instar.wire.execution import Plan, ReadRule
from instar.wire.limits import READ_RULES_MAX, READ_RULES_MAX_CHARS

from .rules import Question, RuleLayers, applies, covers
from .values import values_of

SEARCHES = frozenset(("grep",))
"""Tools that show content of files which the call does not name."""
_READS = "read_file"


def read_rules(layers: RuleLayers, question: Question, at: Micros) -> list[ReadRule]:
    """Return the rules about reading files on this target, for this agent, in this room; none if all of them allow.

    Raises:
        InstarError: `unprocessable_entity` for more than a search can carry.
    """
    every = chain(
        ((Layer.AGENT, known.rule) for known in layers.agent),
        ((Layer.FILE, known.rule) for known in layers.file),
        ((Layer.REMEMBERED, known.rule) for known in layers.remembered),
    )
    found = [(layer, rule) for layer, rule in every if applies(rule, question, _READS, at)]
    if all(rule.action is Action.ALLOW for _, rule in found):
        return []
    if len(found) > READ_RULES_MAX or sum(len(rule.value) for _, rule in found) > READ_RULES_MAX_CHARS:
        raise InstarError(
            "unprocessable_entity",
            f"{len(found)} rules say what may be read here, and a search carries {READ_RULES_MAX} short ones",
            hint="Read files one by one, or let fewer rules say it: `instar approvals rules`.",
        )
    return [ReadRule(layer, rule.value, rule.action) for layer, rule in found]


def unasked(plan: Plan) -> Sequence[ReadRule]:
    """Return those of a plan's rules that each file is still to be held against.

    What asks about the folder itself (or about the names that were chosen in it) was asked about: the gate let the call
    through nevertheless, by a person or by a rule that says more.
    """
    if not plan.read_rules:
        return ()
    values = values_of(plan.tool, msgspec.json.decode(plan.args), plan).values
    return [
        each
        for each in plan.read_rules
        if each.action != Action.ASK
        or not any(covers(Rule(_READS, each.value, Action.ASK), value) for value in values)
    ]  # fmt: skip
