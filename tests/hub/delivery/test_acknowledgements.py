import msgspec
import pytest

from instar.base.errors import InstarError
from instar.hub.delivery.course import Phase
from instar.hub.delivery.cursors import RecentEvents, seq_of


def notes(engine, kind="agent.wake.delivered"):
    return [
        (each["agent_id"], each["message_id"], each["reason"])
        for each in (msgspec.json.decode(event.payload) for event in engine.of(kind))
    ]


async def test_an_acknowledgement_is_cumulative_and_settles_the_inbox(engine):
    beta = await engine.agent("beta")
    await engine.room("review", "beta")
    feed, socket = await engine.feed(beta, agent_id="beta")
    for text in ("one", "two @beta", "three"):
        last = await engine.say(engine.admin, text)
    engine.delivery.acknowledge(feed, "beta", last.event_id)
    assert (await engine.do(beta, "inbox.read", agent_id="beta")).items == []
    await engine.delivery.acknowledgements.flush()
    row = await engine.store.read(lambda reader: reader.row("SELECT cursor, low_water FROM agents WHERE id = 'beta'"))
    assert row == (last.seq, last.seq)
    message = socket.of("message.created")[1]["message"]["id"]
    assert notes(engine) == [("beta", message, "mention")]
    assert engine.of("agent.wake.delivered")[0].room == "room:review"


async def test_what_was_acknowledged_is_written_by_itself(engine):
    beta = await engine.agent("beta")
    await engine.room("review", "beta")
    feed, _ = await engine.feed(beta, agent_id="beta")
    sent = await engine.say(engine.admin, "hi")
    engine.delivery.acknowledge(feed, "beta", str(sent.seq))
    await engine.until(lambda: not engine.delivery.acknowledgements.unflushed("beta"))
    row = await engine.store.read(lambda reader: reader.row("SELECT cursor FROM agents WHERE id = 'beta'"))
    assert row == (sent.seq,)


async def test_an_inbox_answer_covers_what_an_attachment_acknowledged(engine):
    beta = await engine.agent("beta")
    await engine.room("review", "beta")
    sent = await engine.say(engine.admin, "hi")
    await engine.do(beta, "inbox.read", agent_id="beta")
    feed, _ = await engine.feed(beta, agent_id="beta")
    await engine.until(lambda: feed.phase is Phase.LIVE)
    engine.delivery.acknowledge(feed, "beta", str(sent.seq))
    await engine.do(beta, "inbox.ack", agent_id="beta", items=[sent.seq])
    row = await engine.store.read(lambda reader: reader.row("SELECT low_water FROM agents WHERE id = 'beta'"))
    assert row[0] >= sent.seq
    assert await engine.store.read(lambda reader: reader.rows("SELECT seq FROM inbox")) == []


@pytest.mark.parametrize("cursor", ["99999", "evt_nobody"])
async def test_an_unknown_cursor_is_refused(engine, cursor):
    beta = await engine.agent("beta")
    feed, socket = await engine.feed(beta, agent_id="beta")
    if cursor.isdigit():
        with pytest.raises(InstarError, match="unexpected ACK cursor"):
            engine.delivery.acknowledge(feed, "beta", cursor)
        return
    engine.delivery.acknowledge(feed, "beta", cursor)
    await engine.until(lambda: socket.end is not None)
    assert socket.end[0] == "unknown_cursor"


async def test_an_old_event_is_found_in_the_log(make_engine):
    engine = await make_engine()
    await engine.room("review", "beta")
    sent = await engine.say(engine.admin, "hello @beta")
    engine = await make_engine()
    beta = await engine.agent("beta")
    feed, _ = await engine.feed(beta, agent_id="beta")
    await engine.until(lambda: feed.phase is Phase.LIVE)
    engine.delivery.acknowledge(feed, "beta", sent.event_id)
    await engine.until(lambda: engine.delivery.acknowledgements.unflushed("beta"))
    await engine.delivery.acknowledgements.flush()
    assert notes(engine) == [("beta", sent.message_id, "mention")]


async def test_two_attachments_of_one_agent_get_everything_and_deliver_a_wake_once(engine):
    beta = await engine.agent("beta")
    await engine.room("review", "beta")
    feeds = [await engine.feed(beta, agent_id="beta") for _ in range(2)]
    sent = await engine.say(engine.admin, "hey @beta")
    for feed, socket in feeds:
        assert socket.texts == ["hey @beta"]
        engine.delivery.acknowledge(feed, "beta", sent.event_id)
    await engine.delivery.acknowledgements.flush()
    assert len(notes(engine)) == 1
    engine.delivery.close_feed(feeds[0][0])
    await engine.say(engine.admin, "more")
    assert [socket.texts[-1] for _, socket in feeds] == ["hey @beta", "more"]


async def test_a_direct_message_is_a_wake_too(engine):
    beta = await engine.agent("beta")
    gamma = await engine.agent("gamma")
    feed, _ = await engine.feed(beta, agent_id="beta")
    target = {"kind": "dm", "dm_id": "d1", "participant_ids": ["beta", "gamma"]}
    sent = await engine.say(gamma, "psst", target=target)
    page = await engine.do(beta, "inbox.read", agent_id="beta")
    assert [item.reason for item in page.items] == ["dm"]
    engine.delivery.acknowledge(feed, "beta", sent.event_id)
    await engine.delivery.acknowledgements.flush()
    assert notes(engine) == [("beta", sent.message_id, "dm")]


def test_recent_events_forget_the_oldest_half():
    class Named:
        def __init__(self, seq):
            self.id, self.seq = f"e{seq}", seq

    recent = RecentEvents(4)
    for seq in range(1, 7):
        recent.add(Named(seq))
    assert [recent.seq(f"e{seq}") for seq in range(1, 7)] == [None, None, 3, 4, 5, 6]


@pytest.mark.parametrize(("cursor", "seq"), [("12", 12), ("evt_1", None), ("", None), ("٣", None), ("9" * 40, None)])
def test_only_decimals_are_numbers(cursor, seq):
    assert seq_of(cursor) == seq


async def test_what_could_not_be_written_is_kept_and_written_later(engine, monkeypatch):
    beta = await engine.agent("beta")
    await engine.room("review", "beta")
    feed, _ = await engine.feed(beta, agent_id="beta")
    sent = await engine.say(engine.admin, "hi @beta")
    transact = engine.store.transact

    async def full(work):
        raise InstarError("storage_full", "the disk is full")

    monkeypatch.setattr(engine.store, "transact", full, raising=False)
    engine.delivery.acknowledge(feed, "beta", sent.event_id)
    with pytest.raises(InstarError):
        await engine.delivery.acknowledgements.flush()
    assert engine.delivery.acknowledgements.unflushed("beta") == sent.seq
    monkeypatch.setattr(engine.store, "transact", transact)
    await engine.delivery.acknowledgements.flush()
    assert notes(engine) == [("beta", sent.message_id, "mention")]
