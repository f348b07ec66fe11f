from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.cli.texts import distance, nearest, relative, size, table, visible

NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2026-01-02T11:59:58Z", "2 s ago"),
        ("2026-01-02T11:57:00.5Z", "2 min ago"),
        ("2026-01-02T09:00:00Z", "3 h ago"),
        ("2025-12-30T12:00:00Z", "3 d ago"),
        ("2026-01-02T12:05:00Z", "in 5 min"),
        ("2026-01-02T12:09:58.5Z", "in 10 min"),
        ("2026-01-02T12:00:07Z", "in 7 s"),
        ("once", "once"),
        ("2026-01-02T12:00:00", "2026-01-02T12:00:00"),
    ],
)
def test_relative(timestamp: str, expected: str):
    assert relative(timestamp, NOW) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"), [("", "abc", 3), ("send", "sned", 1), ("rooms", "room", 1), ("a", "a", 0)]
)
def test_distance(left: str, right: str, expected: int):
    assert distance(left, right) == expected


@given(st.text(max_size=8), st.text(max_size=8))
def test_distance_is_symmetric_and_zero_only_for_equals(left: str, right: str):
    assert distance(left, right) == distance(right, left)
    assert (distance(left, right) == 0) == (left == right)


def test_nearest():
    assert nearest("genral", ["general", "review", "generals"]) == ["general", "generals"]
    assert nearest("x", ["ab", "y"]) == []


@given(st.text())
def test_nothing_that_others_wrote_steers_the_terminal(text: str):
    assert not {letter for letter in visible(text) if not letter.isprintable()} - {"\n", "\t"}


def test_table():
    assert list(table(("A", "LONG"), [("xyz", "\x1b[1m\n"), (1, 2)])) == ["A    LONG", "xyz  �[1m", "1    2"]
    assert list(table(("A",), [])) == []


@pytest.mark.parametrize(("count", "expected"), [(0, "0 B"), (1_536, "1.5 KiB"), (5_000_000_000, "4.7 GiB")])
def test_size(count: int, expected: str):
    assert size(count) == expected
