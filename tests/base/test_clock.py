"""Time as microseconds, and its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.base.clock import Micros, from_rfc3339, now, to_rfc3339


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (1_700_000_000_120_000, "2023-11-14T22:13:20.120000Z"),
        (2_147_483_648_000_000, "2038-01-19T03:14:08Z"),
    ],
)
def test_text_of_a_point_in_time(at: int, text: str) -> None:
    assert to_rfc3339(Micros(at)) == text
    assert from_rfc3339(text) == at


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000))
def test_text_and_number_say_the_same(at: int) -> None:
    assert from_rfc3339(to_rfc3339(Micros(at))) == at


def test_offsets_are_respected_and_finer_digits_dropped() -> None:
    assert from_rfc3339("1970-01-01T01:00:00+01:00") == 0
    assert from_rfc3339("1970-01-01T00:00:00.123456Z") == 123456


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01T00:00:00"])
def test_text_without_an_offset_is_no_point_in_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_rfc3339(text)


def test_now_is_after_the_year_2020() -> None:
    assert now() > from_rfc3339("2020-01-01T00:00:00Z")
