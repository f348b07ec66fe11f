"""The key file: made once, and never made anew while something depends on it."""

import pytest

from instar.base.errors import InstarError
from instar.hub.secrets import Secrets
from instar.hub.secrets.secrets import KEY_FILE, reset


async def loaded(store, folder):
    secrets = Secrets()
    await secrets.load(folder / KEY_FILE, store)
    return secrets


async def refusal(store, folder):
    with pytest.raises(InstarError) as caught:
        await loaded(store, folder)
    return caught.value


@pytest.fixture
async def secrets(store, tmp_path):
    """Secrets with one among them."""
    made = await loaded(store, tmp_path)
    await store.transact(lambda tx: made.keep(tx, "ssh-key:one", b"hush, hush"))
    return made


async def test_the_first_start_makes_a_private_key(store, tmp_path):
    assert "loaded" in repr(Secrets())
    first = await loaded(store, tmp_path)
    path = tmp_path / KEY_FILE
    assert (path.stat().st_mode & 0o777, path.stat().st_size) == (0o600, 32)
    assert path.read_bytes() not in repr(first).encode()
    before = path.read_bytes()
    await loaded(store, tmp_path)
    assert path.read_bytes() == before


async def test_secrets_outlive_a_start(secrets, store, tmp_path):
    again = await loaded(store, tmp_path)
    assert await store.read(lambda reader: again.find(reader, "ssh-key:one")) == b"hush, hush"
    await store.transact(lambda tx: again.forget(tx, "ssh-key:one"))
    with pytest.raises(InstarError, match="there is no secret"):
        await store.read(lambda reader: again.find(reader, "ssh-key:one"))


async def test_the_database_does_not_tell(secrets, store, tmp_path):
    await store.close()
    files = [path.read_bytes() for path in (tmp_path / "hub").rglob("*") if path.is_file()]
    assert files
    assert not any(b"hush, hush" in content for content in files)


async def test_a_lost_key_stops_the_start(secrets, store, tmp_path):
    (tmp_path / KEY_FILE).unlink()
    refused = await refusal(store, tmp_path)
    assert (refused.code, "secrets-key" in refused.hint) == ("secret_unreadable", True)
    assert not (tmp_path / KEY_FILE).exists()


async def test_another_key_stops_the_start(secrets, store, tmp_path):
    (tmp_path / KEY_FILE).write_bytes(bytes(32))
    assert (await refusal(store, tmp_path)).code == "secret_unreadable"


@pytest.mark.parametrize(
    ("content", "mode", "code"), [(b"short", 0o600, "data_corrupt"), (bytes(32), 0o644, "forbidden")]
)
async def test_a_file_that_is_no_private_key_stops_the_start(store, tmp_path, content, mode, code):
    (tmp_path / KEY_FILE).write_bytes(content)
    (tmp_path / KEY_FILE).chmod(mode)
    assert (await refusal(store, tmp_path)).code == code


async def test_without_secrets_a_lost_or_other_key_is_made_anew(store, tmp_path):
    await loaded(store, tmp_path)
    (tmp_path / KEY_FILE).unlink()
    await loaded(store, tmp_path)
    (tmp_path / KEY_FILE).write_bytes(bytes(32))
    await loaded(store, tmp_path)
    await loaded(store, tmp_path)


async def test_a_reset_lets_a_hub_without_its_key_start(secrets, store, tmp_path):
    (tmp_path / KEY_FILE).unlink()
    assert await store.transact(reset) == 1
    again = await loaded(store, tmp_path)
    with pytest.raises(InstarError):
        await store.read(lambda reader: again.find(reader, "ssh-key:one"))


def test_nothing_is_sealed_before_the_key_is_loaded():
    with pytest.raises(LookupError):
        Secrets().seal("x", b"")
