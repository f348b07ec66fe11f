"""Rules: the static file, remembered ones, and what they would answer."""

import os
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.policy.routing import TargetFacts
from instar.policy.rules import DEFAULT_FILE
from instar.wire.approvals import Action

from .conftest import World, draft


async def test_the_default_file_is_written_where_it_can_be_edited(world: World) -> None:
    assert world.file.read_text() == DEFAULT_FILE
    assert world.file.stat().st_mode & 0o777 == 0o600
    listed = await world.do(world.admin, "approvals.rules")
    assert (listed.file, listed.file_fault) == (str(world.file), "")
    assert [rule.layer for rule in listed.rules] == ["file"] * len(listed.rules)


async def test_the_file_is_read_anew_when_it_changes(world: World) -> None:
    assert world.approvals.judge(draft("ls")).action is Action.ASK
    world.file.write_text('{"shell_exec": {"ls": "allow"}}')
    assert world.approvals.judge(draft("ls")).action is Action.ALLOW
    world.file.unlink()
    assert world.approvals.judge(draft("ls")).action is Action.ASK
    assert world.approvals.fault == ""


@pytest.mark.parametrize("text", ["{", '{"*": "yes"}', "\x00", ""])
async def test_a_file_that_cannot_be_read_lets_nothing_run_and_says_so(world: World, text: str) -> None:
    rule = {"tool": "*", "value": "*", "action": "allow"}
    await world.do(world.admin, "approvals.add_rule", rule=rule)
    assert world.approvals.judge(draft("ls")).action is Action.ALLOW
    world.file.write_text(text)
    verdict = world.approvals.judge(draft("ls"))
    assert verdict.action is Action.ASK
    assert str(world.file) in verdict.judged[0].unclear
    assert str(world.file) in (await world.do(world.admin, "approvals.rules")).file_fault


async def test_a_file_that_others_may_write_is_not_obeyed(world: World) -> None:
    world.file.write_text('{"*": "allow"}')
    world.file.chmod(0o666)
    assert world.approvals.judge(draft("ls")).action is Action.ASK
    assert "chmod 600" in world.approvals.fault
    world.file.chmod(0o600)
    os.utime(world.file, ns=(1, 1))
    assert world.approvals.judge(draft("ls")).action is Action.ALLOW


async def test_a_folder_is_no_file(world: World) -> None:
    world.file.unlink()
    world.file.mkdir()
    assert world.approvals.judge(draft("ls")).action is Action.ASK
    assert world.approvals.fault


async def test_importing_replaces_the_file_whole_or_not_at_all(world: World) -> None:
    text = '// ours\n{"shell_exec": {"git *": "allow", "~/x": "deny"}}'
    checked = await world.do(world.admin, "approvals.import", text=text, check_only=True)
    assert world.file.read_text() == DEFAULT_FILE
    imported = await world.do(world.admin, "approvals.import", text=text)
    assert imported.rules == checked.rules
    assert [rule.rule.value for rule in imported.rules] == ["git *", f"{Path.home()}/x"]
    assert world.file.read_text() == text
    assert len(world.engine.of("rules.replaced")) == 1
    with pytest.raises(InstarError) as caught:
        await world.do(world.admin, "approvals.import", text='{"a": 1}')
    assert caught.value.code == "unprocessable_entity"
    assert world.file.read_text() == text


async def test_remembered_rules_come_and_go(world: World) -> None:
    rule = {"tool": "shell_exec", "value": "ls *", "action": "allow", "agent": "coder"}
    first = await world.do(world.admin, "approvals.add_rule", rule=rule)
    second = await world.do(world.admin, "approvals.add_rule", rule={**rule, "action": "deny"})
    assert (first.position, second.position) == (1, 2)
    assert first.text == "Allow the command `ls *` for agent `coder`, without asking."
    assert world.approvals.judge(draft("ls a")).action is Action.DENY
    removed = await world.do(world.admin, "approvals.remove_rule", rule_id=second.id)
    assert removed == second
    assert world.approvals.judge(draft("ls a")).action is Action.ALLOW
    with pytest.raises(InstarError) as caught:
        await world.do(world.admin, "approvals.remove_rule", rule_id=second.id)
    assert caught.value.code == "not_found"


@pytest.mark.parametrize("expires_at", ["soon", "2020-01-01T00:00:00Z"])
async def test_a_rule_has_a_time_to_come(world: World, expires_at: str) -> None:
    rule = {"tool": "a", "value": "b", "action": "deny", "expires_at": expires_at}
    for name, params in (
        ("approvals.add_rule", {"rule": rule}),
        ("approvals.set_agent_rules", {"agent_id": "coder", "rules": [rule]}),
    ):
        with pytest.raises(InstarError) as caught:
            await world.do(world.admin, name, **params)
        assert caught.value.code == "unprocessable_entity"


async def test_rules_are_asked_without_a_call(world: World) -> None:
    world.approvals.find_target = lambda ref: (
        TargetFacts("dev_1", "box", "node", {"os": "linux"}, True) if ref else None
    )
    rule = {"tool": "*", "value": "rm *", "action": "deny", "target": "label:os=linux"}
    await world.do(world.admin, "approvals.add_rule", rule=rule)
    ask = {"tool": "shell", "command": "sudo rm x", "target": "box"}
    verdict = await world.do(world.admin, "approvals.judge", **ask)
    assert (verdict.action, verdict.is_dangerous) == (Action.DENY, True)
    verdict = await world.do(world.admin, "approvals.judge", tool="exec", command="git log 'a b'", agent_id="coder")
    assert (verdict.action, [each.value for each in verdict.rules]) == (Action.ASK, ["git log *"])
    verdict = await world.do(world.admin, "approvals.judge", tool="read_file", path="a/.env")
    assert verdict.action is Action.DENY
    with pytest.raises(InstarError) as caught:
        await world.do(world.admin, "approvals.judge", tool="exec", command="git 'log")
    assert caught.value.code == "unprocessable_entity"


async def test_a_search_carries_what_is_said_of_reading_there(world: World) -> None:
    box, other = (
        TargetFacts("dev_1", "box", "node", {"os": "linux"}, True),
        TargetFacts("dev_2", "it", "node", {}, True),
    )
    world.file.write_text(
        '[{"tool": "read_*", "value": "*.env", "action": "deny", "target": "label:os=linux"},'
        ' {"tool": "write_file", "value": "*", "action": "deny"}]'
    )
    rule = {"tool": "*", "value": "*.key", "action": "ask", "agent": "coder"}
    await world.do(world.admin, "approvals.add_rule", rule=rule)

    def carried(tool: str, target: TargetFacts, agent_id: str) -> list[tuple[str, str, str]]:
        found = world.approvals.read_rules(tool, target, agent_id, "")
        return [(each.layer, each.value, each.action) for each in found]

    assert carried("grep", box, "coder") == [("file", "*.env", "deny"), ("remembered", "*.key", "ask")]
    assert carried("grep", box, "") == [("file", "*.env", "deny")]
    assert carried("grep", other, "") == carried("read_file", box, "coder") == []
