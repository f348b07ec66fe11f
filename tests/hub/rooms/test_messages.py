import asyncio
from typing import Any

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.store.seam import HOME, GuardFailed
from instar.wire.events import RoomKey, message_event_id
from instar.wire.identity import Scope
from instar.wire.messages import Message, Part, PartKind
from instar.wire.rooms import RoomKind
from tests.hub.rooms.conftest import Bench, person, refused

TEXT = [{"kind": "text", "text": "hello"}]
REVIEW = {"kind": "room", "room_id": "review"}


async def stored(bench: Bench, message_id: str) -> Message:
    return await bench.do(bench.admin, "messages.get", message_id=message_id)


@pytest.mark.parametrize(
    ("message_id", "event_id"),
    [
        ("m1", "evt_ca0df2c9-5aa1-44c1-90ff-2ff3c8f967fd"),
        ("m2", "evt_29c1b289-e752-4195-b362-e44f54e05470"),
    ],
)
async def test_event_id_follows_from_the_message_id(bench: Bench, message_id: str, event_id: str) -> None:
    await bench.room()
    accepted = await bench.say(bench.alpha, "hello", id=f" {message_id} ")
    assert (accepted.message_id, accepted.event_id) == (message_id, event_id)


async def test_a_message_is_stored_whole(bench: Bench) -> None:
    await bench.room()
    accepted = await bench.say(bench.alpha, "hello @beta.", cause="evt_x")
    assert accepted.accepted
    assert (accepted.thread_created, accepted.dm_created) == (False, False)
    assert accepted.message_id.startswith("msg_")
    (event,) = [event for event in bench.events if event.type == "message.created"]
    assert (event.seq, event.id, event.room, event.actor) == (accepted.seq, accepted.event_id, "room:review", "alpha")
    assert msgspec.json.decode(event.payload) == {
        "id": accepted.message_id,
        "network_id": "local",
        "origin": {"network_id": "local", "message_id": accepted.message_id},
        "target": {"kind": "room", "room_id": "review"},
        "from": {"type": "agent", "id": "alpha", "network_id": "local", "fqid": "molt://local/agents/alpha"},
        "parts": [{"kind": "text", "text": "hello @beta."}],
        "mentions": ["molt://local/agents/beta"],
        "created_at": msgspec.json.decode(event.payload)["created_at"],
        "cause": "evt_x",
        "hops": 1,
    }
    assert bench.admission.asked == [("alpha", True, "room:review", "evt_x")]


async def test_a_repeat_answers_the_first_result_and_publishes_nothing(bench: Bench) -> None:
    await bench.room()
    first = await bench.say(bench.alpha, "hello", id="m1")
    before = len(bench.events)
    assert await bench.say(bench.alpha, "hello", id="m1") == first
    assert len(bench.events) == before


@pytest.mark.parametrize(
    "other",
    [
        {"text": "other"},
        {"text": "hello", "mentions": ["beta"]},
        {"text": "hello", "target": {"kind": "room", "room_id": "second"}},
        {"text": "hello", "reply_to": "m0"},
    ],
)
async def test_other_content_under_a_used_id_is_refused(bench: Bench, other: dict[str, Any]) -> None:
    await bench.room()
    await bench.room("second")
    await bench.say(bench.alpha, "first", id="m0")
    first = await bench.say(bench.alpha, "hello", id="m1")
    error = await refused("id_reused", bench.say(bench.alpha, id="m1", **other))
    assert error.detail["event_id"] == first.event_id


async def test_another_sender_cannot_take_a_used_id(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "hello", id="m1")
    await refused("id_reused", bench.say(bench.beta, "hello", id="m1"))


