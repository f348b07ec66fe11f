"""A backup is whole, consistent and verified, or it is not there."""

import asyncio
import hashlib
import io
import tarfile

import apsw
import msgspec
import pytest

from instar.base.errors import InstarError
from instar.store import backup as module
from instar.store import log
from instar.store.backup import Manifest, Member, read_manifest, verify_archive
from instar.store.blobs import Blobs
from instar.store.restore import restore
from instar.store.sqlite import migrations, open_store
from instar.store.verifying import verify
from instar.wire.events import RoomKey

ROOM = RoomKey("room:a")


async def stream(content):
    yield content


async def put_blob(store, content):
    blob = await Blobs(store.folder / "blobs").put(stream(content), 100)
    await store.transact(
        lambda tx: tx.execute("INSERT INTO blobs VALUES ('home', ?1, ?2, 'a/b', '', 1)", blob.digest, 5)
    )
    return blob.digest


async def events_of(store):
    return await store.read(lambda reader: log.after(reader, 0, 100_000))


@pytest.fixture
async def archive(store, draft, tmp_path):
    """A backup of five events and two blobs."""
    await store.append([draft(f"evt_{n}", counted=True) for n in range(5)])
    for content in (b"one", b"two"):
        await put_blob(store, content)
    done = await store.backup(str(tmp_path / "backups"), "b.tar")
    return tmp_path / "backups" / "b.tar", done


async def refusal(work):
    with pytest.raises(InstarError) as caught:
        await work
    return caught.value.code


def refused(work, *args, **options):
    with pytest.raises(InstarError) as caught:
        work(*args, **options)
    return caught.value.code


class TestBackup:
    async def test_result_says_what_it_is(self, archive):
        path, done = archive
        content = path.read_bytes()
        assert (done.path, done.last_seq, done.size_bytes) == (str(path), 5, len(content))
        assert done.sha256 == hashlib.sha256(content).hexdigest()
        manifest = verify_archive(path)
        assert (manifest.schema, manifest.last_seq, len(manifest.members)) == (len(migrations.shipped()), 5, 3)
        assert path.stat().st_mode & 0o777 == 0o600
        assert [found.name for found in path.parent.iterdir()] == ["b.tar"]

    async def test_no_private_file_is_in_it(self, store, tmp_path):
        (store.folder / "local-grant").write_text("instar_secret")
        (store.folder / "search.db").write_text("derived")
        await store.backup(str(tmp_path), "b.tar")
        with tarfile.open(tmp_path / "b.tar") as archive:
            assert archive.getnames() == ["manifest.json", "instar.db"]

    async def test_a_name_is_used_once(self, store, archive):
        path, done = archive
        assert await refusal(store.backup(str(path.parent), "b.tar")) == "conflict"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == done.sha256

    @pytest.mark.parametrize("name", ["../b.tar", "a/b.tar", ".hidden", ""])
    async def test_a_name_is_one_plain_name(self, store, tmp_path, name):
        assert await refusal(store.backup(str(tmp_path), name)) == "unprocessable_entity"

    async def test_an_erased_blob_is_left_out(self, store, tmp_path):
        digest = await put_blob(store, b"gone")
        await Blobs(store.folder / "blobs").delete(digest)
        await store.backup(str(tmp_path), "b.tar")
        assert len(read_manifest(tmp_path / "b.tar").members) == 1

    async def test_a_damaged_blob_fails_it(self, store, tmp_path):
        digest = await put_blob(store, b"fine")
        Blobs(store.folder / "blobs").open(digest).write_bytes(b"rot")
        assert await refusal(store.backup(str(tmp_path / "out"), "b.tar")) == "data_corrupt"
        assert list((tmp_path / "out").iterdir()) == []

    async def test_a_full_disk_leaves_nothing(self, store, tmp_path, monkeypatch):
        def fail(path):
            raise OSError(28, "injected")

        monkeypatch.setattr(module, "verify_archive", fail)
        assert await refusal(store.backup(str(tmp_path / "out"), "b.tar")) == "storage_full"
        assert list((tmp_path / "out").iterdir()) == []

    async def test_while_writing_goes_on_it_is_one_moment(self, store, draft, tmp_path):
        done = asyncio.Event()

        async def write():
            n = 0
            while not done.is_set():
                await store.append(
                    [draft(f"evt_{n}_{m}", f"room:{m}", payload=b'"%b"' % (b"x" * 500)) for m in range(50)]
                )
                n += 1

        writing = asyncio.ensure_future(write())
        while await store.last_seq() < 2_000:  # noqa: ASYNC110 - each write of the other task lets it go on
            await asyncio.sleep(0)
        backed_up = await store.backup(str(tmp_path), "b.tar")
        done.set()
        await writing
        restore(tmp_path / "b.tar", tmp_path / "copy")
        copy = await open_store(tmp_path / "copy")
        mine = await events_of(copy)
        assert len(mine) == backed_up.last_seq >= 2_000
        assert mine == (await events_of(store))[: len(mine)]
        for room in await copy.read(log.heads):
            assert (await copy.read(lambda reader, room=room: verify(reader, room))).is_sound
        await copy.close()


