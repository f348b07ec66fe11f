import pytest

from instar.base.errors import InstarError
from instar.doors.gateway.settings_tree import (
    REDACTED,
    changes,
    effective_tree,
    file_tree,
    lost_entries,
    merged,
    parsed,
)
from instar.wire.settings import Reload, Setting

SETTINGS = [
    Setting("auth.token", "(set)", "file", Reload.HOST, is_secret=True),
    Setting("runs.budget_s", 600.0, "default", Reload.LIVE),
    Setting("uploads.media_types", ["*/*"], "default", Reload.LIVE),
]


def test_secrets_are_out_of_sight() -> None:
    tree = file_tree("auth:\n  token: (set)\nruns:\n  budget_s: 5\n", SETTINGS)
    assert tree == {"auth": {"token": REDACTED}, "runs": {"budget_s": 5}}
    assert effective_tree(SETTINGS)["auth"] == {"token": REDACTED}


@pytest.mark.parametrize("text", ["", "- a", "{", "a: &a [*a]", "x: !!python/object:os.system ls"])
def test_a_file_that_nobody_can_read_says_nothing(text: str) -> None:
    assert "token" not in str(file_tree(text, SETTINGS))


def test_changes_name_what_differs_and_nothing_else() -> None:
    before = {"auth": {"token": REDACTED}, "runs": {"budget_s": 5}, "uploads": None}
    assert changes(before, before, SETTINGS) == {}
    after = {"auth": {"token": REDACTED}, "uploads": {"media_types": ["image/*"]}}
    assert changes(before, after, SETTINGS) == {"uploads.media_types": ["image/*"], "runs.budget_s": None}


def test_merging_as_rfc_7396_says() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": None, "e": {"f": 3}}, "d": [2]}) == {
        "a": {"c": 2, "e": {"f": 3}}, "d": [2],
    }  # fmt: skip
    assert merged({"a": 1}, {"a": {"b": 2}}) == {"a": {"b": 2}}


def test_lists_that_lose_entries() -> None:
    key = "uploads.media_types"
    assert lost_entries({"uploads": {"media_types": ["a", "b"]}}, {"uploads": {"media_types": ["a"]}}, [key]) == [key]
    assert lost_entries({"uploads": {"media_types": ["a"]}}, {"uploads": {"media_types": ["b", "a"]}}, [key]) == []
    assert lost_entries({}, {"uploads": {"media_types": ["a"]}}, [key]) == []


@pytest.mark.parametrize("raw", ["", "[]", "1", "{a:"])
def test_what_is_no_tree(raw: str) -> None:
    with pytest.raises(InstarError) as refused:
        parsed(raw)
    assert refused.value.code == "bad_request"
