import pytest

from instar.base.errors import InstarError
from instar.hub.settings.masking import masked, unmasked
from instar.hub.settings.sources import from_text

FILE = """\
auth:
    # token: oldsecret
    # the password: older # as it was
    token: canary-hunter2   # canary-hunter2 was set in May
    tokn: canary-typo
    password: >-
      canary folded
      over lines
    mode: bearer
network:
    name: "Net" # token: canary-comment
secrets: {a: canary-unknown}
"""


def test_no_secret_is_left() -> None:
    shown = masked(FILE)
    assert "canary" not in shown
    assert "old" not in shown.replace("folded", "")
    assert 'name: "Net"' in shown
    assert "mode: bearer" in shown
    assert shown.count("(set)") == 8


def test_an_anchor_on_a_secret_shows_nothing() -> None:
    assert "canary" not in masked("network: {name: &a canary-x}\nauth:\n  token: *a\n")
    assert "canary" not in masked("auth: {token: &a canary-x, password: *a}\n")


@pytest.mark.parametrize("text", ["auth: {token: canary", "- canary", "canary", "{" * 5_000, "a: \x00canary"])
def test_what_is_no_settings_file_is_not_shown(text: str) -> None:
    assert masked(text) == ""


def test_empty_secrets_are_shown_as_they_are() -> None:
    assert masked("auth:\n  token:\n  password: ''\n") == "auth:\n  token:\n  password: (set)\n"
    assert masked("") == ""


def test_back_again() -> None:
    text = "auth: {token: s3cret, mode: open}\nlog: {level: debug}\n"
    shown = masked(text).replace("debug", "info")
    assert from_text(unmasked(shown, from_text(text))) == {**from_text(text), "log.level": "info"}
    assert unmasked("auth: {", {}) == "auth: {"


def test_a_mask_without_a_secret_is_refused() -> None:
    with pytest.raises(InstarError, match="no value of it is known") as caught:
        unmasked("auth: {token: (set)}", {})
    assert caught.value.code == "unprocessable_entity"
