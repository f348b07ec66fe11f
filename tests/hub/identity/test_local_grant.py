import os
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.hub.identity import local_grant


def test_written_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "local-grant"
    assert local_grant.read(path) is None
    local_grant.write(path, "ik_x")
    assert local_grant.read(path) == "ik_x"
    with pytest.raises(InstarError, match="exists"):
        local_grant.write(path, "ik_y")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622, 0o601])
def test_open_to_others(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "local-grant"
    local_grant.write(path, "ik_x")
    path.chmod(mode)
    with pytest.raises(InstarError, match="open to other users") as caught:
        local_grant.read(path)
    assert "chmod 600" in caught.value.hint


def test_links_are_refused(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "local-grant"
    local_grant.write(real, "ik_x")
    link.symlink_to(real)
    with pytest.raises(InstarError, match="a symbolic link"):
        local_grant.read(link)


def test_what_is_no_plain_file(tmp_path: Path) -> None:
    with pytest.raises(InstarError, match="no plain file"):
        local_grant.read(tmp_path)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "local-grant"
    local_grant.write(path, "")
    with pytest.raises(InstarError, match="holds no token"):
        local_grant.read(path)


def test_another_users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "local-grant"
    local_grant.write(path, "ik_x")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(InstarError, match="another user"):
        local_grant.read(path)
