import asyncio
from pathlib import Path
from typing import Any

import apsw
import pytest

from instar.hub.rooms.search import index as module
from instar.hub.rooms.search.file import BrokenFileError, Entry, SearchFile, Wanted
from tests.hub.rooms.conftest import Bench, refused


async def found(bench: Bench, q: str, caller: Any = None, **more: Any) -> list[str]:
    await bench.indexed()
    result = await bench.do(caller or bench.admin, "messages.search", q=q, **more)
    assert result.indexed_seq == bench.pump.last_seq
    return [hit.message.id for hit in result.hits]


@pytest.fixture
async def talk(bench: Bench) -> Bench:
    await bench.room()
    await bench.room("secret", "gamma")
    await bench.say(bench.alpha, "the quick brown fox", id="m1")
    await bench.say(bench.beta, "a quick Füchsin naps", id="m2")
    await bench.say(bench.gamma, "quick secret", {"kind": "room", "room_id": "secret"}, id="m3")
    await bench.say(bench.alpha, "quick thread", {"kind": "thread", "room_id": "review", "thread_id": "t"}, id="m4")
    await bench.say(bench.alpha, "quick dm", {"kind": "dm", "dm_id": "d", "participant_ids": ["beta"]}, id="m5")
    await bench.say(bench.alpha, "", id="m6", parts=[{"kind": "file", "filename": "quick report.pdf"}])
    return bench


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"q": "quick"}, ["m6", "m5", "m4", "m3", "m2", "m1"]),
        ({"q": "QUICK fox"}, ["m1"]),
        ({"q": '"quick brown"'}, ["m1"]),
        ({"q": '"brown quick"'}, []),
        ({"q": "fuch*"}, ["m2"]),
        ({"q": "report"}, ["m6"]),
        ({"q": "quick", "room_id": "review"}, ["m6", "m2", "m1"]),
        ({"q": "quick", "thread_id": "t"}, ["m4"]),
        ({"q": "quick", "dm_id": "d"}, ["m5"]),
        ({"q": "quick", "from": "local:beta"}, ["m2"]),
        ({"q": "quick", "limit": 2}, ["m6", "m5"]),
    ],
)
async def test_search(talk: Bench, query: dict[str, Any], ids: list[str]) -> None:
    assert await found(talk, **query) == ids


async def test_only_what_the_caller_reads_is_found(talk: Bench) -> None:
    assert await found(talk, "quick", talk.gamma) == ["m3"]
    assert await found(talk, "quick", talk.beta) == ["m6", "m5", "m4", "m2", "m1"]
    await refused("not_found", talk.do(talk.gamma, "messages.search", q="x", room_id="review"))
    await refused("not_found", talk.do(talk.admin, "messages.search", q="x", room_id="none"))
    await refused("unprocessable_entity", talk.do(talk.admin, "messages.search", q="x", **{"from": "!"}))
    await talk.do(talk.admin, "rooms.remove", room_id="secret")
    assert "m3" not in await found(talk, "quick")
    assert await found(talk, "quick", talk.agent("nobody")) == []


async def test_pages_and_excerpts(talk: Bench) -> None:
    await talk.indexed()
    result = await talk.do(talk.admin, "messages.search", q="quick", limit=5)
    assert result.has_more
    assert result.hits[-1].excerpt == "a \1quick\2 Füchsin naps"
    assert await found(talk, "quick", before=result.hits[-1].message.seq) == ["m1"]


async def test_edits_replace_and_redactions_erase(talk: Bench) -> None:
    await talk.indexed()
    await talk.do(talk.alpha, "messages.edit", message_id="m1", parts=[{"kind": "text", "text": "slow zebra"}])
    assert await found(talk, "fox") == []
    assert await found(talk, "zebra") == ["m1"]
    await talk.do(talk.alpha, "messages.redact", message_id="m1")
    stale = await talk.do(talk.admin, "messages.search", q="zebra")
    assert stale.hits == []
    assert await found(talk, "zebra") == []
    for file in talk.data_dir.glob("search.db*"):
        assert b"zebra" not in file.read_bytes()
        assert b"brown" not in file.read_bytes()


async def test_edited_and_redacted_before_it_was_indexed(talk: Bench) -> None:
    await talk.do(talk.alpha, "messages.edit", message_id="m1", parts=[{"kind": "text", "text": "slow zebra"}])
    await talk.do(talk.alpha, "messages.redact", message_id="m1")
    assert await found(talk, "zebra") == []
    assert await found(talk, "fox") == []


