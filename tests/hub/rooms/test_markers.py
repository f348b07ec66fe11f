from typing import Any

from tests.hub.rooms.conftest import Bench, refused

REVIEW = {"kind": "room", "room_id": "review"}


async def test_markers_move_forward_only(bench: Bench) -> None:
    await bench.room()
    seqs = [(await bench.say(bench.alpha, name, id=name)).seq for name in "abcd"]
    marker = await bench.do(bench.beta, "rooms.mark_read", target=REVIEW, message_id="b")
    assert (marker.principal, marker.room, marker.last_read_seq, marker.unread_count) == (
        "beta",
        "room:review",
        seqs[1],
        2,
    )
    assert (await bench.do(bench.beta, "rooms.mark_read", target=REVIEW, message_id="a")).last_read_seq == seqs[1]
    room = await bench.do(bench.beta, "rooms.get", room_id="review")
    assert (room.last_read_seq, room.unread_count) == (seqs[1], 2)
    assert (await bench.do(bench.beta, "rooms.mark_read", target=REVIEW, seq=10**9)).last_read_seq == seqs[3]
    assert (await bench.do(bench.beta, "rooms.list")).rooms[0].unread_count == 0
    assert (await bench.do(bench.alpha, "rooms.get", room_id="review")).unread_count == 4


async def test_a_marker_of_an_agent(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "x")
    marker = await bench.do(bench.alpha, "rooms.mark_read", target=REVIEW, seq=0, **{"as": "alpha"})
    assert (marker.principal, marker.unread_count) == ("alpha", 1)


async def test_refusals(bench: Bench) -> None:
    await bench.room("review", "alpha", visibility="public")
    await bench.room("other")
    await bench.say(bench.alpha, "x", {"kind": "room", "room_id": "other"}, id="o")
    mark = "rooms.mark_read"
    await refused("unprocessable_entity", bench.do(bench.alpha, mark, target=REVIEW, message_id="o"))
    await refused("unprocessable_entity", bench.do(bench.alpha, mark, target={"kind": "room"}))
    await refused("not_found", bench.do(bench.alpha, mark, target={"kind": "room", "room_id": "none"}))
    await refused("forbidden", bench.do(bench.alpha, mark, target=REVIEW, **{"as": "beta"}))


async def test_markers_need_a_credential(make: Any) -> None:
    bench = await make(mode="open")
    await bench.room("review", "alpha", visibility="public")
    await refused("unauthorized", bench.do(bench.anonymous, "rooms.mark_read", target=REVIEW))
    assert (await bench.do(bench.anonymous, "rooms.get", room_id="review")).unread_count == 0
