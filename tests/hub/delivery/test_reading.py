import asyncio

import pytest

from instar.base.errors import InstarError


def texts(page):
    return [event.message["parts"][0]["text"] for event in page.events if event.message]


async def refused(code, awaitable):
    with pytest.raises(InstarError) as caught:
        await awaitable
    assert caught.value.code == code, caught.value
    return caught.value


async def test_pages_follow_each_other_to_the_end(engine):
    await engine.room("review")
    for text in "abcde":
        await engine.say(engine.admin, text)
    got, cursor, turns = [], "", 0
    while True:
        page = await engine.do(engine.admin, "events.read", after=cursor, limit=2)
        got += texts(page)
        cursor, turns = page.cursor, turns + 1
        if not page.has_more:
            break
    assert got == list("abcde")
    assert turns > 2
    assert cursor == str(engine.pump.last_seq)


async def test_a_reader_gets_its_own_rooms_only(engine):
    beta = await engine.agent("beta")
    await engine.room("review", "beta")
    await engine.room("secret")
    await engine.say(engine.admin, "mine")
    await engine.say(engine.admin, "not mine", "secret")
    page = await engine.do(beta, "events.read")
    assert texts(page) == ["mine"]
    assert not any(event.key for event in page.events)
    await refused("not_found", engine.do(beta, "events.read", room_id="secret"))
    await refused("not_found", engine.do(beta, "events.read", room_id="nowhere"))
    assert texts(await engine.do(engine.admin, "events.read", room_id="secret")) == ["not mine"]


async def test_an_observer_does_not_see_system_rooms_that_are_not_its(engine):
    made = await engine.do(engine.admin, "keys.create", name="watch", scopes=["observe"])
    page = await engine.do(engine.admin, "events.read")
    assert any(event.key for event in page.events)
    from instar.hub.identity.authentication import Credential

    observer = engine.identity.authenticate(Credential(made.token))
    page = await engine.do(observer, "events.read")
    assert not any(event.key or event.audit for event in page.events)


@pytest.mark.parametrize("by_room", [True, False])
async def test_a_long_poll_is_answered_by_the_next_event(engine, by_room):
    await engine.room("review")
    sent = await engine.say(engine.admin, "old")
    where = {"room_id": "review"} if by_room else {}
    polling = asyncio.create_task(engine.do(engine.admin, "events.read", after=sent.event_id, wait=30, **where))
    await engine.until(lambda: engine.delivery.bell._by_name)
    await engine.say(engine.admin, "new")
    assert texts(await polling) == ["new"]
    assert not engine.delivery.bell._by_name


async def test_a_long_poll_ends_with_its_time(engine):
    page = await engine.do(engine.admin, "events.read", after=str(engine.pump.last_seq), wait=0.01)
    assert (page.events, page.has_more) == ([], False)


async def test_an_unknown_cursor_names_the_ends_of_the_log(engine):
    error = await refused("unknown_cursor", engine.do(engine.admin, "events.read", after="evt_never"))
    assert error.detail["newest_seq"] == engine.pump.last_seq
