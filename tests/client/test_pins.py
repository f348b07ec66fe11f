import json
import stat
from pathlib import Path

import pytest

from instar.client.errors import HubError
from instar.client.pins import PINS_FILE, Pin, forget_pin, keep_pin, origin_of, pin_of


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "instar" / PINS_FILE


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Hub.Example", "https://hub.example:443"),
        ("https://hub.example.:443/x/", "https://hub.example:443"),
        ("wss://hub.example/ws", "https://hub.example:443"),
        ("ws://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://[::1]:1", "http://[::1]:1"),
        ("unix:/run/hub.sock", "unix:/run/hub.sock"),
        ("http://hub:x", "http://hub:x"),
    ],
)
def test_one_spelling_for_each_address(url: str, origin: str):
    assert origin_of(url) == origin


def test_what_is_kept_is_found_under_every_spelling(environ: dict[str, str], file: Path):
    assert pin_of(environ, "https://a") is None
    pin = Pin("SHA256:c", "id", "SHA256:k", "device", "node")
    keep_pin(environ, "https://A/", pin)
    keep_pin(environ, "https://b", Pin())
    assert pin_of(environ, "wss://a:443") == pin
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert forget_pin(environ, "https://a")
    assert not forget_pin(environ, "https://a")
    assert (pin_of(environ, "https://a"), pin_of(environ, "https://b")) == (None, Pin())


def test_a_later_version_may_remember_more(environ: dict[str, str], file: Path):
    keep_pin(environ, "https://a", Pin("SHA256:c"))
    content = json.loads(file.read_text())
    content["https://a:443"]["colour"] = "blue"
    file.write_text(json.dumps(content))
    assert pin_of(environ, "https://a") == Pin("SHA256:c")


@pytest.mark.parametrize(("content", "mode"), [("{}", 0o644), ("{}", 0o620), ("no json", 0o600), ("[]", 0o600)])
def test_a_file_that_cannot_be_trusted(environ: dict[str, str], file: Path, content: str, mode: int):
    file.parent.mkdir(parents=True)
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(HubError) as caught:
        pin_of(environ, "https://a")
    assert caught.value.code == "unauthorized"
    assert str(file) in caught.value.hint


def test_a_folder_that_cannot_be_written(environ: dict[str, str], tmp_path: Path):
    (tmp_path / "config").write_text("no folder")
    with pytest.raises(HubError, match="cannot be"):
        keep_pin(environ, "https://a", Pin())
