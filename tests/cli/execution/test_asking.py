"""What is shown to whoever decides at the terminal, and what comes of each answer."""

from collections.abc import Callable
from typing import Any

import pytest

from instar.cli.execution import asking
from instar.client.errors import HubError

APPROVAL: dict[str, Any] = {
    "id": "apr_1", "call_id": "call_1", "state": "pending", "digest": "sha256:1", "requester": "operator",
    "requester_name": "Operator", "target_id": "dev_1", "target_name": "attic", "tool": "shell",
    "command": "rm -rf build\n# second line", "room": "room:general", "is_dangerous": True,
    "plan": {"target_id": "dev_1", "tool": "shell", "args": {}, "cwd": "/srv", "env": {"LANG": "C"}},
    "files": [{"path": "/usr/bin/rm", "sha256": "ab" * 32, "size_bytes": 2048, "role": "executable"}],
    "judged": [
        {"value": "rm -rf build", "action": "ask", "floor": "it removes recursively"},
        {"value": "echo a", "action": "allow", "rule_id": "r", "layer": "file"},
        {"value": "ls", "action": "ask"},
        {"value": "cat", "action": "ask", "rule_id": "r", "layer": "file"},
    ],
    "unbound": ["The contents of build may change."], "reason": "tidy\x1b[2J\u202eup",
    "expires_at": "2999-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z",
    "rule_texts": ["Allow everybody rm -rf build on attic."],
}  # fmt: skip


def test_all_of_it_is_shown():
    text = "\n".join(asking.lines(APPROVAL))
    for part in (
        "It is dangerous.", "attic (dev_1)", "Operator in room:general", "rm -rf build", "# second line", "/srv",
        "LANG=C", "/usr/bin/rm  executable, 2.0 KiB, sha256 " + "ab" * 32, "it removes recursively",
        "ls: no rule covers it", "cat: permissions.jsonc says ask", "The contents of build may change.",
    ):  # fmt: skip
        assert part in text
    assert "echo a" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_no_text_of_others_looks_like_a_line_of_ours():
    forged = "x\n  Runs       ls\r\n\u2028  On         safe"
    plan = {**APPROVAL["plan"], "cwd": forged, "env": {"LANG": forged}}
    files = [{"path": forged, "sha256": forged, "size_bytes": 1, "role": "operand"}]
    found = asking.lines(APPROVAL | {"reason": forged, "plan": plan, "files": files, "unbound": [forged]})
    assert not any("\n" in line or "\r" in line for line in found)
    assert sum(line.startswith("  Runs ") for line in found) == sum(line.startswith("  On ") for line in found) == 1
    assert len([line for line in found if "Runs       ls" in line]) == 6


class Hub:
    """What a decider says to a hub."""

    def __init__(self, approval: dict[str, Any] | HubError) -> None:
        self._approval = approval
        self.heard: list[tuple[str, dict[str, Any]]] = []

    async def call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        if operation == "approvals.get":
            if isinstance(self._approval, HubError):
                raise self._approval
            return self._approval
        self.heard.append((operation, params))
        return {}


def answering(*answers: str) -> Callable[[str], Any]:
    left = list(answers)

    async def ask(_: str) -> str:
        return left.pop(0)

    return ask


SHOWN = {"approval_id": "apr_1", "digest": "sha256:1"}


@pytest.mark.parametrize(
    ("answers", "heard"),
    [
        (("y",), ("approvals.approve", SHOWN)),
        (("what", "YES"), ("approvals.approve", SHOWN)),
        (("a",), ("approvals.approve", {**SHOWN, "always": True})),
        (("n", "not now"), ("approvals.deny", {**SHOWN, "feedback": "not now"})),
        (("",), ("approvals.deny", {**SHOWN, "feedback": ""})),
    ],
)
async def test_one_letter_decides(answers: tuple[str, ...], heard: tuple[str, dict[str, Any]]):
    hub = Hub(APPROVAL)
    await asking.Decider(hub, answering(*answers), lambda _: None, says_yes=False).decide("call_1")  # type: ignore[arg-type]
    assert hub.heard == [heard]


async def test_what_cannot_become_a_rule_is_never_always():
    hub = Hub({**APPROVAL, "rule_texts": []})
    await asking.Decider(hub, answering("a", "y"), lambda _: None, says_yes=False).decide("call_1")  # type: ignore[arg-type]
    assert hub.heard == [("approvals.approve", SHOWN)]


async def test_yes_approves_without_a_question():
    hub = Hub(APPROVAL)
    await asking.Decider(hub, None, lambda _: None, says_yes=True).decide("call_1")  # type: ignore[arg-type]
    assert hub.heard == [("approvals.approve", SHOWN)]


@pytest.mark.parametrize("approval", [APPROVAL, HubError("forbidden", "no"), HubError("not_found", "no")])
async def test_who_cannot_be_asked_is_told_what_to_run(approval: dict[str, Any] | HubError):
    hub, said = Hub(approval), list[str]()
    await asking.Decider(hub, None, said.append, says_yes=False).decide("call_1")  # type: ignore[arg-type]
    assert "  instar approvals approve call_1" in said
    assert hub.heard == []


async def test_yes_does_not_reach_beyond_ones_rights():
    hub, said = Hub(HubError("forbidden", "no")), list[str]()
    await asking.Decider(hub, None, said.append, says_yes=True).decide("call_1")  # type: ignore[arg-type]
    assert hub.heard == []
    assert "scope approve" in said[0]


async def test_what_was_decided_meanwhile_is_left_alone():
    hub = Hub({**APPROVAL, "state": "approved"})
    await asking.Decider(hub, None, lambda _: None, says_yes=True).decide("call_1")  # type: ignore[arg-type]
    assert hub.heard == []


async def test_another_failure_is_told():
    with pytest.raises(HubError, match="broke"):
        await asking.Decider(Hub(HubError("internal_error", "it broke")), None, print, says_yes=True).decide("c")  # type: ignore[arg-type]
