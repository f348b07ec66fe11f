"""Feeds on a real hub; the interleavings of log and live are in `test_course`."""

import pytest

from instar.base.errors import InstarError
from instar.hub.delivery.course import Phase
from instar.hub.identity.policy import AuthPolicy
from instar.wire import limits


async def test_a_feed_delivers_what_its_caller_may_read_and_nothing_else(engine):
    beta = await engine.agent("beta")
    await engine.room("review", "beta")
    await engine.room("secret")
    feed, socket = await engine.feed(beta, agent_id="beta")
    await engine.until(lambda: feed.phase is Phase.LIVE)
    await engine.say(engine.admin, "for beta")
    await engine.say(engine.admin, "for nobody", "secret")
    assert socket.texts == ["for beta"]
    assert feed.cursor == str(socket.events[-1]["seq"])


async def test_a_feed_gains_and_loses_rooms_at_their_place(engine):
    beta = await engine.agent("beta")
    await engine.room("review")
    feed, socket = await engine.feed(beta)
    await engine.say(engine.admin, "before")
    await engine.do(engine.admin, "rooms.members", room_id="review", add=["beta"])
    await engine.say(engine.admin, "while")
    await engine.say(engine.admin, "in a thread", target={"kind": "thread", "room_id": "review", "thread_id": "t"})
    await engine.do(engine.admin, "rooms.members", room_id="review", remove=["beta"])
    await engine.say(engine.admin, "after")
    assert socket.texts == ["while", "in a thread"]
    assert feed.phase is Phase.LIVE


@pytest.mark.parametrize("form", ["seq", "event"])
async def test_a_feed_resumes_after_a_cursor_across_a_restart(make_engine, form):
    engine = await make_engine()
    await engine.room("review", "beta")
    first = await engine.say(engine.admin, "one")
    await engine.say(engine.admin, "two")
    engine = await make_engine()
    cursor = str(first.seq) if form == "seq" else first.event_id
    feed, socket = await engine.feed(engine.admin, cursor=cursor)
    await engine.until(lambda: feed.phase is Phase.LIVE)
    await engine.say(engine.admin, "three")
    assert socket.texts == ["two", "three"]


@pytest.mark.parametrize("cursor", ["evt_never", "999999", "evt_gap_ff"])
async def test_an_unknown_cursor_is_a_gap_and_the_feed_goes_on_at_the_head(engine, cursor):
    await engine.room("review")
    await engine.say(engine.admin, "old")
    feed, socket = await engine.feed(engine.admin, cursor=cursor)
    await engine.until(lambda: feed.phase is Phase.LIVE)
    assert socket.gaps[0].requested_event_id == cursor
    assert engine.delivery.cursors.gaps == 1
    assert socket.gaps[0].newest_seq == engine.pump.last_seq
    await engine.say(engine.admin, "new")
    assert socket.texts == ["new"]


async def test_an_agent_that_was_away_gets_everything_at_its_first_attachment_and_goes_on_where_it_stopped(make_engine):
    engine = await make_engine()
    await engine.room("review", "beta")
    await engine.say(engine.admin, "before registration")
    await engine.agent("beta")
    await engine.say(engine.admin, "while away")
    feed, socket = await engine.feed(engine.admin, agent_id="beta")
    await engine.until(lambda: feed.phase is Phase.LIVE)
    assert socket.texts == ["before registration", "while away"]
    engine.delivery.acknowledge(feed, "beta", socket.of("message.created")[0]["id"])
    await engine.delivery.acknowledgements.flush()

    engine = await make_engine()
    feed, socket = await engine.feed(engine.admin, agent_id="beta")
    await engine.until(lambda: feed.phase is Phase.LIVE)
    assert socket.texts == ["while away"]
    page = await engine.do(engine.admin, "inbox.read", agent_id="beta")
    assert [item.event.message["parts"][0]["text"] for item in page.items] == ["while away"]


async def test_a_new_agent_begins_at_the_head(engine):
    await engine.room("review", visibility="public")
    await engine.say(engine.admin, "old")
    beta = await engine.agent("beta")
    feed, socket = await engine.feed(beta, agent_id="beta")
    await engine.until(lambda: feed.phase is Phase.LIVE)
    assert socket.texts == []
    assert engine.agents.get("beta").cursor == engine.pump.last_seq


async def test_a_lagging_socket_is_fed_from_the_log_and_returns(engine):
    await engine.room("review")
    feed, socket = await engine.feed(engine.admin)
    socket.frozen = True
    text = "x" * 100_000
    for _ in range(15):
        await engine.say(engine.admin, text)
    assert feed.phase is Phase.LAGGING
    assert len(socket.texts) < 15
    socket.thaw()
    feed.writable()
    await engine.until(lambda: feed.phase is Phase.LIVE)
    await engine.say(engine.admin, "live")
    assert socket.texts == [text] * 15 + ["live"]


