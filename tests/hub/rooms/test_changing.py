from typing import Any

import msgspec
import pytest

from instar.hub.rooms.changing import edit_event_id
from instar.store.log import by_id
from instar.wire.events import envelope_chain, message_event_id
from tests.hub.rooms.conftest import Bench, count, refused


def words(*texts: str) -> list[dict[str, Any]]:
    return [{"kind": "text", "text": text} for text in texts]


async def test_an_edit_is_folded_in_everywhere(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "first", id="m1")
    edited = await bench.do(bench.alpha, "messages.edit", message_id="m1", parts=words("second @beta."))
    assert edited.parts[0].text == "second @beta."
    assert edited.mentions == ["molt://local/agents/beta"]
    assert edited.edited_at
    assert await bench.do(bench.beta, "messages.get", message_id="m1") == edited
    assert (await bench.do(bench.beta, "rooms.messages", room_id="review")).messages == [edited]
    event = bench.events[-1]
    assert (event.type, event.id) == ("message.edited", edit_event_id("m1", 1))
    assert msgspec.json.decode(event.payload)["message_id"] == "m1"


async def test_who_may_edit(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "first", id="m1")
    await refused("forbidden", bench.do(bench.beta, "messages.edit", message_id="m1", parts=words("mine")))
    await refused("not_found", bench.do(bench.gamma, "messages.edit", message_id="m1", parts=words("mine")))
    assert (await bench.do(bench.admin, "messages.edit", message_id="m1", parts=words("better"))).edited_at


@pytest.mark.parametrize("parts", [[{"kind": "url", "url": "x:y"}], [{"kind": "file", "blob": "sha256-" + "1" * 64}]])
async def test_edit_checks_parts(bench: Bench, parts: list[dict[str, Any]]) -> None:
    await bench.room()
    await bench.say(bench.alpha, "first", id="m1")
    await refused("unprocessable_entity", bench.do(bench.alpha, "messages.edit", message_id="m1", parts=parts))


async def test_an_edit_replaces_artifacts(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "", id="m1", parts=[{"kind": "url", "url": "https://a/"}])
    await bench.do(
        bench.alpha, "messages.edit", message_id="m1", parts=[*words("x"), {"kind": "url", "url": "https://b/"}]
    )
    (artifact,) = (await bench.do(bench.alpha, "artifacts.list", room_id="review")).artifacts
    assert (artifact.id, artifact.url) == ("art_m1_1", "https://b/")


async def test_redaction_erases_the_message_and_every_edit(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "secret-0", id="m1")
    for number in range(1, 6):
        await bench.do(bench.alpha, "messages.edit", message_id="m1", parts=words(f"secret-{number}"))
    await bench.do(bench.beta, "messages.react", message_id="m1", reaction="+1")
    answer = await bench.do(bench.alpha, "messages.redact", message_id="m1", reason="oops")
    assert answer.parts == []
    assert (answer.redaction.by, answer.redaction.reason, answer.from_.id) == ("alpha", "oops", "alpha")
    assert await bench.do(bench.beta, "messages.get", message_id="m1") == answer
    assert (await bench.do(bench.beta, "rooms.messages", room_id="review")).messages == [answer]
    rows = await bench.store.read(lambda reader: reader.rows("SELECT payload FROM events"))
    assert not [payload for (payload,) in rows if b"secret-" in payload]
    assert bench.types()[-1] == "message.redacted"
    assert await count(bench.store, "message_changes") == 0


async def test_the_chain_still_verifies_after_a_redaction(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "secret", id="m1")
    before = await bench.store.read(lambda reader: by_id(reader, message_event_id("m1")))
    await bench.do(bench.alpha, "messages.redact", message_id="m1")
    after = await bench.store.read(lambda reader: by_id(reader, message_event_id("m1")))
    assert before is not None
    assert after is not None
    assert after.redacted
    assert (after.digest, after.chain) == (before.digest, before.chain)
    previous = next(event.chain for event in bench.events if event.seq == after.prev)
    assert after.chain == envelope_chain(
        previous, after.id, after.room, after.type, after.actor, after.created_at, after.digest
    )


async def test_a_redacted_message_is_final(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "secret", id="m1")
    first = await bench.do(bench.alpha, "messages.redact", message_id="m1")
    seq = bench.pump.last_seq
    assert await bench.do(bench.admin, "messages.redact", message_id="m1") == first
    await refused("conflict", bench.do(bench.alpha, "messages.edit", message_id="m1", parts=words("x")))
    await refused("conflict", bench.do(bench.alpha, "messages.react", message_id="m1", reaction="x"))
    assert bench.types(since=seq) == []
    assert (await bench.say(bench.alpha, "secret", id="m1")).event_id == message_event_id("m1")


async def test_files_go_with_the_last_message_that_names_them(bench: Bench) -> None:
    await bench.room()

    async def body() -> Any:
        yield b"bytes"

    blob = (await bench.do(bench.alpha, "blobs.upload", body=body, filename="x.txt")).blob
    part = [{"kind": "file", "blob": blob}]
    await bench.say(bench.alpha, "", id="m1", parts=part)
    await bench.say(bench.alpha, "", id="m2", parts=part)
    await bench.do(bench.alpha, "messages.redact", message_id="m1")
    assert bench.blobs.open(blob).read_bytes() == b"bytes"
    await bench.do(bench.alpha, "messages.edit", message_id="m2", parts=words("no file"))
    await bench.do(bench.alpha, "messages.redact", message_id="m2")
    await refused("not_found", bench.do(bench.alpha, "blobs.get", blob=blob))
    assert await count(bench.store, "blobs") == 0
    assert not [path for path in bench.blobs.folder.rglob("*") if path.is_file()]
