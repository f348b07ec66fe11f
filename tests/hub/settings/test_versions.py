import stat
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.hub.settings.file import hash_of
from instar.hub.settings.versions import Versions
from instar.wire.limits import SETTINGS_VERSIONS_MAX


def test_the_last_ones_are_kept(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "hub")
    assert versions.newest() is None
    assert versions.all() == []
    for number in range(1, SETTINGS_VERSIONS_MAX + 4):
        added = versions.add(f"# {number}\n", ["b", "a"], by="me", comment="why")
        assert added == versions.newest()
    assert (added.version, added.changed, added.by, added.comment) == (number, ["a", "b"], "me", "why")
    assert added.hash == hash_of(f"# {number}\n".encode())
    assert [one.version for one in versions.all()] == list(range(number, number - SETTINGS_VERSIONS_MAX, -1))
    assert versions.text(number - 1) == f"# {number - 1}\n"
    with pytest.raises(InstarError, match="no version 1") as caught:
        versions.text(1)
    assert caught.value.code == "not_found"


def test_only_the_owner_sees_them(tmp_path: Path) -> None:
    Versions(tmp_path / "hub").add("auth: {token: x}", [])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "hub").rglob("*")}
    assert modes == {"settings": 0o700, "000001.json": 0o600}
    assert stat.S_IMODE((tmp_path / "hub").stat().st_mode) == 0o700


def test_one_that_is_damaged_is_named(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    versions.add("", [])
    (tmp_path / "settings" / "000001.json").write_text("{")
    (tmp_path / "settings" / "notes.json").write_text("not one of them")
    with pytest.raises(InstarError, match=r"000001\.json cannot be read") as caught:
        versions.all()
    assert caught.value.code == "data_corrupt"
