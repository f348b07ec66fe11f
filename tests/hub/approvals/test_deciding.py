"""From the question to the decision, and what may come between."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.wire.approvals import Action, ApprovalState, Rule
from instar.wire.limits import APPROVAL_S, APPROVALS_MAX, APPROVALS_OF_ONE_MAX

from .conftest import World, draft


async def refused(code: str, doing: Any) -> InstarError:
    with pytest.raises(InstarError) as caught:
        await doing
    assert caught.value.code == code, caught.value
    return caught.value


async def test_a_call_is_asked_about_once_and_approved_once(world: World) -> None:
    asked = await world.ask(reason="it is time")
    assert asked == await world.ask(reason="it is time")
    assert (asked.state, asked.command, asked.target_name) == (ApprovalState.PENDING, "git push origin main", "box")
    assert [value.value for value in asked.judged] == ["git push origin main"]
    assert (await world.do(world.admin, "approvals.list")).approvals == [asked]
    approved = await world.do(world.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest)
    assert (approved.state, approved.decided_by) == (ApprovalState.APPROVED, world.admin.principal.id)
    assert world.decided == [approved]
    assert (await world.do(world.admin, "approvals.get", approval_id="call_1")) == approved
    await refused("conflict", world.do(world.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest))
    await refused("conflict", world.do(world.admin, "approvals.deny", approval_id=asked.id))
    assert [event.type for event in world.engine.of("approval.requested")] == ["approval.requested"]
    assert len(world.engine.of("approval.decided")) == 1
    assert (await world.ask(reason="it is time")).state is ApprovalState.APPROVED


async def test_rules_that_change_while_a_call_is_asked_about_hold(world: World) -> None:
    asking = draft("git push origin main")
    assert world.approvals.judge(asking).action is Action.ASK
    rule = {"tool": "*", "value": "git push*", "action": "deny"}
    await world.do(world.admin, "approvals.add_rule", rule=rule)
    asked = await world.approvals.request(asking)
    assert [value.action for value in asked.judged] == [Action.DENY]
    assert asked.rules == []
    await refused("denied", world.do(world.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest))


async def test_deny_says_why(world: World) -> None:
    asked = await world.ask()
    denied = await world.do(world.admin, "approvals.deny", approval_id=asked.id, feedback="use a branch")
    assert (denied.state, denied.feedback) == (ApprovalState.DENIED, "use a branch")
    for every in ({"state": None}, {"all": True}):
        listed = await world.do(world.admin, "approvals.list", **every)
        assert listed.approvals == [denied]
    assert (await world.do(world.admin, "approvals.list", state="approved")).approvals == []


async def test_another_plan_under_the_same_call_is_refused(world: World) -> None:
    await world.ask("ls a")
    await refused("plan_changed", world.ask("ls b"))
    sound = draft("ls c", "call_2")
    forged = msgspec.structs.replace(sound, prepared=msgspec.structs.replace(sound.prepared, digest="sha256:0"))
    await refused("plan_changed", world.approvals.request(forged))


async def test_always_remembers_exactly_what_was_shown_and_judges_again(world: World) -> None:
    asked = await world.ask("git push origin main && npm run build -- --fast", "call_1")
    alike = await world.ask("git push other", "call_2")
    other = await world.ask("cargo build x", "call_3")
    elsewhere = await world.ask("git push other", "call_4", requester="agent_x", agent_id="x")
    assert [rule.value for rule in asked.rules] == ["git push *", "npm run build *"]
    assert asked.rule_texts == [
        "Allow the command `git push *` on `dev_1` (box) for agent `coder`, without asking.",
        "Allow the command `npm run build *` on `dev_1` (box) for agent `coder`, without asking.",
    ]
    await world.do(world.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest, always=True)
    rules = (await world.do(world.admin, "approvals.rules")).rules
    remembered = [rule for rule in rules if rule.layer == "remembered"]
    assert [rule.rule for rule in remembered] == asked.rules
    assert [rule.text for rule in remembered] == asked.rule_texts
    assert {each.call_id: each.state for each in world.decided} == {
        "call_1": ApprovalState.APPROVED, "call_2": ApprovalState.APPROVED,
    }  # fmt: skip
    assert world.decided[1].decided_by == f"rule:{remembered[0].id}"
    assert [each.id for each in (await world.do(world.admin, "approvals.list")).approvals] == [other.id, elsewhere.id]
    assert alike.state is ApprovalState.PENDING
    assert world.approvals.judge(draft("git push x", "call_5")).action is Action.ALLOW


@pytest.mark.parametrize(("command", "more"), [
    ("git push --force", {}), ("echo $HOME", {}), ("ls > a", {}), ("A=1 ls", {}),
    ("ls", {"is_ruleable": False}), ("ls", {"is_lax": True}), ("sudo ls", {}), ("python -c x", {}),
])  # fmt: skip
async def test_what_is_unbound_dangerous_or_unclear_cannot_become_a_rule(
    world: World, command: str, more: dict[str, Any]
) -> None:
    asked = await world.ask(command, **more)
    assert asked.rules == []
    ask = world.do(world.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest, always=True)
    await refused("conflict", ask)
    await world.do(world.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest)
    assert world.engine.of("rule.added") == []


async def test_what_asks_for_less_of_a_sandbox_is_never_settled_by_a_rule(world: World) -> None:
    lax = await world.ask("git push origin main", is_lax=True)
    usual = await world.ask("git push origin main", call_id="call_2")
    await world.do(world.admin, "approvals.approve", approval_id=usual.id, digest=usual.digest, always=True)
    still = await world.do(world.admin, "approvals.get", approval_id=lax.id)
    assert still.state is ApprovalState.PENDING


async def test_always_for_a_while(world: World) -> None:
    asked = await world.ask("git push x")
    await world.do(
        world.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest, always=True, expires_in_s=60
    )
    assert world.approvals.judge(draft("git push y", "call_2")).action is Action.ALLOW
    world.forward(61)
    assert world.approvals.judge(draft("git push y", "call_2")).action is Action.ASK
    await world.approvals.expire()
    assert len(world.engine.of("rule.removed")) == 1


async def test_a_rule_for_people_is_none_for_agents(world: World) -> None:
    asked = await world.ask("git push x", requester="operator", agent_id="")
    await world.do(world.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest, always=True)
    assert world.approvals.judge(draft("git push y", "c", requester="operator", agent_id="")).action is Action.ALLOW
    assert world.approvals.judge(draft("git push y", "c")).action is Action.ASK


async def test_what_an_agent_may_never_do_is_never_settled_by_a_rule(world: World) -> None:
    deny = Rule("shell_exec", "git push *", Action.DENY)
    asked = await world.ask("git push a && ls", "call_1")
    waiting = await world.ask("git push b", "call_2")
    rules = [msgspec.to_builtins(deny)]
    await world.do(world.admin, "approvals.set_agent_rules", agent_id="coder", rules=rules)
    assert world.approvals.judge(draft("git push c", "call_3")).action is Action.DENY
    for each in (asked, waiting):
        approve = world.do(world.admin, "approvals.approve", approval_id=each.id, digest=each.digest, always=True)
        await refused("denied", approve)
    assert world.decided == []
    await world.do(world.admin, "approvals.set_agent_rules", agent_id="coder", rules=[])
    await world.do(world.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest)


async def test_it_expires(world: World) -> None:
    asked = await world.ask()
    world.forward(APPROVAL_S)
    await refused("expired", world.do(world.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest))
    await world.approvals.expire()
    assert [each.state for each in world.decided] == [ApprovalState.EXPIRED]
    world.approvals.obey(5.0)
    later = await world.ask(call_id="call_2")
    assert later.expires_at > later.created_at


async def test_it_expires_once_the_disk_takes_it_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = [InstarError("storage_full", "the disk is full"), None]
    real = world.engine.store.transact

    async def transact(work: Callable[..., Any]) -> Any:
        if refusals and (refusal := refusals.pop(0)) is not None:
            raise refusal
        return await real(work)

    monkeypatch.setattr("instar.hub.approvals.approvals._LOOK_S", 0.01)
    asked = await world.ask()
    monkeypatch.setattr(world.engine.store, "transact", transact)
    world.forward(APPROVAL_S + 1)
    for _ in range(2_000):
        if world.decided:
            break
        await asyncio.sleep(0.002)
    assert [(each.id, each.state) for each in world.decided] == [(asked.id, ApprovalState.EXPIRED)]
    assert not refusals


async def test_a_call_that_ends_takes_its_approval_with_it(world: World) -> None:
    asked = await world.ask()
    await world.approvals.cancel("call_1", "the call was cancelled")
    await world.approvals.cancel("call_1", "again")
    await world.approvals.cancel("call_9", "never asked")
    assert [(each.id, each.state) for each in world.decided] == [(asked.id, ApprovalState.CANCELLED)]
    await refused("conflict", world.do(world.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest))


async def test_what_waits_survives_a_restart(world: World, make_engine: Callable[..., Any]) -> None:
    asked = await world.ask()
    kept = await world.ask("ls", "call_2")
    await world.do(world.admin, "approvals.approve", approval_id=kept.id, digest=kept.digest, always=True)
    again = World(await make_engine())
    await again.approvals.load()
    assert (await again.do(again.admin, "approvals.list")).approvals == [asked]
    assert again.approvals.judge(draft("ls", "call_3")).action is Action.ALLOW
    assert await again.ask() == asked
    await again.do(again.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest)
    assert [each.state for each in again.decided] == [ApprovalState.APPROVED]


async def test_only_people_with_the_scope_decide(world: World) -> None:
    asked = await world.ask()
    agent = await world.engine.agent("coder")
    named = await world.key("approve", "attach", agents=["coder"])
    everything = await world.key("observe", "write", "execute", "admin")
    for caller in (agent, named, everything):
        for name in ("approvals.approve", "approvals.deny", "approvals.get"):
            digest = {"digest": asked.digest} if name == "approvals.approve" else {}
            with pytest.raises(InstarError) as caught:
                await world.do(caller, name, approval_id=asked.id, **digest)
            assert caught.value.code in ("forbidden", "not_found")
    approver = await world.key("approve")
    await world.do(approver, "approvals.approve", approval_id=asked.id, digest=asked.digest)


async def test_a_grant_that_is_confined_to_rooms_decides_there_alone(world: World) -> None:
    await world.engine.room("mine")
    confined = await world.key("approve", rooms=["mine"])
    theirs = await world.ask("ls a", "call_1")
    mine = await world.ask("ls b", "call_2", room="room:mine")
    assert [each.id for each in (await world.do(confined, "approvals.list")).approvals] == [mine.id]
    await refused("not_found", world.do(confined, "approvals.approve", approval_id=theirs.id, digest=theirs.digest))
    always = world.do(confined, "approvals.approve", approval_id=mine.id, digest=mine.digest, always=True)
    await refused("forbidden", always)
    await refused("forbidden", world.do(confined, "approvals.rules"))
    await world.do(confined, "approvals.approve", approval_id=mine.id, digest=mine.digest)


async def test_listing_waits_for_something_to_decide(world: World) -> None:
    listing = asyncio.create_task(world.do(world.admin, "approvals.list", wait=30))
    await asyncio.sleep(0)
    asked = await world.ask()
    assert (await listing).approvals == [asked]
    other_room = asyncio.create_task(world.do(world.admin, "approvals.list", room="room:x", wait=0.05))
    assert (await other_room).approvals == []


@pytest.mark.parametrize(("requester", "count"), [("", APPROVALS_MAX), ("agent_coder", APPROVALS_OF_ONE_MAX)])
async def test_there_is_an_end_to_what_may_wait(world: World, requester: str, count: int) -> None:
    async def many(tx: Any) -> None:
        for at in range(count):
            await tx.execute(
                "INSERT INTO approvals (org, id, call_id, digest, plan_digest, state, requester, room, body, question,"
                " created_at, expires_at) VALUES ('home', ?1, ?1, 'd', 'd', 'pending', ?2, '', '{}', '{}', 0, 0)",
                f"filler_{at}", requester,
            )  # fmt: skip

    await world.engine.store.transact(many)
    await refused("overloaded", world.ask())


async def test_hidden_characters_are_written_out(world: World) -> None:
    asked = await world.ask("echo a\u202e\x1b[2J\r\nrm b")
    assert asked.command == "echo a\\u202e\\x1b[2J\\x0d\nrm b"
    assert asked.rules == []