class TestRestore:
    async def test_everything_comes_back(self, store, archive, tmp_path):
        manifest = restore(archive[0], tmp_path / "copy")
        assert manifest.last_seq == 5
        copy = await open_store(tmp_path / "copy")
        assert await events_of(copy) == await events_of(store)
        for digest in ("one", "two"):
            name = "sha256-" + hashlib.sha256(digest.encode()).hexdigest()
            assert Blobs(tmp_path / "copy" / "blobs").open(name).read_bytes() == digest.encode()
        assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == [
            "blobs", "instar.db", "instar.db-shm", "instar.db-wal", "lock"
        ]  # fmt: skip
        await copy.close()

    async def test_it_goes_on_where_the_backup_ended(self, archive, tmp_path, draft):
        restore(archive[0], tmp_path / "copy")
        copy = await open_store(tmp_path / "copy")
        (result,) = await copy.append([draft("evt_new")])
        assert (result.event.seq, result.event.prev) == (6, 5)
        assert (await copy.read(lambda reader: verify(reader, ROOM))).is_sound
        await copy.close()

    async def test_a_used_directory_needs_force_and_keeps_the_old_database(self, store, archive, draft):
        await store.append([draft("evt_later")])
        (store.folder / "search.db").write_text("stale")
        assert refused(restore, archive[0], store.folder, force=True) == "storage_locked"
        await store.close()
        assert refused(restore, archive[0], store.folder) == "conflict"
        restore(archive[0], store.folder, force=True)
        again = await open_store(store.folder)
        assert len(await events_of(again)) == 5
        await again.close()
        assert not (store.folder / "search.db").exists()
        (kept,) = (store.folder / "backups").glob("before-restore-*.db")
        old = apsw.Connection(str(kept))
        assert old.execute("SELECT COUNT(*) FROM events").fetchall() == [(6,)]
        old.close()

    async def test_force_replaces_a_damaged_database(self, archive, tmp_path):
        copy = tmp_path / "copy"
        copy.mkdir()
        (copy / "instar.db").write_bytes(b"rubbish" * 1_000)
        (copy / "instar.db-wal").write_bytes(b"rubbish too")
        restore(archive[0], copy, force=True)
        opened = await open_store(copy)
        assert len(await events_of(opened)) == 5
        await opened.close()
        assert len(list((copy / "backups").iterdir())) >= 1

    async def test_a_newer_schema_is_refused(self, archive, tmp_path, monkeypatch):
        monkeypatch.setattr(migrations, "shipped", lambda: [migrations.Migration(0, "older", "")])
        assert refused(restore, archive[0], tmp_path / "copy") == "schema_too_new"
        assert not (tmp_path / "copy" / "instar.db").exists()

    def test_no_archive(self, tmp_path):
        assert refused(restore, tmp_path / "none.tar", tmp_path / "copy") == "not_found"
        assert not (tmp_path / "copy").exists()


