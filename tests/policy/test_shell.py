"""What is found in a line: Molf's fixtures, with what its appendix calls defects put right."""

import pytest

from instar.policy.shell import parse
from instar.policy.values import values_of
from instar.wire.limits import SHELL_COMMANDS_MAX, SHELL_READ_MAX_CHARS

FIXTURES: list[tuple[str, list[str], list[str]]] = [
    ("git push origin main", ["git push origin main"], ["git push *"]),
    ("pwd", ["pwd"], ["pwd"]),
    ("cat a | grep b | wc -l", ["cat a", "grep b", "wc -l"], ["cat *", "grep *", "wc *"]),
    ("a && b || c; d", ["a", "b", "c", "d"], ["a", "b", "c", "d"]),
    ("ls\npwd", ["ls", "pwd"], ["ls", "pwd"]),
    ("(cd x && ls)", ["cd x", "ls"], ["cd *", "ls"]),
    ("{ ls; pwd; }", ["ls", "pwd"], ["ls", "pwd"]),
    ("if true; then rm x; fi", ["true", "rm x"], ["true", "rm *"]),
    ("for f in *.txt; do cat $f; done", ["cat $f"], ["cat *"]),
    ("echo $(rm -rf x)", ["echo $(rm -rf x)", "rm -rf x"], ["echo", "rm *"]),
    ("echo `whoami`", ["echo `whoami`", "whoami"], ["echo", "whoami"]),
    ("diff <(ls a) <(ls b)", ["diff <(ls a) <(ls b)", "ls a", "ls b"], ["diff", "ls *", "ls *"]),
    ("echo hi > out.txt", ["echo hi > out.txt"], ["echo *"]),
    ("cat < in.txt", ["cat < in.txt"], ["cat"]),
    ("FOO=bar npm run build", ["FOO=bar npm run build"], ["npm run build"]),
    ("npm run test -- --coverage", ["npm run test -- --coverage"], ["npm run test *"]),
    ("docker compose up -d", ["docker compose up -d"], ["docker compose up *"]),
    ("gh pr list", ["gh pr list"], ["gh pr list"]),
    ('git commit -m "fix; rm -rf x"', ['git commit -m "fix; rm -rf x"'], ["git commit *"]),
    ("a=$(curl u)", ["curl u"], ["curl *"]),
    ("[ -f x ] && rm x", ["rm x"], ["rm *"]),
    ("cat <<EOF\n$(date)\nEOF", ["cat <<EOF\n$(date)\nEOF", "date"], ["cat", "date"]),
    ("git -C x push", ["git -C x push"], ["git -C *"]),
    ("function f() { rm x; }; f", ["rm x", "f"], ["rm *", "f"]),
    ("ls > a && rm b > c", ["ls > a", "rm b"], ["ls", "rm *"]),
    ("{ cat a; } > f", ["cat a"], ["cat *"]),
    ("(rm x) > f", ["rm x"], ["rm *"]),
    ("export PATH=p; ls", ["ls"], ["ls"]),
    ("echo x | cat > f", ["echo x", "cat"], ["echo *", "cat"]),
]  # fmt: skip


@pytest.mark.parametrize(("line", "commands", "always"), FIXTURES)
def test_commands_and_what_would_be_remembered_of_them(line: str, commands: list[str], always: list[str]) -> None:
    found = parse(line)
    assert sorted(each.text for each in found.commands) == sorted(commands)
    assert sorted(each.always for each in found.commands) == sorted(always)


@pytest.mark.parametrize(("line", "inner"), [
    ("bash -c 'rm -rf x'", "rm -rf x"), ("sudo rm x", "rm x"), ("env A=b rm x", "rm x"), ("xargs rm x", "rm x"),
    ("find . -exec rm x +", "rm x"), ("eval 'rm x'", "rm x"), ("timeout 5 rm x", "rm x"), ("nice -n 5 rm x", "rm x"),
    ("ssh h 'rm x'", "rm x"), ("sh -c 'bash -c \"rm x\"'", "rm x"), ("nohup setsid rm x", "rm x"),
    ("su -c 'rm x'", "rm x"),
    ("flock f -c 'rm x'", "rm x"), ("watch rm x", "rm x"), ("command rm x", "rm x"), ("exec rm x", "rm x"),
    ("stdbuf -o0 rm x", "rm x"), ("time rm x", "rm x"), ("doas rm x", "rm x"), ("echo $(rm x)", "rm x"),
])  # fmt: skip
def test_wrappers_are_seen_through(line: str, inner: str) -> None:
    assert inner in [each.bare for each in parse(line).commands]


def test_redirections_and_assignments_are_values_of_their_own() -> None:
    found = parse("A=1 ls > a && { cat b; } 2>> c; export B=2; sort < d >/dev/null 2>&1")
    assert [(each.path, each.is_write) for each in found.redirections] == [
        ("a", True), ("c", True), ("d", False),
    ]  # fmt: skip
    assert [each.name for each in found.assignments] == ["A", "B"]
    assert values_of("shell", {"command": "ls > a"}).always == []


def test_a_program_that_runs_anything_is_remembered_word_by_word() -> None:
    assert values_of("shell", {"command": "timeout 5 ls -l"}).always == ["timeout 5 ls -l", "ls *"]
    assert values_of("shell", {"command": "python x.py --fast"}).always == ["python x.py --fast"]


@pytest.mark.parametrize(
    "line",
    ["ls;" * (SHELL_COMMANDS_MAX + 1), "echo " + "a" * SHELL_READ_MAX_CHARS, "$(" * 500, "(" * 5_000, "sh -c " * 40,
     "timeout 1 " * 60 + "ls", "<<E " * 200, "{ " * 500, "`" * 999, "echo " + "$(( " * 300, "\ud800"],
)  # fmt: skip
def test_more_than_it_can_look_at_is_unclear(line: str) -> None:
    assert values_of("shell", {"command": line}).unclear
