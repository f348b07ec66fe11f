"""The static file of rules, `permissions.jsonc`: Molf's grammar, or a list of rules.

{"*": "ask", "read_file": {"*": "allow", "*.env": "deny"}}
[{"tool": "shell_exec", "value": "git status*", "action": "allow", "target": "label:os=linux"}]
"""

from typing import Any, NoReturn, cast

import msgspec

from instar.base.clock import from_rfc3339
from instar.base.errors import InstarError
from instar.wire.approvals import Action, Rule
from instar.wire.json5 import Json5Error, parse_json5
from instar.wire.limits import RULES_FILE_MAX_CHARS, RULES_LAYER_MAX

DEFAULT_FILE = """\
// What tools may do without asking. A key is a tool or a glob of tools; its value is an action (allow, ask or deny),
// or globs of values, each with an action. The last match wins; what nothing matches is asked. `*` is any text,
// slashes among it. Commands are `shell_exec`. A deny here holds whatever is remembered. See docs/approvals.md.
// Hidden files hold keys and what programs run by themselves, as folders of programs do: they are asked about.
{
  "*": "ask",
  "read_file": {
    "*": "allow",
    "*/.*": "ask",
    "*.env": "deny",
    "*.env.*": "deny",
    "*credentials*": "deny",
    "*secret*": "deny",
    "*.env.example": "allow",
  },
  "write_file": {
    "*": "allow",
    "*/.*": "ask",
    "*/bin/*": "ask",
    "*/Library/*": "ask",
    "*.env": "deny",
    "*.env.*": "deny",
  },
  "edit_file": {
    "*": "allow",
    "*/.*": "ask",
    "*/bin/*": "ask",
    "*/Library/*": "ask",
    "*.env": "deny",
    "*.env.*": "deny",
  },
  "list": "allow",
  "glob": "allow",
  "grep": { "*": "allow", "*/.*": "ask" },
  "which": "allow",
  "ping": "allow",
  "process": { "list": "allow", "output": "allow" },
  "skill": "ask",
  "shell_exec": "ask",
}
"""
"""What holds until somebody writes another one."""

_HINT = "docs/approvals.md shows what the file may hold."
_NAMES = {"permission": "tool", "pattern": "value"}


def load_file(text: str, home: str = "") -> list[Rule]:
    """Return the rules of a file, in order.

    Args:
        text: The file: JSON with comments and trailing commas.
        home: What a leading `~` or `$HOME` of a value stands for; empty leaves it as it is.

    Raises:
        InstarError: `unprocessable_entity`: it names the line, or the key.
    """
    if len(text) > RULES_FILE_MAX_CHARS:
        _refuse(f"the file is longer than {RULES_FILE_MAX_CHARS:,} characters")
    try:
        tree = parse_json5(text)
    except Json5Error as error:
        _refuse(f"the file is no JSON with comments: {error}")
    if isinstance(tree, dict):
        rules = _of_object(cast("dict[str, Any]", tree))
    elif isinstance(tree, list):
        rules = [_of_entry(at, entry) for at, entry in enumerate(cast("list[Any]", tree))]
    else:
        _refuse("the file is neither an object nor a list")
    if len(rules) > RULES_LAYER_MAX:
        _refuse(f"the file has more than {RULES_LAYER_MAX:,} rules")
    return [_checked(msgspec.structs.replace(rule, value=_expanded(rule.value, home))) for rule in rules]


def _of_object(tree: dict[str, Any]) -> list[Rule]:
    rules: list[Rule] = []
    for tool, said in tree.items():
        if isinstance(said, dict):
            rules += [
                Rule(tool, value, _action(action, f"{tool}: {value}"))
                for value, action in _entries(cast("object", said))
            ]
        else:
            rules.append(Rule(tool, "*", _action(said, tool)))
    return rules


def _entries(said: object) -> list[tuple[str, object]]:
    return list(cast("dict[str, object]", said).items())


def _action(said: object, where: str) -> Action:
    if not isinstance(said, str) or said not in tuple(Action):
        _refuse(f"{where!r} must be allow, ask or deny, not {said!r}")
    return Action(said)


def _of_entry(at: int, entry: object) -> Rule:
    if not isinstance(entry, dict):
        _refuse(f"entry {at + 1} of the list is no rule")
    named = {_NAMES.get(key, key): value for key, value in _entries(cast("object", entry))}
    if unknown := sorted(set(named) - set(Rule.__struct_fields__)):
        _refuse(f"entry {at + 1} of the list has the unknown member {unknown[0]!r}")
    try:
        return msgspec.convert({"value": "*", **named}, Rule)
    except msgspec.ValidationError as error:
        _refuse(f"entry {at + 1} of the list is no rule: {error}")


def _checked(rule: Rule) -> Rule:
    """Return the rule if it is within the limits, which an object of the file has not been held against yet."""
    try:
        checked = msgspec.convert(msgspec.to_builtins(rule), Rule)
        if checked.expires_at:
            from_rfc3339(checked.expires_at)
    except (msgspec.ValidationError, ValueError) as error:
        _refuse(f"the rule {rule.tool!r}: {rule.value[:80]!r} cannot be kept: {error}")
    return checked


def _expanded(value: str, home: str) -> str:
    for lead in ("~", "$HOME"):
        if home and (value == lead or value.startswith(lead + "/")):
            return home + value[len(lead) :]
    return value


def _refuse(problem: str) -> NoReturn:
    raise InstarError("unprocessable_entity", problem, hint=_HINT)
