"""A policy that changes while the hub runs."""

import pytest

from instar.base.errors import InstarError
from instar.hub.delivery.policy import DeliveryPolicy


async def test_another_policy_holds_from_then_on(make_engine):
    engine = await make_engine(clock=lambda: 0.0)
    alpha = await engine.agent("alpha")
    await engine.room("review", "alpha")
    for number in range(3):
        await engine.say(alpha, f"free {number}")
    engine.delivery.obey(DeliveryPolicy(agent_messages_per_s=1.0))
    await engine.say(alpha, "one")
    with pytest.raises(InstarError, match="1 messages a second") as caught:
        await engine.say(alpha, "two")
    assert caught.value.code == "rate_limited"
    engine.delivery.obey(DeliveryPolicy(room_messages_per_s=1.0))
    await engine.say(alpha, "three")
    with pytest.raises(InstarError, match="room:review takes 1 messages a second"):
        await engine.say(alpha, "four")


async def test_other_loop_limits_hold_from_then_on(make_engine):
    engine = await make_engine(clock=lambda: 0.0)
    alpha = await engine.agent("alpha")
    await engine.room("review", "alpha")
    first = await engine.say(engine.admin, "discuss")
    engine.delivery.obey(DeliveryPolicy(room_per_min=1, cool_down_s=7))
    await engine.say(alpha, "one", reply_to=first.message_id)
    page = await engine.do(engine.admin, "inbox.read", agent_id="alpha")
    await engine.do(alpha, "inbox.ack", agent_id="alpha", items=[item.seq for item in page.items])
    await engine.say(alpha, "two")
    with pytest.raises(InstarError) as caught:
        await engine.say(alpha, "three")
    assert (caught.value.code, caught.value.retry_after_s) == ("loop_stopped", 7)


async def test_other_leases_and_attempts_hold_from_then_on(make_engine):
    engine = await make_engine()
    await engine.agent("beta")
    await engine.room("review", "beta")
    await engine.say(engine.admin, "yours")
    engine.delivery.obey(DeliveryPolicy(lease_s=0.0, attempts=1))
    assert len((await engine.do(engine.admin, "inbox.read", agent_id="beta")).items) == 1
    assert (await engine.do(engine.admin, "inbox.read", agent_id="beta")).items == []
    dead = await engine.do(engine.admin, "inbox.read", agent_id="beta", state="dead")
    assert [item.attempts for item in dead.items] == [1]
