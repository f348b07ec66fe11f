"""Settings come from flag, environment, file and default, in this order."""

from pathlib import Path
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.hub.settings.keys import ALIASES, KEYS, env_name
from instar.hub.settings.load import find_file, load
from instar.hub.settings.sources import overruled
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
    assert find_file(env) == tmp_path / "instar.yaml"
    (tmp_path / "b.yaml").touch()
    assert find_file({**env, "INSTAR_CONFIG": str(tmp_path / "b.yaml")}) == tmp_path / "b.yaml"
    (tmp_path / "c.yaml").touch()
    assert find_file({"INSTAR_CONFIG": "b.yaml"}, "c.yaml") == tmp_path / "c.yaml"
    (tmp_path / "instar.yaml").unlink()
    (users / "instar.yaml").unlink()
    data = tmp_path / "data"
    data.mkdir()
    assert find_file({**env, "INSTAR_DATA_DIR": str(data)}) is None
    (data / "instar.yaml").touch()
    assert find_file({**env, "INSTAR_DATA_DIR": str(data)}) == data / "instar.yaml"
    assert find_file({**env, "INSTAR_DATA_DIR": "elsewhere"}, None, {"data_dir": str(data)}) == data / "instar.yaml"
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


def test_what_the_file_says_and_where_one_would_be_made(tmp_path: Path) -> None:
    file = written(tmp_path, "log: {level: debug}\n")
    loaded = load({"log.level": "error"}, HOME, file)
    assert loaded.written == {"log.level": "debug"}
    assert loaded.path == file
    assert load({"data_dir": "/d"}, HOME).path == Path("/d/instar.yaml")


def test_no_secret_is_in_an_error_or_a_representation(tmp_path: Path) -> None:
    canary = "canary-hunter2"
    for text in (
        f"auth: {{token: [{canary}]}}",
        f"auth: {{token: {canary}, token: {canary}}}",
        f"auth: {{token: {canary}",
        f"auth: {{password: {{a: {canary}}}}}",
        f"auth: {canary}",
        f"auth: {{tokn: {canary}}}",
    ):
        with pytest.raises(InstarError) as caught:
            load({}, HOME, written(tmp_path, text))
        assert canary not in f"{caught.value.message} {caught.value.hint} {caught.value.detail}", text
    assert canary not in repr(load({"auth.token": canary}, {**HOME, "INSTAR_AUTH_PASSWORD": canary}))


@pytest.mark.parametrize(
    ("env", "token"),
    [
        ({"CLAWDBOT_GATEWAY_TOKEN": "a"}, "a"),
        ({"OPENCLAW_GATEWAY_TOKEN": "b"}, "b"),
        ({"CLAWDBOT_GATEWAY_TOKEN": "a", "OPENCLAW_GATEWAY_TOKEN": "a"}, "a"),
        ({"CLAWDBOT_GATEWAY_TOKEN": "a", "OPENCLAW_GATEWAY_TOKEN": ""}, "a"),
        ({"CLAWDBOT_GATEWAY_TOKEN": "a", "INSTAR_AUTH_TOKEN": "c"}, "c"),
        ({"CLAWDBOT_GATEWAY_TOKEN": "a", "OPENCLAW_GATEWAY_TOKEN": "b", "INSTAR_AUTH_TOKEN": "c"}, "c"),
        ({"OPENCLAW_GATEWAY_TOKEN": ""}, ""),
    ],
)
def test_tokens_of_other_systems_are_heard_where_our_own_is_not_set(env: dict[str, str], token: str) -> None:
    loaded = load({}, {**HOME, **env})
    assert loaded.settings.auth.token == token
    assert loaded.origins["auth.token"] == ("env" if token else "default")
    others = [name for name in env if name != "INSTAR_AUTH_TOKEN" and env[name] and "INSTAR_AUTH_TOKEN" in env]
    assert [note.partition(" ")[0] for note in overruled(env)] == others
    assert not any("'" in note for note in overruled(env))


def test_tokens_that_differ_are_named_not_shown() -> None:
    with pytest.raises(InstarError) as caught:
        load({}, {**HOME, "CLAWDBOT_GATEWAY_TOKEN": "canary1", "OPENCLAW_GATEWAY_TOKEN": "canary2"})
    assert caught.value.message == "CLAWDBOT_GATEWAY_TOKEN and OPENCLAW_GATEWAY_TOKEN differ"


@pytest.mark.parametrize("text", ["loops: {cool_down_s: .inf}", "auth: {token: (set)}", "[" * 50_000, "a" * 300_000])
def test_further_texts_that_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InstarError) as caught:
        load({}, HOME, written(tmp_path, text))
    assert caught.value.code == "bad_request"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(b"log: {level: \xff}")
    with pytest.raises(InstarError, match="not UTF-8"):
        load({}, HOME, file)
