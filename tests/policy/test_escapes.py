"""S-13: no command line slips through under a rule for something else."""

import shlex

import pytest

from instar.policy.rules import Question, RuleLayers, describe, judge
from instar.policy.values import values_of
from instar.wire.approvals import Action, KnownRule, Layer, Rule
from tests.policy.escapes import ALL, BROAD, HARMLESS


def remembered(globs: tuple[str, ...]) -> RuleLayers:
    rules = [Rule("shell_exec", glob, Action.ALLOW) for glob in globs]
    return RuleLayers(remembered=[KnownRule(glob.value, Layer.REMEMBERED, glob, describe(glob)) for glob in rules])


LAYERS = (remembered(HARMLESS), remembered(BROAD))


def test_the_corpus_is_large() -> None:
    assert len(ALL) >= 400
    assert len(set(ALL)) == len(ALL)


@pytest.mark.parametrize(("family", "line"), ALL)
def test_it_is_never_allowed_by_a_rule(family: str, line: str) -> None:
    found = values_of("shell", {"command": line})
    for layers in LAYERS:
        verdict = judge(layers, Question("shell", found.values))
        assert verdict.action is not Action.ALLOW, (family, verdict)


@pytest.mark.parametrize("line", [line for family, line in ALL if family not in ("not a line", "state of the shell")])
def test_nothing_of_it_is_suggested_that_would_allow_it(line: str) -> None:
    """What is unclear or dangerous cannot become a rule."""
    found = values_of("shell", {"command": line})
    if found.unclear or found.is_dangerous:
        assert found.always == []


HONEST = (
    "echo hi", "echo 'a b'", 'echo "a; b"', "ls -la", "ls", "cat a.txt b.txt", "cat a | grep b | wc -l", "git status",
    "git status --short", "cd x && ls", "echo hi; ls", "echo a || ls", "ls 2>/dev/null", "ls 2>&1",
    "echo hi >/dev/null",
    "(ls)", "{ ls; pwd; }", "[ -f x ] && cat x", "if true; then ls; fi", "cat <<'E'\n$(id)\nE", "cat <<E\nplain\nE",
    "ls # all of it", "# first\nls", "echo 'é'", "grep -rn 'a.*b' src", "head -n 5 a", "ls \\\n  -l", "echo a=b",
    "cat ./x",
)  # fmt: skip


@pytest.mark.parametrize("line", HONEST)
def test_what_is_plain_is_allowed(line: str) -> None:
    verdict = judge(LAYERS[0], Question("shell", values_of("shell", {"command": line}).values))
    assert verdict.action is Action.ALLOW, verdict


@pytest.mark.parametrize("words", [
    ["sh", "-c", "id"], ["env", "id"], ["bash", "-c", "ls; id"], ["xargs", "rm"], ["find", ".", "-delete"], [""], [],
    ["python", "-c", "x"], ["git", "-c", "a=b", "status"], ["sudo", "ls"], ["timeout", "5", "id"], ["echo\n", "hi"],
    ["echo", "hi\x00"], ["ls", "\u202e"], ["tar", "cf", "a", "--checkpoint-action=exec=id"], ["rm", "-rf", "/"],
])  # fmt: skip
def test_programs_without_a_shell_are_seen_through_as_well(words: list[str]) -> None:
    found = values_of("exec", {"argv": words})
    for layers in LAYERS:
        assert judge(layers, Question("exec", found.values)).action is not Action.ALLOW


@pytest.mark.parametrize(
    "words", [["echo", "$HOME", "*", ";", "id"], ["ls", "a b"], ["cat", "$(id)"], ["echo", "a\nb"]]
)
def test_no_shell_reads_the_arguments_of_a_program(words: list[str]) -> None:
    found = values_of("exec", {"argv": words})
    assert [value.text for value in found.values] == [shlex.join(words)]
    assert judge(LAYERS[0], Question("exec", found.values)).action is Action.ALLOW
