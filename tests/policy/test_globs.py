import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.policy.globs import matches

MOLF = [
    ("src/.env", "*.env", True), ("a/b/.env.local", "*.env.*", True), ("x.environment", "*.env", False),
    ("src/SECRET.ts", "*secret*", False), ("a/b/c", "*", True), ("./src/.env", "*.env", True),
    ("cat a", "cat [a]", False),
    ("cat a", "cat {a,b}", False), ("cat [a]", "cat [a]", True), ("git push", "git push *", False),
    ("git push ", "git push *", True),
    ("git push a/b", "git push *", True), ("two\nlines", "*", True), ("../x", "*", True), ("", "*", True),
    ("x", "!y", False),
    ("ab", "a?", True), ("a", "a?", False), ("a\nb", "a?b", True), ("abc", "a*b*c", True), ("ac", "a*b*c", False),
    ("aa", "a*a", True), ("a", "a*a", False),
]  # fmt: skip


@pytest.mark.parametrize(("value", "glob", "fits"), MOLF)
def test_what_a_glob_matches(value: str, glob: str, fits: bool) -> None:
    assert matches(glob, value) is fits


@given(glob=st.text("ab*?.\n", max_size=8), value=st.text("ab.\n", max_size=10))
def test_it_is_what_the_definition_says(glob: str, value: str) -> None:
    pattern = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in glob)
    assert matches(glob, value) == (re.fullmatch(pattern, value, re.DOTALL) is not None)


def test_no_glob_takes_long() -> None:
    assert not matches("*a" * 2_000, "b" * 4_000)
    assert not matches("*a?" * 1_000 + "c", "a" * 8_000)
