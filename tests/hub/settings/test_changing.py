"""Nothing is written before all of it was checked; what is written is checked, hashed, kept and can be gone back to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.hub.settings.changing import FOUND, Change, Changing
from instar.hub.settings.file import read
from instar.hub.settings.load import load

HOST_KEYS: dict[str, Any] = {
    "data_dir": "/elsewhere",
    "listen.address": "127.0.0.1:1",
    "listen.compat": ["127.0.0.1:2"],
    "listen": "127.0.0.1:1",
    "auth.mode": "open",
    "auth.token": "x" * 40,
    "auth.tailscale": "/bin/sh",
    "auth.proxy_header": "X-User",
    "tls.mode": "off",
    "tls.key": "/etc/shadow",
    "pairing.auto_approve": "loopback",
    "server.trusted_proxies": ["0.0.0.0/0"],
    "server.allowed_hosts": ["evil.example"],
    "server.allowed_origins": ["https://evil.example"],
    "server.public_url": "https://evil.example",
}


class Desk:
    """A settings file in a data folder, and who changes it."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        self.env = {"INSTAR_DATA_DIR": str(folder), "XDG_CONFIG_HOME": str(folder / "none"), **env}
        self.path = folder / "instar.yaml"

    def changing(self, *, is_host: bool = False) -> Changing:
        return Changing(load({}, self.env), is_host=is_host)

    @property
    def hash(self) -> str:
        return read(self.path).hash

    def change(self, changes: dict[str, Any], *, is_host: bool = False) -> Change:
        return self.changing(is_host=is_host).change(changes, self.hash, by="me", comment="why")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hub").mkdir()
    return Desk(tmp_path / "hub")


def refused(code: str, act: Callable[[], object]) -> InstarError:
    with pytest.raises(InstarError) as caught:
        act()
    assert caught.value.code == code, caught.value.message
    return caught.value


def test_the_first_change_makes_the_file(desk: Desk) -> None:
    done = desk.change({"log.level": "debug", "network.name": "Mine"})
    assert desk.path.read_text() == "log:\n  level: debug\nnetwork:\n  name: Mine\n"
    assert done.version.hash == desk.hash
    assert (done.version.version, done.version.by, done.version.comment) == (1, "me", "why")
    answer = done.answer(desk.path)
    assert (answer.applied, answer.needs_restart, answer.shadowed) == (["log.level"], ["network.name"], [])
    assert done.answer(desk.path, is_running=False).needs_restart == ["log.level", "network.name"]


def test_what_the_environment_overrules_is_said(desk: Desk) -> None:
    desk.env["INSTAR_LOG_LEVEL"] = "error"
    assert desk.change({"log.level": "debug"}).answer(desk.path).shadowed == ["log.level"]


def test_another_hash_is_a_conflict_that_names_the_present_one(desk: Desk) -> None:
    desk.change({"log.level": "debug"})
    for base_hash in ("", "0" * 64):
        error = refused("conflict", lambda base=base_hash: desk.changing().change({"log.level": "info"}, base, by="me"))
        assert error.detail == {"hash": desk.hash}
    assert "debug" in desk.path.read_text()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"log.level": "loud"}, "bad_request"),
        ({"log.level": "debug", "loops.max_hops": 0}, "bad_request"),
        ({"log.colour": 1}, "bad_request"),
        ({"network.name": 7}, "bad_request"),
        ({"auth.mode": "none", "listen.address": "0.0.0.0:1"}, "forbidden"),
        ({"auth.token": "short", "listen.address": "0.0.0.0:1"}, "forbidden"),
        ({"listen.address": "nowhere"}, "bad_request"),
    ],
)
def test_nothing_is_written_of_what_does_not_fit(desk: Desk, changes: dict[str, Any], code: str) -> None:
    refused(code, lambda: desk.change(changes, is_host=True))
    assert not desk.path.exists()
    assert desk.changing().versions.all() == []


