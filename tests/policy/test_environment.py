import pytest

from instar.base.errors import InstarError
from instar.policy.environment import check_listed, filtered, forwardable

NEVER = (
    "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "PATH", "HOME", "BASH_ENV", "ENV", "IFS",
    "PYTHONPATH", "PYTHONSTARTUP",
    "NODE_OPTIONS", "PERL5OPT", "RUBYOPT", "GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS", "RUSTUP_HOME",
    "RUSTC_WRAPPER", "CARGO_HOME", "EDITOR", "PAGER", "LESSOPEN", "PROMPT_COMMAND", "PS4", "GLIBC_TUNABLES",
    "GCONV_PATH", "OPENSSL_CONF",
    "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "DB_PASSWORD", "MY_API_KEY", "COOKIE", "SSH_AUTH_SOCK", "ld_preload",
    "BASH_FUNC_x%%", "a=b", "", "A-B", "INSTAR_HUB_URL",
    "http_proxy", "DATABASE_URL", "SUDO_ASKPASS", "MAKEFLAGS", "DOCKER_HOST", "KUBECONFIG", "TERMINFO", "LOCPATH",
)  # fmt: skip


@pytest.mark.parametrize("name", NEVER)
def test_some_names_are_never_forwarded_whoever_lists_them(name: str) -> None:
    assert not forwardable(name, {name})
    with pytest.raises(InstarError) as caught:
        check_listed([name])
    assert caught.value.code == "unprocessable_entity"


def test_exactly_the_basic_names_and_the_listed_ones() -> None:
    env = {
        "TERM": "xterm-256color",
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "C",
        "LC_x": "C",
        "CI": "1",
        "OTHER": "1",
        "LD_PRELOAD": "x",
    }
    passed, refused = filtered(env, {"CI", "LD_PRELOAD"})
    assert passed == {"TERM": "xterm-256color", "LANG": "de_DE.UTF-8", "LC_ALL": "C", "CI": "1"}
    assert refused == ["LC_x", "LD_PRELOAD", "OTHER"]
    check_listed(["CI", "BUILD_NUMBER"])


def test_values_that_name_paths_or_hold_nul_are_refused() -> None:
    assert filtered({"TERM": "../x", "LANG": "/tmp/x", "CI": "a\0b"}, {"CI"}) == ({}, ["CI", "LANG", "TERM"])