async def test_an_idempotency_key_stands_for_a_message_id(bench: Bench) -> None:
    await bench.room()
    say = {"target": REVIEW, "parts": TEXT}
    first = await bench.do(bench.alpha, "messages.send", key="k1", **say)
    assert await bench.do(bench.alpha, "messages.send", key="k1", **say) == first
    assert (await bench.do(bench.beta, "messages.send", key="k1", **say)).message_id != first.message_id
    await refused("id_reused", bench.do(bench.alpha, "messages.send", key="k1", target=REVIEW, parts=TEXT * 2))


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("unprocessable_entity", {"id": "-bad"}),
        ("unprocessable_entity", {"target": {"kind": "room"}}),
        ("unprocessable_entity", {"target": {"kind": "thread", "room_id": "review"}}),
        (
            "unprocessable_entity",
            {"target": {"kind": "thread", "room_id": "review", "thread_id": "t", "parent_message_id": " "}},
        ),
        (
            "unprocessable_entity",
            {"target": {"kind": "thread", "room_id": "review", "thread_id": "t", "parent_message_id": "none"}},
        ),
        ("unprocessable_entity", {"target": {"kind": "dm"}}),
        ("unprocessable_entity", {"target": {"kind": "dm", "dm_id": "!"}}),
        ("unprocessable_entity", {"target": {"kind": "dm", "participant_ids": ["alpha"]}}),
        ("unprocessable_entity", {"target": {"kind": "dm", "participant_ids": ["no id"]}}),
        ("unprocessable_entity", {"parts": [{"kind": "url", "url": "ftp://host/x"}]}),
        ("unprocessable_entity", {"parts": [{"kind": "file", "blob": "sha256-" + "0" * 64}]}),
        ("unprocessable_entity", {"reply_to": "nothing"}),
        ("not_found", {"target": {"kind": "room", "room_id": "nowhere"}}),
        ("not_found", {"target": {"kind": "thread", "room_id": "nowhere", "thread_id": "t"}}),
        ("not_found", {"target": {"kind": "dm", "dm_id": "unknown"}}),
        ("not_found", {"target": {"kind": "room", "room_id": "secret"}}),
        ("forbidden", {"target": {"kind": "room", "room_id": "readable"}}),
    ],
)
async def test_refusals(bench: Bench, code: str, change: dict[str, Any]) -> None:
    await bench.room()
    await bench.room("secret", "beta")
    await bench.room("readable", "beta", visibility="public")
    seq = bench.pump.last_seq
    await refused(code, bench.do(bench.alpha, "messages.send", **{"target": REVIEW, "parts": TEXT} | change))
    assert bench.pump.last_seq == seq


async def test_switches_come_first(make: Any) -> None:
    bench = await make(direct_messages=False, human_ingress=False)
    await refused("forbidden", bench.say(bench.alpha, "x", {"kind": "dm"}))
    await refused(
        "forbidden", bench.say(bench.admin, "x", {"kind": "room"}, **{"from": {"type": "human", "id": "operator"}})
    )
    await refused("forbidden", bench.do(bench.admin, "messages.send", target=REVIEW, parts=TEXT))
    await refused("unauthorized", bench.say(bench.anonymous, "x"))


async def test_nobody_speaks_as_somebody_else(bench: Bench) -> None:
    await bench.room()
    await refused("conflict", bench.say(bench.gamma, "x", **{"from": {"type": "agent", "id": "beta"}}))
    await refused("conflict", bench.say(bench.alpha, "x", origin={"network_id": "far", "message_id": "m"}))


async def test_a_paired_network_keeps_its_origin(bench: Bench) -> None:
    await bench.room("shared", "alpha", "far:delta")
    pair = person("pair", Scope.PAIR)
    sent = await bench.say(
        pair,
        "hi",
        {"kind": "room", "room_id": "shared"},
        **{"from": {"type": "agent", "id": "delta", "network_id": "far"}},
        origin={"network_id": "far", "message_id": "m9"},
    )
    message = await stored(bench, sent.message_id)
    assert (message.origin.network_id, message.origin.message_id) == ("far", "m9")
    assert message.from_.fqid == "molt://far/agents/delta"


