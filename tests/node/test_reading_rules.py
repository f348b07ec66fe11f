"""One rule for what may be read: what `read_file` would not be let read, no other tool gives away."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from instar.base.clock import now
from instar.base.errors import InstarError
from instar.policy.rules import DEFAULT_FILE, Question, RuleLayers, describe, judge, load_file
from instar.policy.searching import read_rules
from instar.policy.values import values_of
from instar.wire.approvals import Action, KnownRule, Layer, Rule
from instar.wire.execution import Outcome, ReadRule
from instar.wire.limits import READ_RULES_MAX

from .machines import Bench

ALLOW, ASK, DENY = Action.ALLOW, Action.ASK, Action.DENY
SEVERITY = {ALLOW: 0, ASK: 1, DENY: 2}
FILES = [
    "a.py", "src/b.txt", "prod.env", "conf/x.env.local", "conf/x.env.example", "my-credentials.json", "secrets/c.txt",
    "notes/d.md", "notes/e.txt",
]  # fmt: skip
OTHERS = [Rule(tool, "*", ALLOW) for tool in ("get_file", "edit_file", "apply_patch", "grep", "put_file")]
DEFAULTS = load_file(DEFAULT_FILE)
READ = Rule("read_file", "*", ALLOW)


def layers(agent: Sequence[Rule] = (), file: Sequence[Rule] = (), remembered: Sequence[Rule] = ()) -> RuleLayers:
    def known(rules: Sequence[Rule], layer: Layer) -> list[KnownRule]:
        return [KnownRule(f"{layer}:{at}", layer, rule, describe(rule)) for at, rule in enumerate(rules)]

    return RuleLayers(known(agent, Layer.AGENT), known(file, Layer.FILE), known(remembered, Layer.REMEMBERED))


def planted(root: Path) -> None:
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("needle\n")


async def asked(bench: Bench, found: RuleLayers, tool: str, **args: Any) -> tuple[Action, list[ReadRule]]:
    """Return what the gate says of a call as this machine prepares it, and the rules that would go with it."""
    question = Question(tool, (), "dev_1", "box")
    rules = read_rules(found, question, now()) if tool == "grep" else []
    prepared = await bench.machine.prepare(bench.asked(tool, args, read_rules=rules))
    values = values_of(tool, args, prepared.plan).values
    return judge(found, question._replace(values=values)).action, rules


async def searched(bench: Bench, found: RuleLayers, **args: Any) -> tuple[set[str], int]:
    rules = read_rules(found, Question("grep", (), "dev_1", "box"), now())
    outcome: Outcome = await (await bench.run("grep", {"pattern": "needle", **args}, read_rules=rules)).end()
    assert outcome.code == "", outcome.message
    result = msgspec.json.decode(msgspec.json.encode(outcome.result))
    return {each["file"] for each in result["matches"]}, result.get("withheld", 0)


@pytest.mark.parametrize("found", [
    layers(file=[*DEFAULTS, *OTHERS]),
    layers(file=[READ, Rule("read_file", "*.env", DENY), *OTHERS], remembered=[Rule("read_file", "prod.env", ALLOW)]),
    layers(file=[READ, Rule("read_file", "notes/*", ASK), *OTHERS]),
    layers(file=[READ, Rule("read_file", "notes/*", ASK), *OTHERS], remembered=[Rule("read_file", "*/e.txt", ALLOW)]),
    layers(file=[READ, *OTHERS], remembered=[Rule("read_file", "./notes/*", DENY), Rule("read_file", "a.py", ASK)]),
    layers(agent=[Rule("read_*", "*/src/*", DENY)], file=[READ, *OTHERS]),
    layers(file=[Rule("*", "*", ALLOW), Rule("*", "*.md", DENY), Rule("*", "*a.p?", ASK)]),
    layers(file=[READ, Rule("read_file", "*", DENY, target="elsewhere"), *OTHERS]),
])  # fmt: skip
async def test_every_tool_agrees_with_read_file(bench: Bench, found: RuleLayers):
    planted(bench.root)
    readable: set[str] = set()
    for name in FILES:
        patch = f"--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-needle\n+thread\n"
        said, _ = await asked(bench, found, "read_file", path=name)
        readable |= {name} if said is ALLOW else set()
        for tool, args in (
            ("grep", {"path": name, "pattern": "x"}),
            ("grep", {"path": ".", "include": name, "pattern": "x"}),
            ("get_file", {"path": name}),
            ("edit_file", {"path": name, "old_text": "n", "new_text": "m"}),
            ("apply_patch", {"patch": patch}),
        ):
            action, _ = await asked(bench, found, tool, **args)
            assert SEVERITY[action] >= SEVERITY[said], (tool, name)
    assert (await asked(bench, found, "grep", path=".", pattern="x"))[0] is ALLOW
    assert await searched(bench, found) == (readable, len(FILES) - len(readable))
    below = {name[6:] for name in readable if name.startswith("notes/")}
    if (await asked(bench, found, "grep", path="notes", pattern="x"))[0] is ALLOW:
        assert (await searched(bench, found, path="notes"))[0] == below


async def test_what_was_asked_about_by_name_is_shown_and_what_is_denied_never(bench: Bench):
    for name in (".netrc", ".env", "a.txt"):
        (bench.root / name).write_text("needle\n")
    found = layers(file=DEFAULTS)
    assert (await asked(bench, found, "grep", path=".", include=".*", pattern="x"))[0] is ASK
    assert await searched(bench, found, include=".*") == ({".netrc"}, 1)
    everything = layers(file=[Rule("read_file", "*", ASK), Rule("grep", "*", ALLOW)])
    assert (await asked(bench, everything, "grep", path=".", pattern="x"))[0] is ASK
    assert await searched(bench, everything) == ({"a.txt"}, 0)


async def test_a_link_does_not_lead_around_the_rules(bench: Bench):
    planted(bench.root)
    (bench.root / "link").symlink_to("notes")
    (bench.root / "other").symlink_to("secrets")
    by_link = layers(file=[READ, Rule("read_file", "link/*.md", DENY), *OTHERS])
    assert await searched(bench, by_link, path="link") == ({"e.txt"}, 1)
    by_place = layers(file=[READ, Rule("read_file", "secrets/c*", DENY), *OTHERS])
    assert await searched(bench, by_place, path="other") == (set(), 1)
    assert await searched(bench, by_place, path=str(bench.root / "secrets")) == (set(), 1)


def test_rules_that_a_search_cannot_carry_are_refused():
    many = [Rule("read_file", f"{at}", DENY) for at in range(READ_RULES_MAX + 1)]
    with pytest.raises(InstarError, match="a search carries"):
        read_rules(layers(file=many), Question("grep", ()), now())
    assert read_rules(layers(file=[READ] * 9), Question("grep", ()), now()) == []
