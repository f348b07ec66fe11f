"""Blobs are whole, named by their content, or not there."""

import errno
import hashlib

import pytest

from instar.base.errors import InstarError
from instar.store import blobs as module
from instar.store.blobs import Blobs, StoredBlob

DIGEST = "sha256-" + hashlib.sha256(b"hello world").hexdigest()


async def stream(*chunks, error=None):
    for chunk in chunks:
        yield chunk
    if error:
        raise error


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


def files(blobs):
    return sorted(path.name for path in blobs.folder.rglob("*") if path.is_file())


async def test_content_is_found_under_its_digest(blobs):
    assert await blobs.put(stream(b"hello ", b"world"), 11) == StoredBlob(DIGEST, 11)
    path = blobs.open(DIGEST)
    assert path.read_bytes() == b"hello world"
    assert path.parent.name == path.name[:2]
    assert path.stat().st_mode & 0o777 == 0o600
    assert files(blobs) == [path.name]


async def test_the_same_content_twice_is_one_file(blobs):
    assert await blobs.put(stream(b"hello world"), 11) == await blobs.put(stream(b"hello ", b"world"), 11)
    assert len(files(blobs)) == 1


async def test_nothing_is_content_too(blobs):
    assert (await blobs.put(stream(), 0)).size_bytes == 0


async def test_too_large_leaves_nothing(blobs):
    with pytest.raises(InstarError) as caught:
        await blobs.put(stream(b"hello ", b"world"), 10)
    assert caught.value.code == "too_large"
    assert files(blobs) == []


async def test_a_broken_stream_leaves_nothing(blobs):
    with pytest.raises(ConnectionResetError):
        await blobs.put(stream(b"hello", error=ConnectionResetError()), 100)
    assert files(blobs) == []


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "storage_full"), (errno.EIO, "internal_error")])
@pytest.mark.parametrize("place", ["sync", "open_private"])
async def test_a_failing_disk_leaves_nothing(blobs, monkeypatch, number, code, place):
    def fail(path):
        raise OSError(number, "injected")

    monkeypatch.setattr(module, place, fail)
    with pytest.raises(InstarError) as caught:
        await blobs.put(stream(b"hello"), 100)
    assert caught.value.code == code
    assert files(blobs) == []


async def test_delete(blobs):
    await blobs.put(stream(b"hello world"), 11)
    assert await blobs.delete(DIGEST)
    assert not await blobs.delete(DIGEST)
    assert not await blobs.delete("../../etc/passwd")
    assert not blobs.open(DIGEST).exists()


@pytest.mark.parametrize("digest", ["", "sha256-", "sha256-../../x", "md5-" + "a" * 64, "sha256-" + "A" * 64])
def test_what_is_no_digest_is_not_found(blobs, digest):
    with pytest.raises(InstarError) as caught:
        blobs.open(digest)
    assert caught.value.code == "not_found"


async def test_orphans_are_what_no_table_knows(blobs):
    other = (await blobs.put(stream(b"other"), 11)).digest
    await blobs.put(stream(b"hello world"), 11)
    assert await blobs.orphans([other]) == [DIGEST]
    assert await blobs.orphans([other], older_than_s=3_600) == []
    assert await Blobs(blobs.folder / "none").orphans([]) == []


async def test_what_a_crash_left_is_cleared(blobs):
    await blobs.put(stream(b"hello world"), 11)
    (blobs.folder / module.UNFINISHED / "0123").write_bytes(b"half")
    assert await blobs.clear_unfinished() == 1
    assert await blobs.clear_unfinished() == 0
    assert len(files(blobs)) == 1
