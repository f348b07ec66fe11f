import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.cli.durations import DURATION, spelt


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0s"), (0.5, "0.5s"), (5, "5s"), (90, "90s"), (900, "15m"), (86_400, "1d")]
)
def test_spelt(seconds: float, expected: str):
    assert spelt(seconds) == expected


@given(st.integers(0, 10**5))
def test_what_is_spelt_can_be_typed(seconds: int):
    assert DURATION.convert(spelt(seconds), None, None) == seconds
