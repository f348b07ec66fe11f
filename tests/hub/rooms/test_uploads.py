import hashlib
from typing import Any

import msgspec
import pytest

from instar.base.clock import MICROS_PER_S, Micros, now
from instar.hub.rooms import RoomPolicy
from tests.hub.rooms.conftest import Bench, refused

DIGEST = "sha256-" + hashlib.sha256(b"hello world").hexdigest()


async def body() -> Any:
    yield b"hello "
    yield b"world"


async def other() -> Any:
    yield b"other"


async def upload(bench: Bench, **more: Any) -> Any:
    return await bench.do(
        bench.alpha, "blobs.upload", **{"body": body, "filename": "x.txt", "media_type": "text/plain; a=b"} | more
    )


async def test_upload_and_read(bench: Bench) -> None:
    await bench.room()
    uploaded = await upload(bench)
    assert msgspec.to_builtins(uploaded) == {
        "blob": DIGEST, "size_bytes": 11, "media_type": "text/plain", "filename": "x.txt",
    }  # fmt: skip
    assert await upload(bench) == uploaded
    file = await bench.do(bench.alpha, "blobs.get", blob=DIGEST)
    assert file.path.read_bytes() == b"hello world"
    assert msgspec.json.decode(msgspec.json.encode(file)) == msgspec.to_builtins(uploaded)
    await refused("not_found", bench.do(bench.beta, "blobs.get", blob=DIGEST))
    await bench.say(bench.alpha, "", parts=[{"kind": "file", "blob": DIGEST, "filename": "x.txt"}])
    assert (await bench.do(bench.beta, "blobs.get", blob=DIGEST)).path == file.path
    await refused("not_found", bench.do(bench.gamma, "blobs.get", blob=DIGEST))
    await refused("not_found", bench.do(bench.anonymous, "blobs.get", blob=DIGEST))
    await refused("not_found", bench.do(bench.beta, "blobs.get", blob="sha256-" + "0" * 64))


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("too_large", {}),
        ("unsupported_media_type", {"media_type": "application/zip"}),
        ("unprocessable_entity", {"filename": "../x"}),
        ("unprocessable_entity", {"filename": "a\nb"}),
        ("bad_request", {"body": None}),
    ],
)
async def test_refusals(make: Any, code: str, more: dict[str, Any]) -> None:
    bench = await make(RoomPolicy(max_bytes=10, media_types=("text/*", "image/png")))
    await refused(code, upload(bench, **more))
    await refused("forbidden", bench.do(bench.observer, "blobs.upload", body=body))


async def test_another_policy_holds_from_then_on(bench: Bench) -> None:
    await upload(bench)
    bench.rooms.obey(RoomPolicy(max_bytes=10, media_types=("image/*",)))
    await refused("unsupported_media_type", upload(bench))
    await refused("too_large", upload(bench, media_type="image/png"))


async def test_missing_bytes_are_said(bench: Bench) -> None:
    await upload(bench)
    await bench.blobs.delete(DIGEST)
    await refused("data_corrupt", bench.do(bench.alpha, "blobs.get", blob=DIGEST))


async def test_bytes_that_were_erased_meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    put = bench.blobs.put

    async def erased(chunks: Any, max_bytes: int) -> Any:
        stored = await put(chunks, max_bytes)
        await bench.blobs.delete(stored.digest)
        return stored

    monkeypatch.setattr(bench.blobs, "put", erased)
    await refused("service_unavailable", upload(bench))


async def test_what_no_message_names_is_swept_in_time(bench: Bench) -> None:
    await bench.room()
    await upload(bench)
    orphan = await bench.blobs.put(other(), 10)
    assert await bench.rooms.sweep_uploads(Micros(now() - 60 * MICROS_PER_S)) == 0
    await bench.say(bench.alpha, "", parts=[{"kind": "file", "blob": DIGEST}])
    later = Micros(now() + 1)
    assert await bench.rooms.sweep_uploads(later) == 1
    assert not bench.blobs.open(orphan.digest).exists()
    unused = await upload(bench, body=other)
    assert await bench.rooms.sweep_uploads(later) == 0
    assert await bench.rooms.sweep_uploads(Micros(now() + 1)) == 1
    await refused("not_found", bench.do(bench.alpha, "blobs.get", blob=unused.blob))
    assert (await bench.do(bench.alpha, "blobs.get", blob=DIGEST)).path.exists()


async def test_an_upload_that_is_made_again_counts_from_then_on(bench: Bench) -> None:
    await upload(bench)
    between = Micros(now() + 1)
    await upload(bench)
    assert await bench.rooms.sweep_uploads(between) == 0


async def test_discard_spares_what_was_uploaded_again(bench: Bench) -> None:
    await upload(bench)
    await bench.rooms._uploads.discard([DIGEST])
    assert bench.blobs.open(DIGEST).exists()
