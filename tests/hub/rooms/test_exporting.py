from typing import Any

import msgspec
import pytest

from instar.hub.rooms import exporting
from instar.wire.rooms import ExportEnd
from tests.hub.rooms.conftest import Bench, refused


async def lines(bench: Bench, **query: str) -> list[Any]:
    export = await bench.do(bench.alpha, "rooms.export", **query)
    text = b"".join([chunk async for chunk in export.lines])
    found = [msgspec.json.decode(line) for line in text.splitlines()]
    assert found[-1]["last_seq"] == export.last_seq
    assert found[-1]["chain"] == export.chain
    assert set(msgspec.to_builtins(export)) == {"events", "last_seq", "chain"}
    return found


async def test_an_export_is_the_whole_log_of_a_conversation(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "EXPORT_PAGE", 2)
    await bench.room()
    for name in "abcd":
        await bench.say(bench.alpha, name, id=name)
    found = await lines(bench, room_id="review")
    assert [line["type"] for line in found[:-1]] == ["room.created", *["message.created"] * 4]
    assert msgspec.convert(found[-1], ExportEnd).events == 5
    assert found[1]["message"]["id"] == "a"


async def test_an_export_ends_where_the_log_ended_when_it_began(bench: Bench) -> None:
    await bench.room()
    export = await bench.do(bench.alpha, "rooms.export", room_id="review")
    await bench.say(bench.alpha, "later")
    assert len(b"".join([chunk async for chunk in export.lines]).splitlines()) == 2


async def test_threads_and_direct_conversations(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "x", {"kind": "thread", "room_id": "review", "thread_id": "t"})
    await bench.do(bench.alpha, "dms.open", participant_ids=["beta"])
    (dm,) = (await bench.do(bench.alpha, "dms.list")).dms
    assert len(await lines(bench, thread_id="t")) == 2
    assert (await lines(bench, dm_id=dm.id))[0]["type"] == "dm.created"


async def test_refusals(bench: Bench) -> None:
    await bench.room()
    await refused("unprocessable_entity", bench.do(bench.alpha, "rooms.export"))
    await refused("unprocessable_entity", bench.do(bench.alpha, "rooms.export", room_id="a", dm_id="b"))
    await refused("not_found", bench.do(bench.alpha, "rooms.export", room_id="none"))
    await refused("not_found", bench.do(bench.gamma, "rooms.export", room_id="review"))
