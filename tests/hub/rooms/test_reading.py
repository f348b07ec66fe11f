from typing import Any

from tests.hub.rooms.conftest import Bench, refused


async def test_lists_show_what_the_caller_reads(bench: Bench) -> None:
    await bench.room("b-mine", "alpha")
    await bench.room("a-open", "beta", visibility="public")
    await bench.room("c-secret", "beta")
    ids = [room.id for room in (await bench.do(bench.alpha, "rooms.list")).rooms]
    assert ids == ["a-open", "b-mine"]
    assert len((await bench.do(bench.observer, "rooms.list")).rooms) == 3
    page = await bench.do(bench.observer, "rooms.list", limit="1", after="a-open")
    assert ([room.id for room in page.rooms], page.page.next_before, page.page.next_after) == (
        ["b-mine"], "b-mine", "b-mine",
    )  # fmt: skip
    await refused("unprocessable_entity", bench.do(bench.alpha, "rooms.list", after="c-secret"))


async def test_a_room_shows_access_and_counts(bench: Bench) -> None:
    await bench.room("review", "alpha", visibility="public")
    await bench.say(bench.alpha, "one")
    last = await bench.say(bench.alpha, "two")
    room = await bench.do(bench.beta, "rooms.get", room_id="review")
    assert (room.access.can_read, room.access.can_write, room.access.reason) == (
        True, False, "public-read/members-write",
    )  # fmt: skip
    assert (room.message_count, room.last_seq, room.unread_count, room.last_read_seq) == (2, last.seq, 2, 0)
    assert room.last_message_at


async def test_threads(bench: Bench) -> None:
    await bench.room()
    for thread in ("t2", "t1", "t3"):
        await bench.say(bench.alpha, "x", {"kind": "thread", "room_id": "review", "thread_id": thread})
    page = await bench.do(bench.beta, "rooms.threads", room_id="review", limit="2")
    assert [thread.id for thread in page.threads] == ["t1", "t2"]
    assert page.page.has_more
    thread = await bench.do(bench.beta, "threads.get", thread_id="t1")
    assert (thread.room_id, thread.message_count, thread.fqid) == ("review", 1, "molt://local/threads/t1")
    assert len((await bench.do(bench.beta, "threads.messages", thread_id="t1")).messages) == 1
    assert (await bench.do(bench.beta, "rooms.messages", room_id="review")).messages == []
    await refused("not_found", bench.do(bench.gamma, "threads.get", thread_id="t1"))


async def test_direct_conversations(bench: Bench) -> None:
    opened = await bench.do(bench.alpha, "dms.open", participant_ids=["beta"])
    assert opened.participant_ids == ["alpha", "beta"]
    assert bench.types() == ["dm.created"]
    assert await bench.do(bench.beta, "dms.open", participant_ids=["alpha"]) == opened
    await bench.say(bench.beta, "x", {"kind": "dm", "dm_id": opened.id})
    (dm,) = (await bench.do(bench.alpha, "dms.list")).dms
    assert (dm.id, dm.message_count, dm.unread_count) == (opened.id, 1, 1)
    assert (await bench.do(bench.alpha, "dms.get", dm_id=opened.id)).id == opened.id
    assert len((await bench.do(bench.alpha, "dms.messages", dm_id=opened.id)).messages) == 1
    assert (await bench.do(bench.gamma, "dms.list")).dms == []
    await refused("not_found", bench.do(bench.gamma, "dms.get", dm_id=opened.id))
    await refused("not_found", bench.do(bench.alpha, "dms.get", dm_id="none"))
    await refused("unprocessable_entity", bench.do(bench.alpha, "dms.open", participant_ids=["alpha"]))


async def test_direct_conversations_can_be_switched_off(make: Any) -> None:
    bench = await make(direct_messages=False)
    await refused("forbidden", bench.do(bench.alpha, "dms.list"))
    await refused("forbidden", bench.do(bench.alpha, "dms.open", participant_ids=["beta"]))


async def test_an_operator_opens_a_conversation_for_an_agent(bench: Bench) -> None:
    opened = await bench.do(bench.admin, "dms.open", participant_ids=["beta"], **{"as": "alpha"})
    assert opened.participant_ids == ["alpha", "beta"]
