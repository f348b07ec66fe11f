from instar.hub.settings.keys import (
    ALIASES,
    ENV_KEYS,
    FOREIGN_VARIABLES,
    KEYS,
    RELOADS,
    SECRETS,
    SECTIONS,
    default_of,
    env_name,
    reload_of,
    shown,
)  # fmt: skip
from instar.wire.settings import Reload

HOST = {
    "data_dir", "listen.address", "listen.compat", "pairing.auto_approve", "tls.mode", "tls.certificate", "tls.key",
    "nodes.local",
}  # fmt: skip
"""The keys by which somebody at a door could open the hub wider, or make it run or read something."""
HOST_SERVER = {"server.public_url", "server.allowed_origins", "server.allowed_hosts", "server.trusted_proxies"}
LIVE_SECTIONS = {"limits", "uploads", "delivery", "loops", "runs", "calls", "approvals"}


def test_each_key_has_one_variable_and_each_variable_one_key() -> None:
    names = [env_name(key) for key in KEYS] + [env_name(alias) for alias in ALIASES]
    assert len(set(names)) == len(names) == len(ENV_KEYS)
    assert all(ENV_KEYS[env_name(key)] == key for key in KEYS)
    assert env_name("auth.public_read") == "INSTAR_AUTH_PUBLIC_READ"
    assert ENV_KEYS["INSTAR_LISTEN"] == "listen.address"
    assert ENV_KEYS["INSTAR_DATA_DIR"] == "data_dir"


def test_variables_of_others_name_keys_and_are_none_of_ours() -> None:
    assert set(FOREIGN_VARIABLES.values()) <= KEYS.keys()
    assert not FOREIGN_VARIABLES.keys() & ENV_KEYS.keys()


def test_every_key_has_a_row_of_its_own_or_of_its_section() -> None:
    assert all(key in RELOADS or key.partition(".")[0] in RELOADS for key in KEYS)
    assert RELOADS.keys() <= KEYS.keys() | SECTIONS


def test_what_only_the_host_may_change() -> None:
    of_host = {key for key in KEYS if reload_of(key) is Reload.HOST}
    assert of_host == HOST | HOST_SERVER | {key for key in KEYS if key.startswith("auth.")}
    assert of_host >= SECRETS


def test_what_holds_at_once() -> None:
    live = {key for key in KEYS if reload_of(key) is Reload.LIVE}
    of_sections = {key for key in KEYS if key.partition(".")[0] in LIVE_SECTIONS}
    assert live == of_sections | {"log.level", "server.access_log", "nodes.telemetry_keep_s"}


def test_a_key_that_no_row_names_is_the_hosts() -> None:
    assert reload_of("new.thing") is Reload.HOST


def test_secrets_are_shown_as_set_or_not() -> None:
    assert {"auth.token", "auth.password"} == SECRETS
    assert shown("auth.token", "hunter2") == "(set)"
    assert shown("auth.token", "") == ""
    assert shown("log.level", "info") == "info"


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