@pytest.mark.parametrize("key", HOST_KEYS)
def test_host_only_keys_are_refused_at_doors_whatever_the_way(desk: Desk, key: str) -> None:
    desk.change({"log.level": "debug"})
    plain = desk.path.read_text()
    canonical = "listen.address" if key == "listen" else key
    assert refused("host_only", lambda: desk.change({key: HOST_KEYS[key]})).detail == {"keys": [canonical]}
    refused("host_only", lambda: desk.change({key: None, "log.level": "info"}))
    desk.change({key: HOST_KEYS[key]}, is_host=True)
    with_key = desk.path.read_text()
    assert refused("host_only", lambda: desk.changing().replace(plain, desk.hash, by="x")).detail["keys"] == [canonical]
    assert refused("host_only", lambda: desk.changing().rollback(1, desk.hash, by="x")).detail["keys"] == [canonical]
    assert desk.path.read_text() == with_key
    desk.changing(is_host=True).rollback(1, desk.hash, by="x")
    assert desk.path.read_text() == plain
    refused("host_only", lambda: desk.changing().replace(with_key, desk.hash, by="x"))


def test_a_host_only_key_may_be_written_down_as_it_is(desk: Desk) -> None:
    desk.changing().replace("auth: {mode: bearer}\nlog: {level: debug}\n", "", by="me")
    assert desk.changing().replace("log: {level: debug}\n", desk.hash, by="me").changed == ["auth.mode"]


def test_a_masked_text_comes_back_with_its_secrets(desk: Desk) -> None:
    desk.change({"auth.token": "s" * 40}, is_host=True)
    desk.changing().replace("auth:\n  token: (set)\nlog:\n  level: debug\n", desk.hash, by="me")
    assert desk.path.read_text() == f'auth:\n  token: "{"s" * 40}"\nlog:\n  level: debug\n'


def test_a_rollback_is_a_new_version(desk: Desk) -> None:
    for level in ("debug", "info", "warning"):
        desk.change({"log.level": level})
    done = desk.changing().rollback(1, desk.hash, by="me")
    assert (done.version.version, done.version.comment) == (4, "rollback to version 1")
    assert "debug" in desk.path.read_text()
    refused("not_found", lambda: desk.changing().rollback(9, desk.hash, by="me"))


def test_a_change_of_nothing_writes_nothing(desk: Desk) -> None:
    desk.change({"log.level": "debug"})
    stamp = desk.path.stat().st_mtime_ns
    done = desk.change({"log.level": "debug", "log.file": None})
    assert (done.version.version, done.changed, desk.path.stat().st_mtime_ns) == (0, [], stamp)


def test_what_somebody_wrote_by_hand_is_kept_too(desk: Desk) -> None:
    desk.path.write_text("# mine\nlog: {level: warning}\n")
    desk.change({"log.file": False})
    desk.path.write_text("# mine again\nlog: {level: error}\n")
    desk.changing().take_note()
    desk.changing().take_note()
    found = [(one.version, one.comment, one.changed) for one in desk.changing().versions.all()]
    assert found == [(3, FOUND, ["log.file", "log.level"]), (2, "why", ["log.file"]), (1, FOUND, ["log.level"])]
    desk.changing().rollback(1, desk.hash, by="me")
    assert desk.path.read_text() == "# mine\nlog: {level: warning}\n"


@pytest.mark.parametrize("broken", [b"log: [", b"\xff\xfe", b"log: {level: loud}"])
def test_a_broken_file_can_be_replaced_and_gone_back_from_but_opens_nothing(desk: Desk, broken: bytes) -> None:
    desk.change({"log.level": "debug"})
    changing = desk.changing()
    desk.path.write_bytes(broken)
    refused("bad_request", lambda: changing.change({"log.level": "info"}, desk.hash, by="me"))
    refused("host_only", lambda: changing.replace("auth: {mode: open}", desk.hash, by="me"))
    changing.replace("log: {level: info}\n", desk.hash, by="me")
    desk.path.write_bytes(broken)
    changing.rollback(1, desk.hash, by="me")
    assert desk.path.read_text() == "log:\n  level: debug\n"