async def test_the_index_goes_on_where_it_was(talk: Bench, make: Any) -> None:
    await talk.indexed()
    await talk.rooms.close()
    again = await make()
    assert again.rooms.search.indexed_seq == talk.pump.last_seq
    again.pump.last_seq = talk.pump.last_seq
    assert await found(again, "fox") == ["m1"]


@pytest.mark.parametrize("damage", [b"", b"this is no database" * 500])
async def test_a_lost_or_damaged_file_is_rebuilt(talk: Bench, make: Any, damage: bytes) -> None:
    await talk.indexed()
    await talk.rooms.close()
    for file in talk.data_dir.glob("search.db*"):
        file.write_bytes(damage)
    again = await make()
    again.pump.last_seq = talk.pump.last_seq
    assert await found(again, "fox") == ["m1"]


async def test_a_file_that_knows_more_than_the_log_is_rebuilt(talk: Bench, make: Any) -> None:
    await talk.rooms.search._run(lambda: talk.rooms.search._opened().index([], 10**6))
    await talk.rooms.close()
    again = await make()
    again.pump.last_seq = talk.pump.last_seq
    assert await found(again, "fox") == ["m1"]


async def test_damage_while_it_is_open(talk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await talk.indexed()
    broken = talk.rooms.search._opened()

    def fail(*_: Any) -> Any:
        raise BrokenFileError("bad page")

    monkeypatch.setattr(broken, "search", fail)
    monkeypatch.setattr(broken, "index", fail)
    assert (await talk.do(talk.admin, "messages.search", q="fox")).hits == []
    assert talk.rooms.search.indexed_seq == 0
    assert await found(talk, "fox") == ["m1"]
    monkeypatch.setattr(talk.rooms.search._opened(), "index", fail)
    await talk.say(talk.alpha, "a new fox", id="m7")
    assert await found(talk, "fox") == ["m7", "m1"]


async def test_another_version_is_rebuilt(tmp_path: Path) -> None:
    path = tmp_path / "search.db"
    file = SearchFile(path)
    file._set("version", 99)
    file.close()
    with pytest.raises(BrokenFileError):
        SearchFile(path)


async def test_under_load_it_rests(talk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr(module.asyncio, "sleep", rest)
    monkeypatch.setattr(talk.rooms.search._load, "_rate", 10**6)
    await talk.indexed()
    assert len(rests) == 1
    clock = iter((10.0, 10.0, 11.5, 11.5, 20.0))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    load = module._Load()
    load.note(list(talk.events))
    load.note(list(talk.events) * 2_000)
    assert load._rate > 0
    monkeypatch.undo()


async def test_it_follows_by_itself(talk: Bench) -> None:
    task = asyncio.create_task(talk.rooms.search.run())
    sent = await talk.say(talk.alpha, "late words", id="m9")
    await talk.rooms.search.follower.reached(sent.seq)
    result = await talk.do(talk.admin, "messages.search", q="late")
    assert [hit.message.id for hit in result.hits] == ["m9"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_sqlite_names_the_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = SearchFile(tmp_path / "search.db")

    def corrupt(*_: Any) -> Any:
        raise apsw.CorruptError("malformed")

    with monkeypatch.context() as patched:
        patched.setattr(file, "_run", corrupt)
        with pytest.raises(BrokenFileError):
            file.index([], 1)
        with pytest.raises(BrokenFileError):
            file.search(Wanted("x", None, (), "", 0, 1))
    file.close()


async def test_an_erased_message_that_was_never_indexed(tmp_path: Path) -> None:
    file = SearchFile(tmp_path / "search.db")
    file.index([Entry(0, "m1", "room:a", "", ""), Entry(0, "m2", "room:a", "", "an edit without its message")], 5)
    assert file.fact("indexed_seq") == 5
    assert file.search(Wanted('"edit"', None, (), "", 0, 1)) == []
    file.close()


async def test_a_closed_index_is_opened_anew(talk: Bench) -> None:
    await talk.rooms.search._run(talk.rooms.search._close)
    assert (await talk.do(talk.admin, "messages.search", q="fox")).hits == []
    assert await found(talk, "fox") == ["m1"]


async def test_who_reads_no_room_finds_nothing(talk: Bench) -> None:
    assert await found(talk, "quick", talk.anonymous) == []
