from typing import Any

import pytest

from tests.hub.rooms.conftest import Bench, refused

LINKS = [{"kind": "url", "url": "https://a/"}, {"kind": "text", "text": "x", "media_type": "text/markdown"}]


@pytest.fixture
async def linked(bench: Bench) -> Bench:
    await bench.room()
    await bench.room("other")
    await bench.say(bench.alpha, "", id="m1", parts=LINKS)
    await bench.say(
        bench.alpha, "", {"kind": "thread", "room_id": "review", "thread_id": "t"}, id="m2", parts=LINKS[:1]
    )
    await bench.say(bench.alpha, "", {"kind": "room", "room_id": "other"}, id="m3", parts=LINKS[:1])
    await bench.say(
        bench.alpha, "", {"kind": "dm", "dm_id": "d", "participant_ids": ["beta"]}, id="m4", parts=LINKS[:1]
    )
    return bench


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"room_id": "review"}, ["art_m1_0", "art_m1_1", "art_m2_0"]),
        ({"room_id": "review", "thread_id": "t"}, ["art_m2_0"]),
        ({"room_id": "review", "dm_id": "d"}, ["art_m4_0"]),
        ({"dm_id": "unknown"}, []),
        ({"room_id": "review", "limit": "1"}, ["art_m2_0"]),
        ({"room_id": "review", "limit": "1", "before": "art_m2_0"}, ["art_m1_1"]),
        ({"room_id": "review", "after": "art_m1_0"}, ["art_m1_1", "art_m2_0"]),
        ({"room_id": "review", "after": "art_m1_0", "limit": "1"}, ["art_m1_1"]),
    ],
)
async def test_lists(linked: Bench, query: dict[str, str], ids: list[str]) -> None:
    page = await linked.do(linked.beta, "artifacts.list", **query)
    assert [artifact.id for artifact in page.artifacts] == ids
    assert page.page.has_more is ("limit" in query)


@pytest.mark.parametrize(
    ("code", "query"),
    [
        ("unprocessable_entity", {}),
        ("not_found", {"room_id": "none"}),
        ("not_found", {"thread_id": "none"}),
        ("unprocessable_entity", {"room_id": "review", "before": "art_m3_0"}),
        ("unprocessable_entity", {"room_id": "review", "before": "x", "after": "y"}),
    ],
)
async def test_refusals(linked: Bench, code: str, query: dict[str, Any]) -> None:
    await refused(code, linked.do(linked.beta, "artifacts.list", **query))
    await refused("not_found", linked.do(linked.gamma, "artifacts.list", room_id="review"))