def tar_of(path, *members, kind=tarfile.REGTYPE):
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            header = tarfile.TarInfo(name)
            header.size = len(content)
            if name != "manifest.json":
                header.type = kind
                header.linkname = "/etc/passwd" if kind != tarfile.REGTYPE else ""
            archive.addfile(header, io.BytesIO(content))
    return path


def manifest_of(*members, form=module.FORMAT):
    return "manifest.json", msgspec.json.encode(Manifest(form, 1, 1, "", list(members)))


GOOD = b"content"
HEX = hashlib.sha256(GOOD).hexdigest()
DATABASE = Member("instar.db", len(GOOD), HEX)
UNSOUND = {
    "empty": [],
    "no manifest": [("instar.db", GOOD)],
    "manifest that is no JSON": [("manifest.json", b"{")],
    "another format": [manifest_of(DATABASE, form="other/1"), ("instar.db", GOOD)],
    "no members": [manifest_of()],
    "member missing": [manifest_of(DATABASE)],
    "member of another name": [manifest_of(DATABASE), ("other.db", GOOD)],
    "member too many": [manifest_of(DATABASE), ("instar.db", GOOD), ("more", b"")],
    "wrong content": [manifest_of(DATABASE), ("instar.db", b"CONTENT")],
    "wrong size": [manifest_of(Member("instar.db", 1, HEX)), ("instar.db", GOOD)],
    "path out of the directory": [
        manifest_of(DATABASE, Member("../../x", len(GOOD), HEX)), ("instar.db", GOOD), ("../../x", GOOD)
    ],
    "digest that is none": [
        manifest_of(DATABASE, Member("blobs/../../x", 1, "../../x")), ("instar.db", GOOD), ("blobs/../../x", GOOD)
    ],
    "no database": [manifest_of(DATABASE), ("instar.db", GOOD)],
}  # fmt: skip


class TestUnsoundArchives:
    @pytest.mark.parametrize("members", UNSOUND.values(), ids=UNSOUND)
    def test_is_refused_before_anything_changes(self, tmp_path, members):
        path = tar_of(tmp_path / "bad.tar", *members)
        target = tmp_path / "copy"
        target.mkdir()
        (target / "instar.db").write_bytes(b"mine")
        assert refused(restore, path, target, force=True) == "data_corrupt"
        assert (target / "instar.db").read_bytes() == b"mine"
        assert sorted(found.name for found in target.iterdir()) == ["instar.db", "lock"]
        assert sorted(found.name for found in tmp_path.iterdir()) == ["bad.tar", "copy"]

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
    def test_links_are_refused(self, tmp_path, kind):
        path = tar_of(tmp_path / "bad.tar", manifest_of(DATABASE), ("instar.db", b""), kind=kind)
        assert refused(restore, path, tmp_path / "copy") == "data_corrupt"

    def test_what_is_no_tar_is_refused(self, tmp_path):
        (tmp_path / "bad.tar").write_bytes(b"rubbish" * 1_000)
        assert refused(restore, tmp_path / "bad.tar", tmp_path / "copy") == "data_corrupt"
        assert refused(verify_archive, tmp_path / "bad.tar") == "data_corrupt"

    async def test_one_cut_short_is_refused(self, archive, tmp_path):
        content = archive[0].read_bytes()
        for cut in (len(content) // 2, 5_000, 600, 100):
            (tmp_path / "bad.tar").write_bytes(content[:cut])
            assert refused(verify_archive, tmp_path / "bad.tar") == "data_corrupt"

    async def test_one_flipped_bit_is_found(self, archive, tmp_path):
        content = bytearray(archive[0].read_bytes())
        content[len(content) // 2] ^= 1
        (tmp_path / "bad.tar").write_bytes(content)
        assert refused(verify_archive, tmp_path / "bad.tar") == "data_corrupt"
