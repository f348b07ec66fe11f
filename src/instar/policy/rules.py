"""The rules of approvals: what they say of a question, as a sentence, and how a file of them is read.

Order: the agent's veto, the static file, the remembered rules. Within a layer the last rule that matches wins; a deny
of the veto or of the file is final; else the last layer that says something wins. Nothing matches: ask. Of several
values the most restrictive answer counts; neither the dangerous floor nor what is unclear is lifted below ask. What a
rule denies or asks about a file for one tool holds for those that would do the same to it (`ToolValue.vetoes`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from instar.base.clock import Micros, from_rfc3339, now
from instar.wire.approvals import Action, Judged, KnownRule, Layer, Rule, Verdict

from .globs import matches
from .rules_file import DEFAULT_FILE, load_file
from .values import NAMES_OF_COMMANDS, ToolValue

__all__ = [
    "DEFAULT_FILE", "NOBODY", "Question", "RuleLayers", "applies", "covers", "describe", "has_expired", "judge",
    "load_file",
]  # fmt: skip

NOBODY = "-"
"""What stands for the agent of a call that no agent asked for: a rule that says so is for people alone."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SEVERITY = {Action.ALLOW: 0, Action.ASK: 1, Action.DENY: 2}
_FINAL = (Layer.AGENT, Layer.FILE)
_RANKS: Mapping[str, int] = {Layer.AGENT: 0, Layer.FILE: 1, Layer.REMEMBERED: 2}


class RuleLayers(NamedTuple):
    """The rules that there are, each layer in its order."""

    agent: Sequence[KnownRule] = ()
    file: Sequence[KnownRule] = ()
    remembered: Sequence[KnownRule] = ()
    fault: str = ""
    """Why the file cannot be read: nothing is allowed then."""


class Question(NamedTuple):
    """What the rules are asked."""

    tool: str
    values: Sequence[ToolValue]
    target_id: str = ""
    target_name: str = ""
    labels: Sequence[str] = ()
    """Of the target, as `KEY=VALUE`."""
    agent_id: str = ""
    room: str = ""


class _Answer(NamedTuple):
    action: Action
    rule_id: str = ""
    layer: str = ""
    tool: str = ""
    """The glob of tools of the rule."""


def judge(layers: RuleLayers, question: Question, at: Micros | None = None) -> Verdict:
    """Say what the rules answer. It answers every question and raises nothing.

    Adding a deny, or an ask to the end of the last layer, never makes anything more allowed.
    """
    moment = now() if at is None else at
    values = question.values or (ToolValue("*"),)
    judged = [_of_value(layers, question, value, moment) for value in values]
    action = max((each.action for each in judged), key=_SEVERITY.__getitem__)
    return Verdict(action, judged, is_dangerous=any(each.floor for each in judged))


def _of_value(layers: RuleLayers, question: Question, value: ToolValue, at: Micros) -> Judged:
    answer = _answer(layers, question, value, question.tool, at)
    others = [_answer(layers, question, value, tool, at) for tool in value.vetoes]
    answer = next((each for each in others if each.action is Action.DENY), answer)
    answer = next((each for each in others if _asks_too(each, answer, question.tool)), answer)
    action = answer.action
    if action is Action.ALLOW and (value.floor or value.unclear or layers.fault):
        action = Action.ASK
    unclear = value.unclear or (layers.fault if answer.action is Action.ALLOW else "")
    return Judged(value.text, action, answer.rule_id, answer.layer, value.floor, unclear)


def _asks_too(other: _Answer, answer: _Answer, tool: str) -> bool:
    """Whether what a rule says of another tool asks about this one as well, which may be used.

    Not where the same rule speaks of this tool too (a later one was stronger), nor where a later layer allows this one.
    """
    return (
        answer.action is Action.ALLOW
        and other.action is Action.ASK
        and bool(other.rule_id)
        and not _names_tool(other.tool, tool)
        and _RANKS[other.layer] >= _RANKS[answer.layer]
    )


