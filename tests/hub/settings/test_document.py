"""A change writes anew what it is about, and nothing else."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.base.errors import InstarError
from instar.hub.settings.document import edited
from instar.hub.settings.keys import KEYS, default_of
from instar.hub.settings.sources import from_text

FILE = """\
# head comment
# second

listen: 127.0.0.1:1   # short
log:
    # before level
    level: debug      # eol level
    # after level, before format
    format: "json"

# about loops
loops: { max_hops: 3,   pair_per_min: 0x10 }
server:
    allowed_hosts:
    - a
    - b   # bee
    # end of server

    public_url: |-
      http://x
uploads:
    media_types: [ image/*, text/plain ]
runs:
# tail comment
"""


def difference(changes: dict[str, Any], text: str = FILE) -> tuple[list[str], list[str]]:
    """Return the lines that a change takes out and those that it brings in, after checking what the text says now."""
    fresh = edited(text, changes)
    before = from_text(text)
    assert from_text(fresh) == {key: value for key, value in {**before, **changes}.items() if value is not None}
    old, new = text.splitlines(), fresh.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.mark.parametrize(
    ("changes", "removed", "added"),
    [
        ({"log.level": "info"}, ["    level: debug      # eol level"], ["    level: info      # eol level"]),
        ({"log.level": None}, ["    level: debug      # eol level"], []),
        ({"log.level": None, "log.format": None}, ["    level: debug      # eol level", '    format: "json"'], []),
        ({"log.format": None, "log.file": False}, ['    format: "json"'], ["    file: false"]),
        ({"log.file": False}, [], ["    file: false"]),
        ({"server.allowed_hosts": ["c", "d e"]}, ["    - a", "    - b   # bee"], ["    - c", '    - "d e"   # bee']),
        ({"server.allowed_hosts": None}, ["    allowed_hosts:", "    - a", "    - b   # bee"], []),
        ({"server.access_log": True}, [], ["    access_log: true"]),
        ({"server.public_url": "http://y"}, ["    public_url: |-", "      http://x"], ['    public_url: "http://y"']),
        ({"runs.budget_s": 3.5}, [], ["  budget_s: 3.5"]),
        ({"data_dir": "/x y"}, [], ['data_dir: "/x y"']),
        ({"delivery.lease_s": 1e-7, "delivery.attempts": 3}, [], ["delivery:", "  lease_s: 1e-07", "  attempts: 3"]),
        ({"listen.compat": [":2"]}, ["listen: 127.0.0.1:1   # short"],
         ["listen:", '  address: "127.0.0.1:1"', '  compat: [":2"]   # short']),
        ({"network.name": "on"}, [], ["network:", '  name: "on"']),
        ({"network.name": None}, [], []),
    ],
)  # fmt: skip
def test_only_the_lines_of_a_change_change(changes: dict[str, Any], removed: list[str], added: list[str]) -> None:
    assert difference(changes) == (removed, added)


@pytest.mark.parametrize(
    ("text", "changes", "fresh"),
    [
        ("", {"log.level": "info"}, "log:\n  level: info\n"),
        ("# only words", {"log.level": "info"}, "# only words\nlog:\n  level: info\n"),
        ("log:\r\n  level: debug\r\n", {"log.file": True}, "log:\r\n  level: debug\r\n  file: true\r\n"),
        ("log:\r\n  level: debug\r\n  file: true", {"log.level": None}, "log:\r\n  file: true"),
        ("loops: {max_hops: 3}\n", {"loops.max_hops": None}, "loops: {}\n"),
        ("log: {level: info} # c\n", {"log.file": True}, "log: {level: info, file: true} # c\n"),
        ("{'log': {'level': 'info'}}\n", {"log.level": "debug"}, '{\n  "log": {\n    "level": "debug"\n  }\n}\n'),
        ("server:\n  allowed_hosts:\n  - a\n", {"server.allowed_hosts": []}, "server:\n  allowed_hosts: []\n"),
        ("listen: :1\n", {"listen.address": None}, "listen:\n"),
    ],
)
def test_whole_texts(text: str, changes: dict[str, Any], fresh: str) -> None:
    assert edited(text, changes) == fresh


@pytest.mark.parametrize(
    "text", ["server:\n  allowed_hosts: &a [x]\n  allowed_origins: *a\n", "log: {level: info}\n...\n"]
)
def test_what_cannot_be_changed_in_place_is_refused(text: str) -> None:
    changes = {"server.allowed_origins": ["https://y"]} if "&" in text else {"runs.budget_s": 2.0}
    with pytest.raises(InstarError) as caught:
        edited(text, changes)
    assert caught.value.code == "unprocessable_entity"


STRINGS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
VALUES: dict[type, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    str: STRINGS,
    list: st.lists(STRINGS, max_size=3),
    float: st.floats(0.001, 1e9, allow_nan=False),
    int: st.integers(1, 2**40),
}


def change_of(key: str) -> st.SearchStrategy[tuple[str, Any]]:
    kind = "Literal" in repr(KEYS[key].type)
    value = st.just(default_of(key)) if kind or key.startswith("network") else VALUES[type(default_of(key))]
    return st.tuples(st.just(key), st.none() | value)


CHANGES = st.lists(st.sampled_from(sorted(KEYS)).flatmap(change_of), min_size=1, max_size=6).map(dict)
COMMENT = re.compile(r"# [a-z, ]+")


@given(st.lists(CHANGES, min_size=1, max_size=4))
def test_any_changes_one_after_the_other_say_what_they_should(steps: list[dict[str, Any]]) -> None:
    text, wanted = FILE, from_text(FILE)
    for changes in steps:
        fresh = edited(text, changes)
        wanted = {key: value for key, value in {**wanted, **changes}.items() if value is not None}
        assert from_text(fresh) == wanted
        text = fresh
    kept = [found for found in COMMENT.findall(FILE) if found not in ("# short", "# eol level", "# bee")]
    assert [found for found in COMMENT.findall(text) if found in kept] == kept