async def test_admission_may_refuse_and_is_asked_last(bench: Bench) -> None:
    await bench.room()
    bench.admission.refusal = InstarError("loop_stopped", "cool down", retry_after_s=3)
    await refused("loop_stopped", bench.say(bench.alpha, "x"))
    await refused("not_found", bench.say(bench.alpha, "x", {"kind": "room", "room_id": "nowhere"}))
    assert len(bench.admission.asked) == 1


async def test_the_first_message_opens_a_thread(bench: Bench) -> None:
    await bench.room()
    root = await bench.say(bench.alpha, "root", id="root")
    target = {"kind": "thread", "room_id": "review", "thread_id": "t1", "parent_message_id": "root"}
    first = await bench.say(bench.beta, "hi @alpha", target, id="t-first")
    second = await bench.say(bench.alpha, "again", {"kind": "thread", "room_id": "review", "thread_id": "t1"})
    assert (first.thread_created, first.dm_created, second.thread_created) == (True, False, False)
    assert bench.types(since=root.seq) == ["thread.created", "message.created", "message.created"]
    assert [event.room for event in bench.events[-3:]] == ["room:review", "thread:t1", "thread:t1"]
    assert (await stored(bench, second.message_id)).target.parent_message_id == "root"
    assert (await stored(bench, "t-first")).mentions == ["molt://local/agents/alpha"]
    assert (await bench.say(bench.beta, "hi @alpha", target, id="t-first")).thread_created is False


async def test_a_thread_stays_in_its_room(bench: Bench) -> None:
    await bench.room()
    await bench.room("second")
    await bench.say(bench.alpha, "x", {"kind": "thread", "room_id": "review", "thread_id": "t1"})
    await refused("conflict", bench.say(bench.alpha, "x", {"kind": "thread", "room_id": "second", "thread_id": "t1"}))
    other_parent = {"kind": "thread", "room_id": "review", "thread_id": "t1", "parent_message_id": "zz"}
    await refused("conflict", bench.say(bench.alpha, "x", other_parent))


async def test_a_refused_first_message_opens_nothing(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "x", id="m1")
    seq = bench.pump.last_seq
    await refused(
        "id_reused", bench.say(bench.alpha, "x", {"kind": "thread", "room_id": "review", "thread_id": "t1"}, id="m1")
    )
    assert bench.pump.last_seq == seq
    assert bench.rooms.directory.get(RoomKey("thread:t1")) is None


async def test_many_first_messages_open_one_thread(bench: Bench) -> None:
    await bench.room()
    target = {"kind": "thread", "room_id": "review", "thread_id": "t1"}
    answers = await asyncio.gather(*(bench.say(bench.alpha, str(n), target) for n in range(20)))
    assert [answer.thread_created for answer in answers].count(True) == 1
    assert bench.types().count("thread.created") == 1


async def test_the_first_message_opens_a_direct_conversation(bench: Bench) -> None:
    to_beta = {"kind": "dm", "participant_ids": ["beta"]}
    first = await bench.say(bench.alpha, "psst @beta", to_beta)
    second = await bench.say(bench.beta, "yes", {"kind": "dm", "participant_ids": ["local:alpha", "beta"]})
    assert (first.dm_created, second.dm_created) == (True, False)
    assert bench.types() == ["dm.created", "message.created", "message.created"]
    (dm,) = bench.rooms.directory.all(RoomKind.DM)
    assert dm.id == "dm-a0a75a3afad3fee6" or dm.id.startswith("dm-")
    assert len(dm.id) == 19
    message = await stored(bench, first.message_id)
    assert message.target.participant_ids == ["alpha", "beta"]
    assert message.mentions == ["molt://local/agents/beta"]