def _answer(layers: RuleLayers, question: Question, value: ToolValue, tool: str, at: Micros) -> _Answer:
    said = _Answer(Action.ASK)
    for layer, rules in ((Layer.AGENT, layers.agent), (Layer.FILE, layers.file), (Layer.REMEMBERED, layers.remembered)):
        found = next((known for known in reversed(rules) if _fits(known.rule, question, value, tool, at)), None)
        if found is None:
            continue
        said = _Answer(found.rule.action, found.id, layer, found.rule.tool)
        if said.action is Action.DENY and layer in _FINAL:
            break
    return said


def _fits(rule: Rule, question: Question, value: ToolValue, tool: str, at: Micros) -> bool:
    return applies(rule, question, tool, at) and covers(rule, value)


def applies(rule: Rule, question: Question, tool: str, at: Micros) -> bool:
    """Whether a rule speaks of this tool on this target, for this agent, in this room, and its time is not over."""
    return (
        _names_tool(rule.tool, tool)
        and (rule.agent == "*" or matches(rule.agent, question.agent_id or NOBODY))
        and (rule.room == "*" or matches(rule.room, question.room))
        and (rule.target == "*" or _names_target(rule.target, question))
        and not has_expired(rule, at)
    )


def covers(rule: Rule, value: ToolValue) -> bool:
    """Whether the rule's glob fits: an allow must fit each meaning of the value, any other only one of them."""
    if rule.action is Action.ALLOW:
        return all(any(matches(rule.value, form) for form in meaning) for meaning in value.meanings)
    return any(matches(rule.value, form) for form in (value.text, *value.forms))


def _names_tool(glob: str, tool: str) -> bool:
    return matches(glob, tool) or (tool in NAMES_OF_COMMANDS and matches(glob, "shell_exec"))


def _names_target(glob: str, question: Question) -> bool:
    if glob.startswith("label:"):
        return any(matches(glob[6:], label) for label in question.labels)
    return matches(glob, question.target_id) or matches(glob, question.target_name)


def has_expired(rule: Rule, at: Micros) -> bool:
    """Whether the rule's time is over. A time that cannot be read is over."""
    if not rule.expires_at:
        return False
    try:
        return from_rfc3339(rule.expires_at) <= at
    except ValueError:
        return True


_SAID = {Action.ALLOW: "Allow", Action.ASK: "Ask before", Action.DENY: "Never allow"}


def describe(rule: Rule, target_name: str = "") -> str:
    """Return the rule as the sentence that a person is shown before it is made.

    Args:
        rule: The rule.
        target_name: What the machine of the rule is called, where that is known.
    """
    parts = [f"{_SAID[rule.action]} {_what(rule)}"]
    if rule.target != "*":
        parts.append(f"on {'machines with ' if rule.target.startswith('label:') else ''}`{rule.target}`")
        # Any other name could speak as a part of the sentence.
        if target_name != rule.target and _NAME.fullmatch(target_name):
            parts[-1] += f" ({target_name})"
    if rule.agent == NOBODY:
        parts.append("for people")
    elif rule.agent != "*":
        parts.append(f"for agent `{rule.agent}`")
    if rule.room != "*":
        parts.append(f"in room `{rule.room}`")
    if rule.expires_at:
        parts.append(f"until {rule.expires_at}")
    return " ".join(parts) + ", without asking." if rule.action is Action.ALLOW else " ".join(parts) + "."


def _what(rule: Rule) -> str:
    every = "any" if rule.action is Action.DENY else "every"
    if rule.tool in (*NAMES_OF_COMMANDS, "shell_exec"):
        return f"{every} command" if rule.value == "*" else f"the command `{rule.value}`"
    tool = f"{every} tool" if rule.tool == "*" else f"tool `{rule.tool}`"
    return tool if rule.value == "*" else f"{tool} with `{rule.value}`"
