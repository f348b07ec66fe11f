import msgspec
import pytest

from instar.base.errors import InstarError
from instar.hub.delivery.loops import Loops
from instar.hub.delivery.policy import DeliveryPolicy
from instar.wire.events import RoomKey
from instar.wire.limits import LOOP_CAUSE_WINDOW_S

ROOM = RoomKey("room:review")


class Clock:
    def __init__(self):
        self.at = 0.0

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


async def answer(engine, agent_id, caller, text):
    """Lease what waits, and answer it."""
    page = await engine.do(caller, "inbox.read", agent_id=agent_id)
    if page.items:
        await engine.do(caller, "inbox.ack", agent_id=agent_id, up_to=page.items[-1].seq)
    return await engine.say(caller, text)


async def test_two_agents_answering_each_other_are_stopped_with_one_visible_event(make_engine, clock):
    engine = await make_engine(clock=clock)
    agents = [("alpha", await engine.agent("alpha")), ("beta", await engine.agent("beta"))]
    await engine.room("review", "alpha", "beta")
    await engine.say(engine.admin, "discuss")
    for turn in range(20):
        await answer(engine, *agents[turn % 2], f"turn {turn}")
    with pytest.raises(InstarError) as stopped:
        await answer(engine, *agents[0], "one too many")
    assert (stopped.value.code, stopped.value.retry_after_s) == ("loop_stopped", 60.0)
    for agent_id, caller in agents:
        with pytest.raises(InstarError, match="cools down"):
            await answer(engine, agent_id, caller, "again")
    await engine.until(lambda: engine.of("loop.stopped"))
    [event] = engine.of("loop.stopped")
    loop = msgspec.json.decode(event.payload)
    assert event.room == ROOM
    assert (loop["hops"], loop["agents"]) == (21, ["molt://local/agents/alpha", "molt://local/agents/beta"])

    await engine.say(engine.admin, "calm down")
    for agent_id, caller in agents:
        await answer(engine, agent_id, caller, "sorry")


async def test_hops_are_inherited_from_what_was_delivered_not_from_what_was_sent(engine):
    alpha, beta = await engine.agent("alpha"), await engine.agent("beta")
    await engine.room("review", "alpha", "beta")
    feed, socket = await engine.feed(beta, agent_id="beta")
    await engine.say(engine.admin, "go")
    await answer(engine, "alpha", alpha, "first")
    await engine.say(beta, "unaware")
    engine.delivery.acknowledge(feed, "beta", socket.of("message.created")[1]["id"])
    await engine.say(beta, "aware")
    await engine.say(beta, "named", cause=socket.of("message.created")[1]["id"])
    hops = [event["message"].get("hops", 0) for event in socket.of("message.created")]
    assert hops == [0, 1, 0, 2, 2]
    assert socket.of("message.created")[3]["message"]["cause"] == socket.of("message.created")[1]["id"]


async def test_message_rates_of_agents_and_rooms(make_engine, clock):
    engine = await make_engine(clock=clock, agent_messages_per_s=1.0)
    beta = await engine.agent("beta")
    await engine.room("review", "beta")
    await engine.say(beta, "one")
    with pytest.raises(InstarError) as refused:
        await engine.say(beta, "two")
    assert (refused.value.code, refused.value.retry_after_s) == ("rate_limited", 1.0)
    await engine.say(engine.admin, "people are not agents")
    clock.at = 1.0
    await engine.say(beta, "two")

    engine = await make_engine(clock=clock, room_messages_per_s=1.0)
    await engine.say(engine.admin, "one")
    with pytest.raises(InstarError, match="room:review"):
        await engine.say(engine.admin, "two")


async def test_answering_a_person_often_is_no_exchange_between_agents(make_engine, clock):
    engine = await make_engine(clock=clock, pair_per_min=1)
    beta = await engine.agent("beta")
    await engine.room("review", "beta")
    for turn in range(3):
        sent = await engine.say(engine.admin, f"question {turn}")
        await engine.say(beta, f"answer {turn}", cause=sent.event_id)
    assert engine.of("loop.stopped") == []


def loops(clock, **policy):
    return Loops(DeliveryPolicy(**policy), clock)


def test_the_rate_of_a_pair_and_of_a_room(clock):
    pair = loops(clock, pair_per_min=2, room_per_min=0)
    verdicts = [
        pair.judge(ROOM, sender, 1, cause) for sender, cause in [("a", "b"), ("b", "a"), ("c", "a"), ("a", "b")]
    ]
    assert [bool(each.stop) for each in verdicts] == [False, False, False, True]
    assert "between two agents" in verdicts[-1].stop

    room = loops(clock, pair_per_min=0, room_per_min=2)
    verdicts = [room.judge(ROOM, sender, 1, "x") for sender in "abc"]
    assert [bool(each.stop) for each in verdicts] == [False, False, True]


def test_a_cool_down_refuses_once_visibly_then_silently_and_ends(clock):
    guard = loops(clock, max_hops=1, cool_down_s=10.0)
    assert guard.judge(ROOM, "a", 2, "b").stop
    clock.at = 4.0
    assert guard.judge(ROOM, "a", 1, "b") == (6.0, "")
    clock.at = 10.0
    assert guard.judge(ROOM, "a", 1, "b") == (0.0, "")


def test_a_person_ends_a_cool_down_and_the_chain(clock):
    guard = loops(clock, max_hops=1)
    guard.heard(ROOM, 1, "e1", "b", 1)
    guard.judge(ROOM, "a", 2, "b")
    guard.heard_person(ROOM, 2, "e2", "p")
    assert guard.judge(ROOM, "a", 1, "p") == (0.0, "")
    assert guard.inherited(ROOM, "a", 1, 1) is None
    assert guard.named(ROOM, "e1") is None
    assert guard.inherited(ROOM, "a", 2, 0).hops == 0


@pytest.mark.parametrize(
    ("acknowledged", "leased", "found"),
    [(0, 0, None), (1, 0, "e1"), (3, 0, "e3"), (0, 3, "e3"), (0, 2, None), (9, 0, "e3")],
)
def test_what_is_inherited(clock, acknowledged, leased, found):
    guard = loops(clock)
    for seq, sender in ((1, "b"), (2, "a"), (3, "b"), (4, "a")):
        guard.heard(ROOM, seq, f"e{seq}", sender, seq)
    got = guard.inherited(ROOM, "a", acknowledged, leased)
    assert (got.event_id if got else None) == found


def test_old_deliveries_cause_nothing(clock):
    guard = loops(clock)
    guard.heard(ROOM, 1, "e1", "b", 5)
    clock.at = LOOP_CAUSE_WINDOW_S + 1
    assert guard.inherited(ROOM, "a", 1, 1) is None
    assert guard.participants(ROOM, "a") == ["a"]
    guard.forget(ROOM)
    assert guard.inherited(ROOM, "a", 1, 1) is None
