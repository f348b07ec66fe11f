import asyncio

import pytest

from instar.base.errors import InstarError


def texts(inbox):
    return [item.event.message["parts"][0]["text"] for item in inbox.items]


async def refused(code, awaitable):
    with pytest.raises(InstarError) as caught:
        await awaitable
    assert caught.value.code == code, caught.value


async def test_an_agent_away_for_a_thousand_messages_gets_all_in_order_and_none_again(make_engine):
    engine = await make_engine()
    await engine.agent("beta")
    await engine.room("review", "beta")
    for start in range(0, 1_000, 250):
        batch = [
            {"target": {"kind": "room", "room_id": "review"}, "parts": [{"kind": "text", "text": str(at)}]}
            for at in range(start, start + 250)
        ]
        await engine.do(engine.admin, "messages.send_batch", messages=batch)

    engine = await make_engine()
    got: list[str] = []
    while (page := await engine.do(engine.admin, "inbox.read", agent_id="beta", limit=100)).items:
        got += texts(page)
        settled = await engine.do(
            engine.admin,
            "inbox.ack",
            agent_id="beta",
            items=[item.seq for item in page.items],
            lease=page.items[0].lease,
        )
        assert settled.settled == len(page.items)
    assert got == [str(at) for at in range(1_000)]

    engine = await make_engine()
    page = await engine.do(engine.admin, "inbox.read", agent_id="beta")
    assert page.items == []
    rows = await engine.store.read(lambda reader: reader.rows("SELECT seq FROM inbox"))
    assert rows == []


async def test_an_acknowledgement_out_of_order_outlives_a_restart(make_engine):
    engine = await make_engine()
    await engine.agent("beta")
    await engine.room("review", "beta")
    sent = [(await engine.say(engine.admin, text)).seq for text in "abc"]
    await engine.do(engine.admin, "inbox.read", agent_id="beta")
    await engine.do(engine.admin, "inbox.ack", agent_id="beta", items=[sent[1]])
    engine = await make_engine(lease_s=0.0)
    look = await engine.do(engine.admin, "inbox.read", agent_id="beta", lease=False, state="leased")
    assert [item.seq for item in look.items] == [sent[0], sent[2]]
    again = await engine.do(engine.admin, "inbox.ack", agent_id="beta", items=[sent[1]])
    assert again.settled == 0
    done = await engine.do(engine.admin, "inbox.ack", agent_id="beta", up_to=sent[2])
    assert (done.settled, done.low_water >= sent[2]) == (2, True)


@pytest.mark.parametrize(
    ("wake", "expected"),
    [
        ("all", ["plain", "hey @beta.", "threaded"]),
        ("mentions", ["hey @beta."]),
        ("thread_only", ["threaded"]),
        ("never", []),
    ],
)
async def test_the_wake_policy_picks_the_items(engine, wake, expected):
    await engine.agent("beta", wake=wake)
    beta = await engine.agent("gamma")
    await engine.room("review", "beta", "gamma")
    await engine.say(engine.admin, "plain")
    await engine.say(beta, "hey @beta.")
    await engine.say(engine.admin, "threaded", target={"kind": "thread", "room_id": "review", "thread_id": "t1"})
    page = await engine.do(engine.admin, "inbox.read", agent_id="beta")
    assert texts(page) == expected


async def test_own_messages_never_wake_and_a_long_poll_wakes_at_once(engine):
    beta = await engine.agent("beta")
    await engine.room("review", "beta")
    await engine.say(beta, "mine")
    polling = asyncio.create_task(engine.do(beta, "inbox.read", agent_id="beta", wait=30))
    await engine.until(lambda: engine.delivery.bell._by_room)
    await engine.say(engine.admin, "yours")
    assert texts(await polling) == ["yours"]
    assert engine.delivery.bell._by_room == {}


