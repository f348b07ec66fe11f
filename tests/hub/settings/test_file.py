import fcntl
import os
import stat
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.hub.settings.file import hash_of, locked, read, write_whole


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_and_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "instar.yaml"
    assert read(path) == (b"", "")
    path.write_bytes(b"log: {}\r\n")
    assert read(path) == (b"log: {}\r\n", hash_of(b"log: {}\r\n"))
    assert read(path).text == "log: {}\r\n"
    path.write_bytes(b"\xff")
    with pytest.raises(InstarError, match="not UTF-8"):
        assert read(path).text


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_is_written_is_its_owners_alone(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "instar.yaml"
    path.write_text("old")
    path.chmod(0o644)
    before = os.umask(umask)
    try:
        write_whole(path, "new")
    finally:
        os.umask(before)
    assert (path.read_text(), mode(path)) == ("new", 0o600)
    assert [one.name for one in tmp_path.iterdir()] == ["instar.yaml"]


def test_a_link_stays_one_and_a_planted_one_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "dots").mkdir()
    real = tmp_path / "dots" / "real.yaml"
    real.write_text("old")
    link = tmp_path / "instar.yaml"
    link.symlink_to(real)
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (tmp_path / "dots" / ".real.yaml.new").symlink_to(victim)
    write_whole(link, "new")
    assert link.is_symlink()
    assert (real.read_text(), victim.read_text()) == ("new", "kept")


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    with pytest.raises(InstarError) as caught:
        write_whole(tmp_path / "missing" / "instar.yaml", "x")
    assert caught.value.code == "internal_error"


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / "instar.yaml"
    with locked(path):
        assert mode(tmp_path / "new" / ".instar.yaml.lock") == 0o600
        with pytest.raises(InstarError, match="another process is writing") as caught, locked(path, wait_s=0.03):
            pass
        assert caught.value.code == "service_unavailable"
    with locked(path):
        pass


def test_the_lock_of_another_holder_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "instar.yaml"
    with locked(path):
        pass
    other = os.open(tmp_path / ".instar.yaml.lock", os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)
    os.close(other)
    with locked(path, wait_s=0):
        pass