async def test_nobody_joins_a_direct_conversation_by_sending(bench: Bench) -> None:
    await bench.say(bench.alpha, "psst", {"kind": "dm", "dm_id": "d1", "participant_ids": ["beta"]})
    await refused(
        "not_found", bench.say(bench.gamma, "me too", {"kind": "dm", "dm_id": "d1", "participant_ids": ["beta"]})
    )
    await refused("forbidden", bench.say(bench.admin, "me too", {"kind": "dm", "dm_id": "d1"}))
    await refused("conflict", bench.say(bench.alpha, "x", {"kind": "dm", "dm_id": "d1", "participant_ids": ["gamma"]}))
    assert sorted(bench.rooms.directory.all(RoomKind.DM)[0].members) == ["alpha", "beta"]


async def test_a_batch_answers_each_message_by_itself(bench: Bench) -> None:
    await bench.room()
    messages = [
        {"target": REVIEW, "parts": TEXT, "id": "b1"},
        {"target": {"kind": "room", "room_id": "nowhere"}, "parts": TEXT},
        {"target": {"kind": "thread", "room_id": "review", "thread_id": "t"}, "parts": TEXT, "reply_to": "b1"},
        {"target": REVIEW, "parts": TEXT, "id": "b2"},
    ]
    answer = await bench.do(bench.alpha, "messages.send_batch", key="k", messages=messages)
    codes = [outcome.code for outcome in answer.results]
    assert codes == ["", "not_found", "", ""]
    seqs = [outcome.accepted.seq for outcome in answer.results if outcome.accepted]
    assert seqs == sorted(seqs)


async def test_concurrent_sends_are_read_in_the_order_of_seq(bench: Bench) -> None:
    await bench.room()

    async def send(task: int) -> list[int]:
        return [(await bench.say(bench.alpha, f"{task}/{n}", id=f"m-{task}-{n}")).seq for n in range(50)]

    seqs = await asyncio.gather(*(send(task) for task in range(64)))
    assert all(mine == sorted(mine) for mine in seqs)
    published = [(event.seq, event.id) for event in bench.events if event.type == "message.created"]
    read: list[tuple[int, str]] = []
    after = "0"
    while after:
        page = await bench.do(bench.admin, "rooms.messages", room_id="review", after=after, limit="500")
        read += [(message.seq, message_event_id(message.id)) for message in page.messages]
        after = page.page.next_after
    assert read == published
    assert len(read) == 3200
    assert {seq for mine in seqs for seq in mine} == {seq for seq, _ in read}


