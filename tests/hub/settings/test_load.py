"""Settings come from flag, environment, file and default, in this order."""

from pathlib import Path
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.hub.settings.keys import ALIASES, KEYS, env_name
from instar.hub.settings.load import find_file, load
from instar.hub.settings.tree import Settings

HOME = {"XDG_DATA_HOME": "/data", "XDG_CONFIG_HOME": "/nowhere"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_defaults() -> None:
    loaded = load({}, HOME)
    assert loaded.settings.data_dir == "/data/instar"
    assert loaded.settings == Settings(data_dir="/data/instar")
    assert loaded.file is None
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.origins.keys() == KEYS.keys()


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = written(tmp_path, "log: {level: debug}\nloops: {max_hops: 3, pair_per_min: 4}\nruns: {budget_s: 5}\n")
    env = {**HOME, "INSTAR_LOOPS_MAX_HOPS": "6", "INSTAR_LOG_LEVEL": "warning"}
    loaded = load({"log.level": "error", "log.format": None}, env, file)
    found = {key: (loaded.value(key), loaded.origins[key]) for key in ("log.level", "loops.max_hops", "runs.budget_s")}
    assert found == {"log.level": ("error", "flag"), "loops.max_hops": (6, "env"), "runs.budget_s": (5.0, "file")}
    assert loaded.value("loops.pair_per_min") == 4
    assert (loaded.value("log.format"), loaded.origins["log.format"]) == ("auto", "default")


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("auth.public_read", "true", True),
        ("auth.public_read", "0", False),
        ("auth.mode", "open", "open"),
        ("limits.requests_per_s", "2.5", 2.5),
        ("uploads.max_bytes", "10", 10),
        ("server.allowed_origins", "https://a.example, https://b.example,", ["https://a.example", "https://b.example"]),
        ("listen.compat", "", []),
    ],
)
def test_the_environment_is_text(key: str, text: str, value: object) -> None:
    loaded = load({}, {**HOME, env_name(key): text})
    assert loaded.value(key) == value
    assert loaded.origins[key] == "env"


@pytest.mark.parametrize(
    ("flags", "env", "text"),
    [
        ({"listen": "[::1]:1"}, {}, ""),
        ({"listen.address": "[::1]:1"}, {"INSTAR_LISTEN": "x:2"}, ""),
        ({}, {"INSTAR_LISTEN": "[::1]:1"}, "listen: x:3"),
        ({}, {"INSTAR_LISTEN": "x:2", "INSTAR_LISTEN_ADDRESS": "[::1]:1"}, ""),
        ({}, {}, "listen: '[::1]:1'"),
        ({}, {}, "listen: {address: '[::1]:1', compat: []}"),
    ],
)
def test_listen_is_short_for_its_address(tmp_path: Path, flags: dict[str, Any], env: dict[str, str], text: str) -> None:
    assert load(flags, {**HOME, **env}, written(tmp_path, text)).settings.listen.address == "[::1]:1"


def test_flags_may_be_given_several_times() -> None:
    assert load({"listen.compat": (":1", ":2")}, HOME).settings.listen.compat == [":1", ":2"]


@pytest.mark.parametrize(
    ("flags", "env", "text", "message"),
    [
        ({"auth.mood": "x"}, {}, "", r"`auth.mood` \(flag\) is no setting"),
        ({}, {"INSTAR_AUTH_MOOD": "x"}, "", r"INSTAR_AUTH_MOOD \(environment\) is no setting"),
        ({}, {}, "auth: {mood: x}", r"`auth.mood` \(file\) is no setting"),
        ({}, {}, "auth: none", r"`auth` \(file\) is no setting"),
        ({}, {}, "colour: red", r"`colour` \(file\) is no setting"),
        ({"auth.mode": "x"}, {}, "", r"auth.mode \(flag\) is 'x', but it takes one of bearer, none, open"),
        ({}, {"INSTAR_AUTH_PUBLIC_READ": "maybe"}, "", r"INSTAR_AUTH_PUBLIC_READ \(env\) is 'maybe', .* true or false"),
        ({}, {}, "loops: {max_hops: 0}", r"max_hops \(file\) is 0, but it takes a whole number of at least 1"),
        ({}, {}, "loops: {max_hops: '7'}", r"max_hops \(file\) is '7'"),
        ({}, {}, "loops: {cool_down_s: -1}", "a number greater than 0"),
        ({}, {}, "network: {id: 'no spaces'}", "a text matching"),
        ({}, {}, "server: {allowed_hosts: 7}", "a list of texts"),
        ({}, {}, "- a\n- b", "holds no mapping"),
        ({}, {}, "a: [", "is not YAML"),
        ({}, {}, "log: {level: info, level: debug}", "is not YAML"),
        ({}, {}, "a: !!python/object/apply:os.system ['true']", "is not YAML"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    tmp_path: Path, flags: dict[str, Any], env: dict[str, str], text: str, message: str
) -> None:
    with pytest.raises(InstarError, match=message) as caught:
        load(flags, {**HOME, **env}, written(tmp_path, text))
    assert caught.value.code == "bad_request"
    assert caught.value.hint


def test_variables_of_the_command_line_are_none_of_ours() -> None:
    assert load({}, {**HOME, "INSTAR_TOKEN": "t", "INSTAR_URL": "u", "INSTAR_DEBUG": "1"})


def test_empty_files_and_sections(tmp_path: Path) -> None:
    assert load({}, HOME, written(tmp_path, "# nothing\n")).origins["log.level"] == "default"
    assert load({}, HOME, written(tmp_path, "log:\n")).origins["log.level"] == "default"


def test_where_the_file_is_looked_for(tmp_path: Path) -> None:
    users = tmp_path / "config" / "instar"
    users.mkdir(parents=True)
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert find_file(env) is None
    (users / "instar.yaml").touch()
    assert find_file(env) == users / "instar.yaml"
    (tmp_path / "instar.yaml").touch()
    assert find_file(env) == Path("instar.yaml")
    (tmp_path / "b.yaml").touch()
    assert find_file({**env, "INSTAR_CONFIG": str(tmp_path / "b.yaml")}) == tmp_path / "b.yaml"
    (tmp_path / "c.yaml").touch()
    assert find_file({"INSTAR_CONFIG": "b.yaml"}, "c.yaml") == Path("c.yaml")
    with pytest.raises(InstarError, match="no settings file"):
        find_file({}, "missing.yaml")


def test_the_users_folders_without_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Path(load({}, {}).settings.data_dir).is_absolute()


@pytest.mark.parametrize(("named", "folder"), [("~/hub", "~/hub"), ("hub", "hub"), ("/x", "/x")])
def test_a_named_data_folder_is_absolute(named: str, folder: str) -> None:
    assert load({}, {**HOME, "INSTAR_DATA_DIR": named}).settings.data_dir == str(Path(folder).expanduser().absolute())


def test_aliases_name_keys() -> None:
    assert set(ALIASES.values()) <= KEYS.keys()
