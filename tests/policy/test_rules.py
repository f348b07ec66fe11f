"""Layers, last match, most restrictive value; and what always holds of them."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from instar.base.clock import from_rfc3339
from instar.base.errors import InstarError
from instar.policy.rules import DEFAULT_FILE, NOBODY, Question, RuleLayers, describe, judge, load_file
from instar.policy.values import ToolValue, values_of
from instar.wire.approvals import Action, KnownRule, Layer, Rule
from instar.wire.execution import FileFact, Plan

SEVERITY = {Action.ALLOW: 0, Action.ASK: 1, Action.DENY: 2}
AT = from_rfc3339("2026-03-02T08:00:00Z")


def known(rules: Sequence[Rule], layer: Layer) -> list[KnownRule]:
    return [KnownRule(f"{layer}:{at}", layer, rule, describe(rule)) for at, rule in enumerate(rules)]


def layers(agent: Sequence[Rule] = (), file: Sequence[Rule] = (), remembered: Sequence[Rule] = ()) -> RuleLayers:
    return RuleLayers(known(agent, Layer.AGENT), known(file, Layer.FILE), known(remembered, Layer.REMEMBERED))


def ask(found: RuleLayers, tool: str, **args: object) -> Action:
    return judge(found, Question(tool, values_of(tool, args).values, "dev_1", "box", ["os=linux"], "coder"), AT).action


ALLOW, ASK, DENY = Action.ALLOW, Action.ASK, Action.DENY
DEFAULTS = layers(file=load_file(DEFAULT_FILE))


@pytest.mark.parametrize(("tool", "path", "action"), [
    ("read_file", "src/a.py", ALLOW), ("read_file", "src/.env", DENY), ("read_file", "./src/.env", DENY),
    ("read_file", "../.env", DENY), ("read_file", "a/../.env", DENY), ("read_file", ".env.example", ALLOW),
    ("read_file", "a/b/.env.local", DENY), ("read_file", "my-credentials.json", DENY),
    ("read_file", "src/SECRET.ts", ALLOW),
    ("write_file", ".env", DENY), ("write_file", "a.txt", ALLOW), ("edit_file", "./.env", DENY),
    ("put_file", "a/.env", DENY),
    ("get_file", ".env", DENY), ("put_file", "a.txt", ASK), ("grep", "a/.env", DENY), ("list", ".", ALLOW),
    ("shell", ".", ASK), ("camera.snap", ".", ASK), ("read_file", "a\u202e.txt", ASK),
    ("write_file", ".bashrc", ASK), ("write_file", "x/.git/config", ASK), ("edit_file", "/home/u/.ssh/config", ASK),
    ("write_file", "bin/ls", ASK), ("edit_file", "/home/u/bin/ls", ASK), ("write_file", "a/../.profile", ASK),
    ("write_file", "/Users/u/Library/LaunchAgents/x.plist", ASK), ("read_file", "src/../.netrc", ASK),
    ("read_file", "/home/u/.ssh/id_ed25519", ASK), ("grep", ".ssh", ASK), ("grep", "src", ALLOW),
    ("grep", ".", ALLOW), ("read_file", "./src/a.py", ALLOW), ("write_file", "./.bashrc", ASK),
])  # fmt: skip
def test_the_default_file(tool: str, path: str, action: Action) -> None:
    assert ask(DEFAULTS, tool, path=path, command="ls", pattern="x") is action


@pytest.mark.parametrize(("include", "action"), [
    (".env", DENY), ("*.py", ALLOW), (".e*", ASK), (".netrc", ASK), ("../.netrc", ASK), (".ssh/*", ASK), ("", ALLOW),
])  # fmt: skip
def test_what_a_search_chooses_by_name_is_judged(include: str, action: Action) -> None:
    assert ask(DEFAULTS, "grep", path="src", include=include, pattern="x") is action


def test_a_link_to_a_folder_is_judged_by_where_it_leads() -> None:
    args = {"path": "link", "pattern": "x"}
    facts = [FileFact("/home/u/.ssh", "", 0, "folder")]
    for tool in ("list", "grep", "glob"):
        plan = Plan("n", tool, Raw(json.dumps(args).encode()), cwd="/home/u", files=facts)
        found = layers(file=[Rule(tool, "*", ALLOW), Rule(tool, "*/.ssh*", DENY)])
        values = values_of(tool, args, plan).values
        assert judge(found, Question(tool, values), AT).action is DENY


def test_what_is_typed_into_a_terminal_is_allowed_by_no_rule() -> None:
    args = {"command": "git log"}
    for has_terminal, action in ((False, ALLOW), (True, ASK)):
        plan = Plan(
            "n", "shell", Raw(json.dumps(args).encode()), argv=["/bin/sh", "-c", "git log"], has_terminal=has_terminal
        )
        found = values_of("shell", args, plan)
        assert judge(layers(file=[Rule("*", "*", ALLOW)]), Question("shell", found.values), AT).action is action
        assert bool(found.always) is not has_terminal


def test_the_last_match_of_a_layer_wins_and_a_later_layer_after_it() -> None:
    git = Rule("shell_exec", "git *", ALLOW)
    push = Rule("shell_exec", "git push*", DENY)
    assert ask(layers(file=[push, git]), "shell", command="git push x") is ALLOW
    assert ask(layers(file=[git, push]), "shell", command="git push x") is DENY
    assert ask(layers(file=[Rule("*", "*", ASK)], remembered=[git]), "shell", command="git log") is ALLOW
    assert ask(layers(file=[git], remembered=[Rule("*", "*", ASK)]), "shell", command="git log") is ASK


def test_a_deny_of_the_veto_or_of_the_file_is_final() -> None:
    deny, allow = Rule("shell_exec", "rm *", DENY), Rule("*", "*", ALLOW)
    assert ask(layers(agent=[deny], file=[allow], remembered=[allow]), "shell", command="rm x") is DENY
    assert ask(layers(file=[deny], remembered=[allow]), "shell", command="rm x") is DENY


@pytest.mark.parametrize(
    "line", ["ls && rm x", "sh -c 'rm x'", "/bin/rm x", "echo $(rm x)", "rm 'x'", "env rm x", "rm  x"]
)
def test_the_most_restrictive_command_wins_wherever_it_hides(line: str) -> None:
    found = layers(file=[Rule("*", "*", ALLOW), Rule("shell_exec", "rm *", DENY)])
    assert ask(found, "shell", command=line) is DENY


def test_a_redirection_is_a_write_of_its_own() -> None:
    found = [Rule("shell_exec", "echo *", ALLOW)]
    assert ask(layers(remembered=found), "shell", command="echo a > b") is ASK
    found.append(Rule("shell_exec", "> build/*", ALLOW))
    assert ask(layers(remembered=found), "shell", command="echo a > build/b") is ALLOW
    assert ask(layers(remembered=found), "shell", command="echo a > build/../../b") is ASK
    veto = [Rule("write_file", "*.env", DENY)]
    assert (
        ask(layers(file=veto, remembered=[*found, Rule("*", "*", ALLOW)]), "shell", command="echo a > build/.env")
        is DENY
    )


@pytest.mark.parametrize(("rule", "fits"), [
    (Rule("ping", "*", ALLOW, target="dev_1"), True), (Rule("ping", "*", ALLOW, target="box"), True),
    (Rule("ping", "*", ALLOW, target="other"), False), (Rule("ping", "*", ALLOW, target="label:os=*"), True),
    (Rule("ping", "*", ALLOW, target="label:os=mac"), False), (Rule("ping", "*", ALLOW, agent="coder"), True),
    (Rule("ping", "*", ALLOW, agent=NOBODY), False), (Rule("ping", "*", ALLOW, room="room:a"), False),
    (Rule("ping", "*", ALLOW, expires_at="2026-03-02T08:00:01Z"), True), (Rule("p?ng", "*", ALLOW), True),
    (Rule("ping", "*", ALLOW, expires_at="2026-03-02T08:00:00Z"), False),
    (Rule("ping", "*", ALLOW, expires_at="soon"), False),
])  # fmt: skip
def test_what_narrows_a_rule(rule: Rule, fits: bool) -> None:
    assert (ask(layers(remembered=[rule]), "ping") is ALLOW) is fits


def test_no_rule_lifts_the_floor_or_what_is_unclear_or_a_faulty_file() -> None:
    everything = [Rule("*", "*", ALLOW)]
    assert ask(layers(file=everything), "shell", command="git push --force") is ASK
    assert ask(layers(file=everything), "shell", command="echo $HOME") is ASK
    faulty = layers(remembered=everything)._replace(fault="it cannot be read")
    assert ask(faulty, "shell", command="ls") is ASK


def test_sentences() -> None:
    rule = Rule("shell_exec", "git push *", ALLOW, "box", "coder", "room:a", "2027-01-01T00:00:00Z")
    assert describe(rule) == (
        "Allow the command `git push *` on `box` for agent `coder` in room `room:a` until 2027-01-01T00:00:00Z,"
        " without asking."
    )
    assert "on `dev_1` (box) for people" in describe(Rule("shell_exec", "ls", ALLOW, "dev_1", NOBODY), "box")
    assert "on `dev_1` for people" in describe(Rule("shell_exec", "ls", ALLOW, "dev_1", NOBODY), "box) for agent `x")
    assert describe(Rule("*", "*", DENY)) == "Never allow any tool."
    assert describe(Rule("read_file", "*.env", ASK, "label:os=linux", NOBODY)) == (
        "Ask before tool `read_file` with `*.env` on machines with `label:os=linux` for people."
    )


def test_files() -> None:
    assert load_file('// c\n{"shell_exec": {"git *": "allow",}, "x": "deny"}') == [
        Rule("shell_exec", "git *", ALLOW), Rule("x", "*", DENY),
    ]  # fmt: skip
    assert load_file('[{"permission": "x", "pattern": "y", "action": "ask"}, {"tool": "z", "action": "deny"}]') == [
        Rule("x", "y", ASK), Rule("z", "*", DENY),
    ]  # fmt: skip
    assert load_file('{"read_file": {"~/a": "allow", "$HOME": "deny", "~b": "ask"}}', "/home/u") == [
        Rule("read_file", "/home/u/a", ALLOW), Rule("read_file", "/home/u", DENY), Rule("read_file", "~b", ASK),
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "where"), [
    ("", "line 1"), ("{", "line 1"), ('{"a":\n yes}', "line 2"), ('"a"', "neither"), ('{"a": "yes"}', "'a'"),
    ('{"a": {"b": 1}}', "'a: b'"),
    ("[1]", "entry 1"), ('[{"tool": "a", "action": "ask", "who": 1}]', "'who'"),
    ('[{"tool": "", "action": "ask"}]', "entry 1"),
    ('{"": "ask"}', "cannot be kept"), ('[{"tool": "a", "action": "ask", "expires_at": "soon"}]', "cannot be kept"),
    (" " * 300_000, "longer"),
    ('{"a": {' + ",".join(f'"{n}": "ask"' for n in range(1_001)) + "}}", "more than"),
])  # fmt: skip
def test_a_file_that_is_none_says_where(text: str, where: str) -> None:
    with pytest.raises(InstarError) as caught:
        load_file(text)
    assert caught.value.code == "unprocessable_entity"
    assert where in caught.value.message


RULES = st.builds(
    Rule,
    st.sampled_from(["*", "shell", "shell_exec", "read_file", "write_file", "x?"]),
    st.sampled_from(["*", "ls *", "git *", "rm *", "a*", "*.env", "> *", "?"]),
    st.sampled_from(list(Action)),
    st.sampled_from(["*", "dev_1", "label:os=linux", "other"]),
    st.sampled_from(["*", "coder", NOBODY]),
)
MANY = st.lists(RULES, max_size=6)
LINES = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            ["ls", "git", "rm", "a", ".env", ";", "|", "&&", ">", "<", "$(", ")", "'", '"', "\n", "{", "}", "sh", "-c"]
        ),
        max_size=8,
    ).map(" ".join),
)


@given(agent=MANY, file=MANY, remembered=MANY, line=LINES, where=st.integers(0, 2), at=st.integers(0, 6), denied=RULES)
def test_adding_a_deny_never_allows_more(
    agent: list[Rule], file: list[Rule], remembered: list[Rule], line: str, where: int, at: int, denied: Rule
) -> None:
    parts = [agent, file, remembered]
    before = ask(layers(*parts), "shell", command=line)
    deny = Rule(denied.tool, denied.value, DENY, denied.target, denied.agent)
    parts[where] = [*parts[where][:at], deny, *parts[where][at:]]
    after = ask(layers(*parts), "shell", command=line)
    assert SEVERITY[after] >= SEVERITY[before]


@given(
    tool=st.one_of(
        st.text(max_size=10), st.sampled_from(["exec", "shell", "read_file", "glob", "apply_patch", "fetch"])
    ),
    args=st.dictionaries(
        st.sampled_from(["argv", "command", "path", "pattern", "url", "patch", "x"]),
        st.one_of(st.none(), st.integers(), st.text(max_size=20), st.lists(st.text(max_size=8), max_size=4)),
    ),
    rules=MANY,
)
def test_judging_is_total(tool: str, args: dict[str, object], rules: list[Rule]) -> None:
    verdict = judge(layers(rules, rules, rules), Question(tool, values_of(tool, args).values))
    assert verdict.judged
    assert judge(layers(), Question(tool, values_of(tool, args).values)).action is ASK


@given(st.lists(st.sampled_from(list(Action)), min_size=1, max_size=5))
def test_of_several_values_the_most_restrictive_counts(actions: list[Action]) -> None:
    rules = [Rule("t", str(at), action) for at, action in enumerate(actions)]
    values = [ToolValue(str(at)) for at in range(len(actions))]
    verdict = judge(layers(file=rules), Question("t", values), AT)
    assert verdict.action is max(actions, key=SEVERITY.__getitem__)