async def test_a_member_removed_on_the_way_cannot_send(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.room()
    append = bench.store.append

    async def late(drafts: Any) -> Any:
        monkeypatch.setattr(bench.store, "append", append)
        await bench.do(bench.admin, "rooms.members", room_id="review", remove=["alpha"])
        return await append(drafts)

    monkeypatch.setattr(bench.store, "append", late)
    await refused("not_found", bench.say(bench.alpha, "too late"))
    assert "message.created" not in bench.types()
    assert len(bench.admission.asked) == 1


async def test_a_change_that_does_not_matter_is_decided_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.room()
    append = bench.store.append

    async def late(drafts: Any) -> Any:
        monkeypatch.setattr(bench.store, "append", append)
        await bench.do(bench.admin, "rooms.members", room_id="review", add=["gamma"])
        return await append(drafts)

    monkeypatch.setattr(bench.store, "append", late)
    assert (await bench.say(bench.alpha, "hello @gamma")).accepted
    assert (await bench.do(bench.admin, "rooms.messages", room_id="review")).messages[0].mentions == [
        "molt://local/agents/gamma"
    ]


@pytest.mark.parametrize("target", [REVIEW, {"kind": "thread", "room_id": "review", "thread_id": "t"}])
async def test_a_member_removed_before_a_message_with_more_than_text(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, target: dict[str, Any]
) -> None:
    await bench.room()
    transact = bench.store.transact

    async def late(work: Any) -> Any:
        monkeypatch.setattr(bench.store, "transact", transact)
        await bench.do(bench.admin, "rooms.members", room_id="review", remove=["alpha"])
        return await transact(work)

    monkeypatch.setattr(bench.store, "transact", late)
    await refused("not_found", bench.say(bench.alpha, "", target, parts=[{"kind": "url", "url": "https://host/"}]))
    assert not {"thread.created", "message.created"} & set(bench.types())


async def test_a_direct_conversation_opened_meanwhile_by_others(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    transact = bench.store.transact

    async def late(work: Any) -> Any:
        monkeypatch.setattr(bench.store, "transact", transact)
        await bench.say(bench.gamma, "first", {"kind": "dm", "dm_id": "d1", "participant_ids": ["beta"]})
        return await transact(work)

    monkeypatch.setattr(bench.store, "transact", late)
    await refused("not_found", bench.say(bench.alpha, "x", {"kind": "dm", "dm_id": "d1", "participant_ids": ["beta"]}))


async def test_a_room_that_never_rests_is_a_conflict(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.room()

    async def never(drafts: Any) -> Any:
        return [GuardFailed(draft.guards[0]) for draft in drafts]

    monkeypatch.setattr(bench.store, "append", never)
    await refused("conflict", bench.say(bench.alpha, "x"))


async def test_artifacts_and_replies_go_with_the_message(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "x", id="m1")
    parts = [{"kind": "text"}, {"kind": "url", "url": "https://host/x"}, {"kind": "data", "data": {"a": [1]}}]
    first = await bench.say(bench.alpha, "", parts=parts, id="m2", reply_to="m1")
    assert await bench.say(bench.alpha, "", parts=parts, id="m2", reply_to="m1") == first
    page = await bench.do(bench.admin, "artifacts.list", room_id="review")
    assert [artifact.id for artifact in page.artifacts] == ["art_m2_1", "art_m2_2"]


async def test_append_as_within_another_transaction(bench: Bench) -> None:
    await bench.room()
    asked = await bench.say(bench.beta, "@alpha?")

    async def work(tx: Any) -> Any:
        parts = [Part(PartKind.TEXT, "yes, @beta"), Part(PartKind.URL, url="https://host/")]
        return await bench.rooms.messages.append_as(
            tx,
            "alpha",
            RoomKey("room:review"),
            parts,
            message_id="answer",
            cause=asked.event_id,
            reply_to=asked.message_id,
            run="run_1",
        )

    event = await bench.store.transact(work)
    assert (await bench.store.transact(work)).seq == event.seq
    message = await stored(bench, "answer")
    assert (message.hops, message.run, message.cause) == (1, "run_1", asked.event_id)
    assert message.mentions == ["molt://local/agents/beta"]


@pytest.mark.parametrize(
    ("code", "agent", "key", "message_id"),
    [
        ("not_found", "alpha", "room:none", "x"),
        ("not_found", "alpha", "system:keys", "x"),
        ("forbidden", "gamma", "room:review", "x"),
        ("unprocessable_entity", "alpha", "room:review", "!"),
        ("id_reused", "alpha", "room:review", "taken"),
    ],
)
async def test_append_as_refuses(bench: Bench, code: str, agent: str, key: str, message_id: str) -> None:
    await bench.room()
    await bench.say(bench.beta, "x", id="taken")
    parts = [Part(PartKind.TEXT, "y")]
    append_as = bench.rooms.messages.append_as
    await refused(
        code, bench.store.transact(lambda tx: append_as(tx, agent, RoomKey(key), parts, message_id=message_id))
    )


async def test_append_as_without_a_message_as_cause(bench: Bench) -> None:
    await bench.room("open", "beta", write_policy="registered_agents")
    made = next(event for event in bench.events if event.type == "room.created")
    parts = [Part(PartKind.TEXT, "y")]
    append_as = bench.rooms.messages.append_as
    key = RoomKey("room:open")
    await bench.store.transact(lambda tx: append_as(tx, "alpha", key, parts, message_id="a", cause=made.id))
    await bench.store.transact(lambda tx: append_as(tx, "alpha", key, parts, message_id="b"))
    assert [(await stored(bench, message_id)).hops for message_id in "ab"] == [1, 0]
    assert HOME == "home"
