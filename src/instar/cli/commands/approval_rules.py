"""`instar approvals rules …` and `instar approvals judge`: the rules, and what they would say."""

import json
from pathlib import Path
from typing import Any

import click

from instar.cli.command import Group, command
from instar.cli.completions import agents
from instar.cli.durations import DURATION
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import relative, table, visible
from instar.client.errors import HubError

ACTIONS = ("allow", "ask", "deny")
_ENDS = {"allow": "It would run at once.", "ask": "It would wait for an approval.", "deny": "It would be refused."}
_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_TARGET = click.option(
    "--node", "target", default="", metavar="NODE", help="Id or name of the machine, or label:KEY=VALUE."
)
_AGENT = click.option("--agent", "agent_id", default="", shell_complete=agents, help="Of this agent.")


@command("instar approvals rules list", name="list")
@click.option("--layer", type=click.Choice(("agent", "file", "remembered")), help="Only this layer.")
def list_(session: Session, *, layer: str | None) -> Answer:
    """List the rules, in the order in which they are asked.

    The last one that fits wins within its layer; a deny of an agent's own layer, or of the file, is final.
    """
    found = session.invoke("approvals.rules")
    rules = [each for each in found["rules"] if layer in (None, each["layer"])]
    heads = ("RULE", "LAYER", "SAYS", "BY", "ENDS")
    rows = [
        (each["id"], each["layer"], each["text"], each.get("created_by", "-"),
        relative(each["rule"].get("expires_at", "")) or "-")
        for each in rules
    ]  # fmt: skip
    lines = list(table(heads, rows, empty="There is no rule: everything asks."))
    if found.get("file_fault"):
        lines = [f"Everything asks, as {visible(found['file_fault'])}", *lines]
    return Answer(found, lines, rows=rules)


@command(
    "instar approvals rules add 'git status*' --yes",
    "instar approvals rules add 'rm *' --action deny --agent guide --yes",
)
@click.argument("value")
@click.option(
    "--tool", default="shell_exec", show_default=True, help="Tool, or a glob of tools; commands are shell_exec."
)
@click.option("--action", type=click.Choice(ACTIONS), default="allow", show_default=True, help="What it says.")
@_TARGET
@click.option("--agent", default="", shell_complete=agents, help="Only calls of this agent; - is people.")
@click.option("--room", default="", metavar="ROOM", help="Only calls of this room.")
@click.option("--expires", type=DURATION, metavar="8h", help="It ends after this time.")
@_YES
def add(
    session: Session, value: str, *, tool: str, action: str, target: str, agent: str, room: str,
    expires: float | None, yes: bool,
) -> Answer:  # fmt: skip
    """Remember a rule about VALUE: a command, a path, or a glob of them.

    `*` is any text, slashes among it; `?` is one character. What runs other programs, is expanded by the shell, or is
    dangerous asks whatever a rule says.
    """
    rule: dict[str, Any] = {"tool": tool, "value": value, "action": action}
    rule |= {name: given for name, given in (("target", target), ("agent", agent), ("room", room)) if given}
    if expires is not None:
        rule["expires_at"] = _in(expires)
    session.confirm(f"{_sentence(rule)} Remember this?", yes=yes)
    made = session.invoke("approvals.add_rule", rule=rule)
    return Answer(made, [f"Remembered {made['id']}: {visible(made['text'])}"])


@command("instar approvals rules remove --last --yes")
@click.argument("rule", required=False)
@click.option("--last", is_flag=True, help="The one that was remembered last.")
@_YES
def remove(session: Session, rule: str | None, *, last: bool, yes: bool) -> Answer:
    """Forget a remembered rule. Rules of the file are changed there."""
    known = [each for each in session.invoke("approvals.rules")["rules"] if each["layer"] == "remembered"]
    found = known[-1:] if last else [each for each in known if each["id"] == rule]
    if not found:
        raise HubError(
            "not_found", f"there is no remembered rule {rule or ''!r}", hint="See: instar approvals rules list"
        )
    session.confirm(f"Forget: {visible(found[0]['text'])}", yes=yes)
    done = session.invoke("approvals.remove_rule", rule_id=found[0]["id"])
    return Answer(done, [f"Forgot {done['id']}: {visible(done['text'])}"])


