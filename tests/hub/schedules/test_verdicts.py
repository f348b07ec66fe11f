import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.base.clock import MICROS_PER_S, Micros
from instar.hub.schedules.timing import Due
from instar.hub.schedules.verdicts import Verdict, judge, missed
from instar.wire.schedules import CatchUp

SKIP, ONCE, ALL = CatchUp.SKIP, CatchUp.ONCE, CatchUp.ALL


def at(second: int) -> Micros:
    return Micros(second * MICROS_PER_S)


def fired(*seconds: int, now: int = 100, since: int = 90, catch_up: CatchUp = ONCE, lateness_s: float = 0) -> list[int]:
    due = Due([at(second) for second in seconds])
    verdicts = judge(due, now=at(now), since=at(since), catch_up=catch_up, lateness_s=lateness_s)
    assert [verdict.at for verdict in verdicts] == due.slots
    return [verdict.at // MICROS_PER_S for verdict in verdicts if verdict.fires]


@pytest.mark.parametrize(
    ("catch_up", "expected"), [(SKIP, [90, 100]), (ONCE, [80, 90, 100]), (ALL, [60, 70, 80, 90, 100])]
)
def test_the_policy_decides_on_what_passed_and_on_nothing_else(catch_up: CatchUp, expected: list[int]):
    assert fired(60, 70, 80, 90, 100, catch_up=catch_up) == expected


@pytest.mark.parametrize("catch_up", CatchUp)
def test_too_late_is_missed_under_every_policy(catch_up: CatchUp):
    assert fired(60, 70, 100, catch_up=catch_up, lateness_s=20) == [100]
    assert fired(95, 100, catch_up=catch_up, lateness_s=4.5) == [100]


def test_the_latest_that_passed_stands_for_the_others_unless_it_is_too_late_itself():
    assert fired(60, 75, catch_up=ONCE, lateness_s=30) == [75]
    assert fired(60, 65, catch_up=ONCE, lateness_s=30) == []


def test_what_is_too_much_ends_as_one():
    due = Due([at(100)], older=1_234, older_at=at(99))
    verdicts = judge(due, now=at(100), since=at(0), catch_up=ALL, lateness_s=0)
    assert verdicts[0].at == at(99)
    assert verdicts[0].missed_for.startswith("1,234 slots up to this one passed")
    assert verdicts[1] == Verdict(at(100))
    countless = missed(Due([at(100)], older=10_001, older_at=at(99)), "paused")
    assert countless[0].missed_for.startswith("more than 10,000 slots")
    assert countless[1].missed_for == "paused"


@given(
    st.sets(st.integers(0, 200), max_size=30).map(sorted),
    st.integers(0, 200),
    st.sampled_from(CatchUp),
    st.sampled_from((0.0, 1.0, 50.0)),
)
def test_every_slot_ends_and_a_miss_has_its_reason(
    seconds: list[int], since: int, catch_up: CatchUp, lateness_s: float
):
    due = Due([at(second) for second in seconds])
    verdicts = judge(due, now=at(200), since=at(since), catch_up=catch_up, lateness_s=lateness_s)
    assert [verdict.at for verdict in verdicts] == due.slots
    on_time = [verdict for verdict in verdicts if verdict.at >= at(since) and not lateness_s]
    assert all(verdict.fires for verdict in on_time)
    late = [verdict for verdict in verdicts if verdict.at < at(since)]
    assert sum(verdict.fires for verdict in late) <= {SKIP: 0, ONCE: 1, ALL: len(late)}[catch_up]
