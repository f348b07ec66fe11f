from instar.hub.settings.keys import ALIASES, ENV_KEYS, KEYS, SECTIONS, allowed, default_of, env_name


def test_each_key_has_one_variable_and_each_variable_one_key() -> None:
    names = [env_name(key) for key in KEYS] + [env_name(alias) for alias in ALIASES]
    assert len(set(names)) == len(names) == len(ENV_KEYS)
    assert all(ENV_KEYS[env_name(key)] == key for key in KEYS)
    assert env_name("auth.public_read") == "INSTAR_AUTH_PUBLIC_READ"
    assert ENV_KEYS["INSTAR_LISTEN"] == "listen.address"
    assert ENV_KEYS["INSTAR_DATA_DIR"] == "data_dir"


def test_every_key_says_what_it_takes() -> None:
    assert all(allowed(key) for key in KEYS)


def test_defaults_are_fresh() -> None:
    assert default_of("uploads.media_types") == ["*/*"]
    assert default_of("uploads.media_types") is not default_of("uploads.media_types")


def test_numbers_say_their_unit() -> None:
    units = ("_s", "_bytes", "_per_min", "_per_s")
    counts = {"limits.streams", "limits.streams_per_principal", "delivery.attempts", "loops.max_hops"}
    numbers = {key for key in KEYS if type(default_of(key)) in (int, float)}
    assert {key for key in numbers if not key.endswith(units)} == counts


def test_sections() -> None:
    assert {"auth", "listen", "loops"} <= SECTIONS