@command(
    "instar approvals rules import permissions.jsonc --yes",
    "instar approvals rules import permissions.jsonc --check",
    "instar approvals rules import permissions.jsonc --agent guide --yes",
)
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--check", "is_check", is_flag=True, help="Only say what it holds.")
@click.option("--agent", default="", shell_complete=agents, help="Replace this agent's own rules instead.")
@_YES
def import_(session: Session, file: Any, *, is_check: bool, agent: str, yes: bool) -> Answer:  # noqa: ANN401 - click's open file
    """Replace the static file with FILE; - is standard input.

    Molf's `permissions.jsonc` is read as it stands: an object of tools, or a list of rules. What is wrong is named with
    its line, and nothing is changed then. An agent's own rules are its veto: what they deny it, no other rule and no
    approval gives it; `{}` ends them.
    """
    text = file.read()
    checked = session.invoke("approvals.import", text=text, check_only=True)
    lines = [f"  {visible(each['text'])}" for each in checked["rules"]]
    if is_check:
        return Answer(checked, lines or ["It holds no rule: everything asks."], rows=checked["rules"])
    if session.output.form == "text":
        session.output.note("\n".join(["It says:", *lines]))
    replaced = f"the rules of {agent}" if agent else checked.get("file", "the file")
    session.confirm(f"Replace {replaced} with these {len(lines)} rules?", yes=yes)
    if not agent:
        done = session.invoke("approvals.import", text=text)
        return Answer(done, [f"Replaced {done['file']}: {len(done['rules'])} rules."], rows=done["rules"])
    rules = [each["rule"] for each in checked["rules"]]
    done = session.invoke("approvals.set_agent_rules", agent_id=agent, rules=rules)
    return Answer(done, [f"Replaced {replaced}: {len(rules)}."], rows=done["rules"])


@command("instar approvals rules export", "instar approvals rules export rules.json")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--layer", type=click.Choice(("agent", "file", "remembered", "all")), default="file", show_default=True)
def export(session: Session, path: Path | None, *, layer: str) -> Answer:
    """Write rules as a list that `instar approvals rules import` takes, to PATH or standard output."""
    found = session.invoke("approvals.rules")["rules"]
    rules = [each["rule"] for each in found if layer in ("all", each["layer"])]
    text = json.dumps(rules, indent=2, ensure_ascii=False)
    if path is None:
        return Answer({"rules": rules}, [text], rows=rules)
    path.write_text(text + "\n", encoding="utf-8")
    return Answer({"path": str(path), "count": len(rules)}, [f"Wrote {len(rules)} rules to {path}."])


@command("instar approvals judge 'git status | wc -l'", "instar approvals judge --tool read_file .env")
@click.argument("value")
@click.option("--tool", default="shell", show_default=True, help="The tool; exec takes words that no shell reads.")
@_TARGET
@_AGENT
@click.option("--room", default="", metavar="ROOM", help="In this room.")
def judge(session: Session, value: str, *, tool: str, target: str, agent_id: str, room: str) -> Answer:
    """Say what the rules would answer about VALUE: a command line, or the path of a tool for files. Nothing runs."""
    named = "command" if tool in ("shell", "exec", "apply_patch") else "path"
    found = session.invoke("approvals.judge", tool=tool, target=target, agent_id=agent_id, room=room, **{named: value})
    lines = [_ENDS[found["action"]], *table(("SAYS", "ABOUT", "BECAUSE"), map(_reason, found["judged"]))]
    lines += [f"Always would be: {visible(text)}" for text in found.get("rule_texts", [])]
    return Answer(found, lines)


def _reason(judged: dict[str, Any]) -> tuple[object, ...]:
    because = judged.get("floor") or judged.get("unclear")
    if not because:
        because = f"rule {judged['rule_id']}" if judged.get("rule_id") else "no rule covers it"
    return judged["action"], judged["value"], because


def _sentence(rule: dict[str, Any]) -> str:
    """Return the rule in the hub's words, before it is made."""
    import msgspec  # noqa: PLC0415 - help needs none of it

    from instar.policy.rules import describe  # noqa: PLC0415
    from instar.wire.approvals import Rule  # noqa: PLC0415

    try:
        return visible(describe(msgspec.convert(rule, Rule)))
    except msgspec.ValidationError as error:
        raise HubError("usage", f"this is no rule: {error}", hint="See: instar approvals rules add --help") from error


def _in(seconds: float) -> str:
    from instar.base.clock import MICROS_PER_S, Micros, now, to_rfc3339  # noqa: PLC0415 - help needs none of it

    return to_rfc3339(Micros(now() + round(seconds * MICROS_PER_S)))


RULES = Group(
    "rules",
    "Rules: what runs without asking, what asks, and what never runs.",
    examples=("instar approvals rules list",),
    default="list",
    commands=[list_, add, remove, import_, export],
)
"""`instar approvals rules`."""