async def test_a_poison_message_is_dead_lettered_and_replayed(make_engine):
    engine = await make_engine(attempts=2, lease_s=0.0)
    await engine.agent("beta")
    await engine.room("review", "beta")
    seq = (await engine.say(engine.admin, "poison")).seq
    for _ in range(2):
        page = await engine.do(engine.admin, "inbox.read", agent_id="beta")
        assert [item.seq for item in page.items] == [seq]
    assert (await engine.do(engine.admin, "inbox.read", agent_id="beta")).items == []
    [failed] = engine.of("agent.wake.failed")
    assert failed.room == "room:review"
    dead = await engine.do(engine.admin, "inbox.read", agent_id="beta", state="dead")
    assert [(item.seq, item.state) for item in dead.items] == [(seq, "dead")]
    await engine.do(engine.admin, "inbox.replay", agent_id="beta", items=[seq])
    page = await engine.do(engine.admin, "inbox.read", agent_id="beta")
    assert [(item.seq, item.attempts) for item in page.items] == [(seq, 1)]
    await refused("not_found", engine.do(engine.admin, "inbox.replay", agent_id="beta", items=[seq]))


async def test_a_nack_waits_before_the_item_comes_again_and_final_ends_it(engine):
    await engine.agent("beta")
    await engine.room("review", "beta")
    first = (await engine.say(engine.admin, "one")).seq
    second = (await engine.say(engine.admin, "two")).seq
    page = await engine.do(engine.admin, "inbox.read", agent_id="beta")
    lease = page.items[0].lease
    await engine.do(engine.admin, "inbox.nack", agent_id="beta", items=[first], reason="no model", lease=lease)
    await engine.do(engine.admin, "inbox.nack", agent_id="beta", items=[second], reason="bad", lease=lease, final=True)
    failed = await engine.do(engine.admin, "inbox.read", agent_id="beta", state="failed")
    assert [(item.seq, item.error, bool(item.retry_at)) for item in failed.items] == [(first, "no model", True)]
    assert len(engine.of("agent.wake.failed")) == 1
    await refused("lease_lost", engine.do(engine.admin, "inbox.ack", agent_id="beta", items=[first], lease=lease))
    again = await engine.do(engine.admin, "inbox.read", agent_id="beta", wait=10)
    assert [(item.seq, item.attempts) for item in again.items] == [(first, 2)]


async def test_a_paused_agent_and_a_stopped_hub_are_given_nothing_until_resumed(engine):
    beta = await engine.agent("beta")
    await engine.room("review", "beta")
    await engine.say(engine.admin, "hello")
    await engine.do(engine.admin, "agents.pause", agent_id="beta")
    assert (await engine.do(beta, "inbox.read", agent_id="beta")).items == []
    await refused("paused", engine.say(beta, "no"))
    await engine.do(engine.admin, "agents.resume", agent_id="beta")
    await engine.do(engine.admin, "agents.stop_all", reason="fire")
    assert (await engine.do(beta, "inbox.read", agent_id="beta")).items == []
    with pytest.raises(InstarError, match="all agents are stopped: fire"):
        await engine.say(beta, "no")
    polling = asyncio.create_task(engine.do(beta, "inbox.read", agent_id="beta", wait=30))
    await asyncio.sleep(0)
    await engine.do(engine.admin, "agents.resume_all")
    assert texts(await polling) == ["hello"]


async def test_stop_all_outlives_a_restart(make_engine):
    engine = await make_engine()
    await engine.do(engine.admin, "agents.stop_all", reason="fire")
    engine = await make_engine()
    assert (engine.delivery.switch.is_stopped, engine.delivery.switch.reason) == (True, "fire")


async def test_who_left_a_room_is_not_given_its_messages(engine):
    await engine.agent("beta")
    await engine.room("review", "beta")
    await engine.say(engine.admin, "secret")
    assert (await engine.do(engine.admin, "agents.get", agent_id="beta")).pending_count == 1
    await engine.do(engine.admin, "rooms.members", room_id="review", remove=["beta"])
    assert (await engine.do(engine.admin, "inbox.read", agent_id="beta")).items == []


async def test_refusals(engine):
    await engine.agent("beta")
    await refused("unprocessable_entity", engine.do(engine.admin, "inbox.ack", agent_id="beta"))
    await refused("unprocessable_entity", engine.do(engine.admin, "inbox.ack", agent_id="beta", up_to=10_000))
    await refused("unprocessable_entity", engine.do(engine.admin, "inbox.read", agent_id="beta", state="acked"))
    await refused("not_found", engine.do(engine.admin, "inbox.read", agent_id="nobody"))
