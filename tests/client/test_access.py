import io
from pathlib import Path

import pytest

from instar.client.access import ADDRESS_FILE, DEFAULT_URL, GRANT_FILE, find, is_loopback, trust_of
from instar.client.errors import HubError
from instar.client.folders import config_dir, data_dir
from instar.client.pins import Pin, keep_pin
from instar.hub.settings.load import CONFIG_VARIABLE, load
from instar.server.app import LOCAL_GRANT


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    grant = tmp_path / GRANT_FILE
    grant.write_text("local\n")
    grant.chmod(0o600)
    (tmp_path / ADDRESS_FILE).write_text(DEFAULT_URL)
    return {"INSTAR_DATA_DIR": str(tmp_path), "HOME": str(tmp_path)}


def test_the_local_grant_is_the_last_resort(home: dict[str, str], tmp_path: Path):
    token_file = tmp_path / "token"
    token_file.write_text("from-file\n")
    token_file.chmod(0o600)
    assert find(home)[:2] == (DEFAULT_URL, "local")
    assert find({**home, "INSTAR_TOKEN": "from-env"}).token == "from-env"
    assert find({**home, "INSTAR_TOKEN": "from-env"}, token_file=str(token_file)).token == "from-file"


def test_the_address(home: dict[str, str], tmp_path: Path):
    (tmp_path / ADDRESS_FILE).write_text("http://127.0.0.1:9\n")
    assert find(home).url == "http://127.0.0.1:9"
    assert find({**home, "INSTAR_URL": "http://a"}).url == "http://a"
    assert find({**home, "INSTAR_URL": "http://a"}, url="http://b").url == "http://b"


def test_the_local_grant_never_leaves_the_machine(home: dict[str, str]):
    assert find(home, url="https://hub.example").token == ""


@pytest.mark.parametrize(
    ("left", "url", "is_sent"),
    [
        ("http://127.0.0.1:8787", "http://localhost:8787", True),
        ("http://127.0.0.1:8787", "http://127.0.0.1:8788", False),
        ("https://192.0.2.7:8787 SHA256:x", "https://192.0.2.7:8787/", True),
        ("https://192.0.2.7:8787 SHA256:x", "http://192.0.2.7:8787", False),
        ("https://192.0.2.7:8787 SHA256:x", "https://192.0.2.8:8787", False),
        ("", DEFAULT_URL, False),
    ],
)
def test_the_local_grant_goes_to_the_hub_that_made_it(
    home: dict[str, str], tmp_path: Path, left: str, url: str, is_sent: bool
):
    (tmp_path / ADDRESS_FILE).write_text(left)
    assert bool(find(home, url=url).token) is is_sent


def test_a_token_goes_to_no_other_hub_than_its_own(home: dict[str, str]):
    environ = {**home, "INSTAR_URL": "https://a.example", "INSTAR_TOKEN": "of-a"}
    assert find(environ).token == "of-a"
    assert find(environ, url="https://A.example:443/").token == "of-a"
    assert find(environ, url="https://b.example").token == ""
    assert find(environ, url="http://a.example").token == ""
    assert find({**home, "INSTAR_TOKEN": "mine"}, url="https://b.example").token == "mine"


def test_what_makes_a_certificate_good(home: dict[str, str], tmp_path: Path):
    url = "https://hub.example:8787"
    assert trust_of(home, url).certificate == ""
    assert trust_of({**home, "INSTAR_CA_FILE": "ca.pem"}, url).ca_file == "ca.pem"
    (tmp_path / ADDRESS_FILE).write_text(f"{url} SHA256:local")
    assert trust_of(home, url).certificate == "SHA256:local"
    assert trust_of(home, "https://other.example").certificate == ""
    keep_pin(home, url, Pin(certificate="SHA256:paired"))
    assert trust_of(home, f"{url}/").certificate == "SHA256:paired"
    assert trust_of({**home, "INSTAR_TLS_FINGERPRINT": "SHA256:named"}, url).certificate == "SHA256:named"
    assert trust_of({**home, "INSTAR_TLS_FINGERPRINT": "SHA256:named"}, "http://hub.example").certificate == ""


def test_the_folder_of_what_the_client_remembers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", "linux")
    assert config_dir({"XDG_CONFIG_HOME": "/c"}) == Path("/c/instar")
    assert config_dir({"HOME": "/h"}) == Path("/h/.config/instar")
    monkeypatch.setattr("sys.platform", "darwin")
    assert config_dir({"HOME": "/h"}) == Path("/h/Library/Application Support/instar")


def test_a_token_from_standard_input(home: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("piped\n"))
    assert find(home, token_file="-").token == "piped"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_grant_that_others_can_read_is_refused(home: dict[str, str], tmp_path: Path, mode: int):
    (tmp_path / GRANT_FILE).chmod(mode)
    with pytest.raises(HubError, match="read by others") as caught:
        find(home)
    assert caught.value.code == "unauthorized"
    assert "chmod 600" in caught.value.hint


def test_a_missing_token_file(tmp_path: Path):
    with pytest.raises(HubError, match="cannot be read"):
        find({}, token_file=str(tmp_path / "none"))


def test_the_data_directory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", "linux")
    assert data_dir({"INSTAR_DATA_DIR": "/d"}) == Path("/d")
    assert data_dir({"XDG_DATA_HOME": "/x"}) == Path("/x/instar")
    assert data_dir({}) == Path.home() / ".local/share/instar"
    monkeypatch.setattr("sys.platform", "darwin")
    assert data_dir({}) == Path.home() / "Library/Application Support/instar"


@pytest.mark.parametrize(
    "environ", [{}, {"XDG_DATA_HOME": "/x"}, {"INSTAR_DATA_DIR": "/d"}, {"INSTAR_DATA_DIR": "~/d"}]
)
def test_the_data_directory_is_the_hubs(environ: dict[str, str], tmp_path: Path):
    hub = load({}, {**environ, CONFIG_VARIABLE: str(_empty(tmp_path))}).settings.data_dir
    assert str(data_dir(environ)) == hub


def test_the_local_grant_is_where_the_hub_leaves_it():
    assert GRANT_FILE == LOCAL_GRANT


def _empty(folder: Path) -> Path:
    path = folder / "instar.yaml"
    path.touch()
    return path


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://localhost:1", True), ("http://[::1]:1", True), ("unix:/s", True), ("http://127.0.0.1.evil.test", False)],
)
def test_is_loopback(url: str, expected: bool):
    assert is_loopback(url) is expected
