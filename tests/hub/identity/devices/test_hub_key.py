from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.hub.identity.devices.hub_key import HubKey
from instar.wire import signatures


def loaded(path: Path) -> HubKey:
    key = HubKey()
    key.load(path)
    return key


def test_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "hub-key"
    key = loaded(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) == 32
    assert loaded(path).id == key.id == signatures.device_id(key.public_key)
    assert key.fingerprint == signatures.fingerprint(key.public_key)
    assert signatures.verify(key.public_key, key.sign(b"x"), b"x")
    path.unlink()
    assert loaded(path).id != key.id


def test_a_file_that_is_no_seed(tmp_path: Path) -> None:
    path = tmp_path / "hub-key"
    for content in (b"", b"x" * 31, b"x" * 33):
        path.touch(0o600)
        path.write_bytes(content)
        with pytest.raises(InstarError, match="is no key") as caught:
            loaded(path)
        assert caught.value.code == "data_corrupt"


def test_a_file_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "hub-key"
    loaded(path)
    path.chmod(0o640)
    with pytest.raises(InstarError, match="open to other users"):
        loaded(path)
    path.rename(tmp_path / "real")
    (tmp_path / "real").chmod(0o600)
    path.symlink_to(tmp_path / "real")
    with pytest.raises(InstarError, match="symbolic link"):
        loaded(path)


def test_the_seed_is_never_shown(tmp_path: Path) -> None:
    key = loaded(tmp_path / "hub-key")
    assert repr(key) == f"HubKey({key.id})"
    assert repr(HubKey()) == "HubKey(not loaded)"
    with pytest.raises(LookupError):
        _ = HubKey().public_key
