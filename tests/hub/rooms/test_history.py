from typing import Any

import pytest

from tests.hub.rooms.conftest import Bench, refused


@pytest.fixture
async def five(bench: Bench) -> Bench:
    await bench.room()
    await bench.room("other")
    for name in "abcde":
        await bench.say(bench.alpha, name, id=name)
        await bench.say(bench.alpha, "x", {"kind": "room", "room_id": "other"}, id=f"o-{name}")
    return bench


@pytest.mark.parametrize(
    ("query", "ids", "has_more", "next_before", "next_after"),
    [
        ({}, "abcde", False, "", ""),
        ({"limit": "2"}, "de", True, "d", ""),
        ({"limit": "2", "before": "d"}, "bc", True, "b", ""),
        ({"limit": "2", "before": "c"}, "ab", False, "", ""),
        ({"limit": "2", "before": "a"}, "", False, "", ""),
        ({"limit": "2", "after": "a"}, "bc", True, "", "c"),
        ({"limit": "2", "after": "c"}, "de", False, "", ""),
        ({"limit": "2", "after": "e"}, "", False, "", ""),
        ({"limit": "2", "after": "0"}, "ab", True, "", "b"),
        ({"limit": "2", "before": "999999"}, "de", True, "d", ""),
    ],
)
async def test_pages(
    five: Bench, query: dict[str, str], ids: str, has_more: bool, next_before: str, next_after: str
) -> None:
    page = await five.do(five.beta, "rooms.messages", room_id="review", **query)
    assert [message.id for message in page.messages] == list(ids)
    assert (page.page.has_more, page.page.next_before, page.page.next_after) == (has_more, next_before, next_after)
    assert [message.seq for message in page.messages] == sorted(message.seq for message in page.messages)


@pytest.mark.parametrize(
    "query",
    [
        {"before": "o-a"},
        {"after": "o-a"},
        {"after": "zz"},
        {"before": "!"},
        {"before": "a", "after": "b"},
        {"after": "9" * 30},
    ],
)
async def test_cursors_of_another_conversation_are_refused(five: Bench, query: dict[str, Any]) -> None:
    await refused("unprocessable_entity", five.do(five.beta, "rooms.messages", room_id="review", **query))


async def test_who_is_no_member_reads_nothing(five: Bench) -> None:
    await refused("not_found", five.do(five.gamma, "rooms.messages", room_id="review"))
    await refused("not_found", five.do(five.gamma, "messages.get", message_id="a"))
    await refused("not_found", five.do(five.beta, "messages.get", message_id="none"))