async def test_a_socket_that_takes_nothing_is_closed_with_its_cursor(engine, monkeypatch):
    monkeypatch.setattr("instar.hub.delivery.course.LAG_MAX_S", 0.0)
    await engine.room("review")
    feed, socket = await engine.feed(engine.admin)
    socket.frozen = True
    while feed.phase is Phase.LIVE:
        await engine.say(engine.admin, "x" * 200_000)
    await engine.until(lambda: socket.end is not None)
    assert socket.end[0] == "lagging"
    assert engine.delivery.feeds.lag_closes == 1
    assert socket.end[2] == str(socket.events[-1]["seq"])
    assert len(engine.delivery.feeds) == len(engine.fanout) == 0
    assert socket.waiting_bytes > limits.SEND_BUFFER_MAX_BYTES


async def test_revocation_ends_the_feed_within_the_same_pump_turn(engine):
    beta = await engine.agent("beta")
    await engine.room("review", "beta")
    feed, socket = await engine.feed(beta, agent_id="beta")
    await engine.do(engine.admin, "keys.revoke", key_id=beta.grant.id)
    assert socket.end[0] == "unauthorized"
    await engine.say(engine.admin, "later")
    assert socket.texts == []
    with pytest.raises(InstarError, match="revoked"):
        await engine.feed(beta)
    engine.delivery.close_feed(feed)


async def test_removing_an_agent_ends_its_attachments(engine):
    beta = await engine.agent("beta")
    _, socket = await engine.feed(beta, agent_id="beta")
    await engine.do(engine.admin, "agents.remove", agent_id="beta")
    assert socket.end[:2] == ("unauthorized", "agent was removed from the network")


async def test_an_anonymous_reader_sees_public_rooms_only(make_engine):
    engine = await make_engine(AuthPolicy(public_read=True))
    await engine.room("open", visibility="public")
    await engine.room("shut")
    _, socket = await engine.feed(engine.identity.visitor())
    await engine.say(engine.admin, "hi", "open")
    await engine.say(engine.admin, "psst", "shut")
    await engine.agent("beta")
    assert [event["type"] for event in socket.events] == ["message.created"]
    await engine.do(engine.admin, "rooms.remove", room_id="open")
    assert socket.events[-1]["type"] == "room.removed"


async def test_signals_go_to_feeds_that_asked(engine):
    await engine.agent("beta")
    await engine.agents.attached("beta", "a1")
    _, asked = await engine.feed(engine.admin, signals=True)
    _, silent = await engine.feed(engine.admin)
    await engine.do(engine.admin, "agents.set_presence", agent_id="beta", activity="busy", task="reading")
    assert [each["activity"] for each in asked.signals] == ["busy"]
    assert silent.signals == []


async def test_a_reader_that_takes_nothing_is_sent_no_more_signals(engine):
    """They would pile up without end: no place of the log says what it lacks."""
    await engine.agent("beta")
    await engine.agents.attached("beta", "a1")
    _, socket = await engine.feed(engine.admin, signals=True)
    socket.waiting_bytes = limits.SEND_BUFFER_MAX_BYTES + 1
    await engine.do(engine.admin, "agents.set_presence", agent_id="beta", activity="busy", task="reading")
    assert socket.signals == []
    socket.thaw()
    await engine.do(engine.admin, "agents.set_presence", agent_id="beta", activity="idle")
    assert [each["activity"] for each in socket.signals] == ["idle"]


async def test_a_dead_letter_is_not_sent_to_attachments_again(make_engine):
    engine = await make_engine(attempts=2)
    beta = await engine.agent("beta")
    await engine.room("review", "beta")
    for text in ("@beta poison", "fine"):
        await engine.say(engine.admin, text)
    for _ in range(2):
        feed, socket = await engine.feed(beta, agent_id="beta")
        await engine.until(lambda: len(engine.scope._tasks) == 1)
        assert socket.texts == ["@beta poison", "fine"]
        engine.delivery.failed("beta", "boom")
        await engine.until(lambda: len(engine.scope._tasks) <= 1)
        engine.delivery.close_feed(feed)
    assert [b'"error":"boom"' in event.payload for event in engine.of("agent.wake.failed")] == [True, True]
    feed, socket = await engine.feed(beta, agent_id="beta")
    await engine.until(lambda: feed.phase is Phase.LIVE)
    assert socket.texts == ["fine"]


async def test_closing_the_hub_ends_feeds_with_their_cursor(engine):
    _, socket = await engine.feed(engine.admin)
    await engine.delivery.close()
    assert socket.end == ("service_unavailable", "the hub shuts down", str(engine.pump.last_seq))
