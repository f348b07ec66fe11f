"""What rules allow, run by real shells: nothing but what they name runs, and nothing is written."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from instar.policy.rules import Question, RuleLayers, describe, judge
from instar.policy.values import values_of
from instar.wire.approvals import Action, KnownRule, Layer, Rule

ALLOWED = ("ls *", "ls", "cat *", "cat", "echo *", "echo", "git status*")
BEGINNINGS = ("ls ", "cat ", "echo ", "ls <<E\n", "cat <<'E'\n", "cat <<-E\n", "[ ", "")
PIECES = (
    "ls", "cat", "echo", "id", "id", ";", "|", "&", "&&", "||", "\n", " ", " ", " ", "'", '"', "\\", "$(", "`",
    "<<E", "E",
    "\nE\n", "<<-E", "\t", "<<'E'", "(", ")", "{ ", "}", ";}", "#", "# ", ">", "<", "f", "<(", ">&", "2>&1",
    "2>/dev/null",
    "$x", "a=", "*", "[ ", "]", " -f", "if ", " then ", " fi", "!", "$'", "\\\n", "<<<", "=", ":", "~", "do", "done",
    "for x in", "case", "esac", "[[", "]]", "((", "))", "()", "git status", "$((", "${",
)  # fmt: skip
LINES = 100_000 if os.environ.get("INSTAR_FAULTS_LONG") else 6_000
SHELLS = [found for name in ("sh", "bash", "dash") if (found := shutil.which(name))]


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A folder with programs that do nothing, and one, `id`, that says that it ran."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("ls", "cat", "git"):
        (programs / name).write_text("#!/bin/sh\n:\n")
    for name in ("id", "E", "f", "a"):
        (programs / name).write_text(f"#!/bin/sh\n: > {tmp_path}/ran\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    (tmp_path / "work").mkdir()
    return tmp_path


def test_what_is_allowed_runs_and_writes_nothing_else(bench: Path) -> None:
    rules = [Rule("shell_exec", glob, Action.ALLOW) for glob in ALLOWED]
    layers = RuleLayers(remembered=[KnownRule(rule.value, Layer.REMEMBERED, rule, describe(rule)) for rule in rules])
    chosen = random.Random(7)
    lines = {chosen.choice(BEGINNINGS) + "".join(chosen.choices(PIECES, k=chosen.randint(1, 9))) for _ in range(LINES)}
    allowed = [
        line for line in sorted(lines) if _is_allowed(layers, line) and any(sign in line for sign in ("id", "f", "E"))
    ]
    assert len(allowed) > LINES // 100
    for line in allowed:
        for shell in SHELLS[:: 1 if os.environ.get("INSTAR_FAULTS_LONG") else 2]:
            subprocess.run(
                [shell, "-c", line], cwd=bench / "work", env={"PATH": str(bench / "bin")}, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=30,
            )  # fmt: skip
            assert not (bench / "ran").exists(), (shell, line)
            assert not list((bench / "work").iterdir()), (shell, line)


def _is_allowed(layers: RuleLayers, line: str) -> bool:
    verdict = judge(layers, Question("shell", values_of("shell", {"command": line}).values))
    return verdict.action is Action.ALLOW
