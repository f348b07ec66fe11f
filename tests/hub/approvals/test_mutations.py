"""S-25: between showing and deciding anything may be changed; nothing of it is ever approved."""

import random
from typing import Any, cast

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.hub.approvals.records import ApprovalRecord
from instar.wire.approvals import Action, ApprovalState, Rule

from .conftest import World, draft

MUTATIONS = 1_000


def changed(value: Any, chosen: random.Random) -> Any:
    """Return another value of the same shape."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + chosen.randint(1, 9)
    if isinstance(value, str):
        return value + chosen.choice(["x", " ", "\u200b", ";id"]) if chosen.random() < 0.7 or not value else value[1:]
    if isinstance(value, dict):
        return {**cast("dict[str, Any]", value), chosen.choice(["LD_PRELOAD", "A", "argv", "command"]): "x"}
    if isinstance(value, list | tuple):
        return [*value, *value[:1]] if value else ["x"]
    return "x"


def mutated(body: dict[str, Any], chosen: random.Random) -> dict[str, Any]:
    """Return the stored approval with one thing of it changed, at any depth; the decision and its digest stay."""
    at: Any = body
    while True:
        keys: list[Any] = list(at) if isinstance(at, dict) else list(range(len(at)))  # pyright: ignore[reportUnknownArgumentType]
        key: Any = chosen.choice([each for each in keys if each not in ("digest", "state")])
        if isinstance(at[key], dict | list) and at[key] and chosen.random() < 0.8:
            at = cast("Any", at[key])
            continue
        at[key] = changed(at[key], chosen)
        return body


async def test_nothing_that_was_changed_after_it_was_shown_is_approved(world: World) -> None:
    chosen = random.Random(25)
    asked = await world.ask(reason="why", room="room:x", unbound=["a script"])
    row = await world.engine.store.read(lambda reader: reader.row("SELECT body FROM approvals WHERE id = ?1", asked.id))
    assert row is not None
    sound: str = row[0]
    tried = 0
    while tried < MUTATIONS:
        body = msgspec.json.encode(mutated(msgspec.json.decode(sound), chosen)).decode()
        if not is_another(body, sound):
            continue
        tried += 1
        await world.engine.store.transact(
            lambda tx, body=body: tx.execute("UPDATE approvals SET body = ?2 WHERE id = ?1", asked.id, body)
        )
        try:
            await world.do(
                world.admin,
                "approvals.approve",
                approval_id=asked.id,
                digest=asked.digest,
                always=chosen.random() < 0.3,
            )
        except (InstarError, msgspec.MsgspecError):
            continue
        raise AssertionError(body)
    assert world.decided == []
    assert world.engine.of("rule.added") == []
    await world.engine.store.transact(
        lambda tx: tx.execute("UPDATE approvals SET body = ?2 WHERE id = ?1", asked.id, sound)
    )
    await world.do(world.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest)


def is_another(body: str, sound: str) -> bool:
    """Whether a change of the stored text means something else: an unknown member is not read at all."""
    try:
        return msgspec.json.decode(body, type=ApprovalRecord) != msgspec.json.decode(sound, type=ApprovalRecord)
    except msgspec.MsgspecError:
        return True


async def test_no_other_digest_decides(world: World) -> None:
    chosen = random.Random(7)
    asked = await world.ask()
    for _ in range(200):
        at = chosen.randrange(len(asked.digest))
        other = asked.digest[:at] + chosen.choice("0123456789abcdefX") + asked.digest[at + 1 :]
        if other == asked.digest:
            continue
        for name in ("approvals.approve", "approvals.deny"):
            with pytest.raises(InstarError) as caught:
                await world.do(world.admin, name, approval_id=asked.id, digest=other)
            assert caught.value.code == "conflict"
    assert world.decided == []


async def test_what_is_settled_by_a_new_rule_must_be_whole_as_well(world: World) -> None:
    asked = await world.ask("git push a", "call_1")
    await world.ask("git push b", "call_2")
    waiting = world.approvals._waiting  # pyright: ignore[reportPrivateUsage] # only a fault could change it
    known = waiting.get("call_2")
    assert known is not None
    waiting._records[known.id] = msgspec.structs.replace(known, requester_name="another")  # pyright: ignore[reportPrivateUsage]
    await world.do(world.admin, "approvals.approve", approval_id=asked.id, digest=asked.digest, always=True)
    assert [each.call_id for each in world.decided] == ["call_1"]


async def test_a_plan_for_something_else_is_never_allowed_by_rule(world: World) -> None:
    rule = msgspec.to_builtins(Rule("*", "*", Action.ALLOW))
    await world.do(world.admin, "approvals.add_rule", rule=rule)
    assert world.approvals.judge(draft("ls")).action is Action.ALLOW
    sound = draft("ls").prepared.plan
    for other in (
        msgspec.structs.replace(sound, argv=["/bin/sh", "-c", "id"]),
        msgspec.structs.replace(sound, argv=["/bin/echo", "-c", "ls"]),
        msgspec.structs.replace(sound, tool="exec"),
        msgspec.structs.replace(sound, args=msgspec.Raw(b"[1]")),
    ):
        assert world.approvals.judge(draft(plan=other)).action is Action.ASK
    asked = await world.ask()
    assert asked.state is ApprovalState.PENDING
