from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.base.clock import MICROS_PER_S, Micros, from_rfc3339, to_rfc3339
from instar.base.errors import InstarError
from instar.hub.schedules.timing import moment, next_slot, recurrence_of, slots_between
from instar.wire.limits import SCHEDULE_COUNT_MAX
from instar.wire.schedules import At, Cron, Every, Timing

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def slots(timing: Timing, after: str, count: int) -> list[str]:
    return [to_rfc3339(at) for at in islice(recurrence_of(timing).after(from_rfc3339(after)), count)]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        ("0 9 * * 1-5", BERLIN, "2026-11-20T08:00:00Z", ["2026-11-23T08:00:00Z", "2026-11-24T08:00:00Z"]),
        ("*/20 * * * * *", "UTC", "2026-01-01T00:00:19.5Z", ["2026-01-01T00:00:20Z", "2026-01-01T00:00:40Z"]),
        # The gap: 02:30 does not exist, so it fires when the gap ends, once for all that lies in it.
        ("30 2 * * *", BERLIN, "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        ("0 30 2 * * *", BERLIN, "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        ("*/15 2 * * *", BERLIN, "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]),
        ("30 2,3 * * *", NEW_YORK, "2026-03-08T05:00:00Z", ["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"]),
        ("*/20 2 * * *", LORD_HOWE, "2026-10-03T10:00:00Z", ["2026-10-03T15:30:00Z", "2026-10-03T15:40:00Z"]),
        ("0 0 * * *", "Africa/Cairo", "2026-04-23T10:00:00Z", ["2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"]),
        ("0 12 30 12 *", "Pacific/Apia", "2011-01-01T00:00:00Z", ["2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z"]),
        # The equal hours: the first one counts.
        ("30 2 * * *", BERLIN, "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
        ("0 30 2 * * *", BERLIN, "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
        ("30 2 * * *", BERLIN, "2026-10-25T01:10:00Z", ["2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z"]),
        ("30 1 * * *", NEW_YORK, "2026-11-01T04:00:00Z", ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-04T12:00:00Z", ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]),
        # Every hour goes by elapsed time, both ways.
        ("30 * * * *", BERLIN, "2026-10-25T00:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),
        ("30 0-23 * * *", BERLIN, "2026-10-25T00:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),
        ("30 * * * *", BERLIN, "2026-03-29T00:00:00Z", ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"]),
        ("30 * * * *", LORD_HOWE, "2026-04-04T14:00:00Z", ["2026-04-04T14:30:00Z", "2026-04-04T15:00:00Z"]),
        ("30 * 4 4 *", "America/Santiago", "2026-04-05T02:00:00Z", ["2026-04-05T02:30:00Z", "2026-04-05T03:30:00Z"]),
        # Leap days, and the years after 2038.
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
        ("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", ["2104-02-29T00:00:00Z", "2108-02-29T00:00:00Z"]),
        ("14 3 19 1 *", "UTC", "2038-01-19T03:13:59Z", ["2038-01-19T03:14:00Z", "2039-01-19T03:14:00Z"]),
        ("30 2 * * *", BERLIN, "2040-03-24T12:00:00Z", ["2040-03-25T01:00:00Z", "2040-03-26T00:30:00Z"]),
        ("0 0 L * *", "UTC", "2040-02-01T00:00:00Z", ["2040-02-29T00:00:00Z", "2040-03-31T00:00:00Z"]),
    ],
)
def test_cron(expression: str, zone: str, after: str, expected: list[str]):
    assert slots(Cron(expression, zone), after, 2) == expected


def test_an_interval_is_counted_from_its_anchor():
    quarter = Every(900, "2026-03-29T00:05:00Z")
    assert slots(quarter, "2026-03-29T00:00:00Z", 2) == ["2026-03-29T00:05:00Z", "2026-03-29T00:20:00Z"]
    assert slots(quarter, "2026-03-29T00:20:00Z", 1) == ["2026-03-29T00:35:00Z"]
    assert slots(Every(1.5, "2040-01-01T00:00:00"), "2040-01-01T00:00:00Z", 1) == ["2040-01-01T00:00:01.500000Z"]
    assert slots(Every(315_360_000, "9990-01-01T00:00:00Z"), "9999-12-31T00:00:00Z", 1) == []


def test_one_time_is_one_slot():
    assert slots(At("2026-12-01T09:00"), "2026-01-01T00:00:00Z", 2) == ["2026-12-01T09:00:00Z"]
    assert slots(At("2026-12-01T09:00:00+01:00"), "2026-01-01T00:00:00Z", 2) == ["2026-12-01T08:00:00Z"]
    assert slots(At("2026-12-01T09:00"), "2026-12-01T09:00:00Z", 2) == []


@pytest.mark.parametrize(
    ("timing", "cause"),
    [
        (Cron("0 9 * *"), "'0 9 * *': wrong number of fields"),
        (Cron("0 25 * * *"), "'0 25 * * *': bad hour"),
        (Cron("0 9 31 2 *"), "'0 9 31 2 *': bad day-of-month"),
        (Cron("* * * * *", "Mars/Base"), "no time zone 'Mars/Base'"),
        (Cron("* * * * *", "../../etc/passwd"), "no time zone"),
        (Cron("* * * * *", "Europe"), "no time zone"),
        (Cron("* * * * *", "\x00"), "no time zone"),
        (Every(60, "soon"), "timing.anchor 'soon' is no time"),
        (At("tomorrow"), "timing.time 'tomorrow' is no time"),
    ],
)
def test_what_is_no_timing_is_refused_with_its_cause(timing: Timing, cause: str):
    with pytest.raises(InstarError) as refused:
        recurrence_of(timing)
    assert refused.value.code == "unprocessable_entity"
    assert cause in refused.value.message


@given(st.text(max_size=40) | st.lists(st.sampled_from([*"*/-,L#W0123456789", "MON", " "])).map("".join))
def test_no_expression_raises_anything_else(expression: str):
    with suppress(InstarError):
        next_slot(recurrence_of(Cron(expression)), Micros(0))


@given(st.text(max_size=30))
def test_no_time_raises_anything_else(text: str):
    with suppress(InstarError):
        to_rfc3339(moment(text, "time"))


ZONES = (BERLIN, NEW_YORK, LORD_HOWE, "Africa/Cairo", "America/Havana", "America/Santiago", "Asia/Kathmandu", "UTC")
MINUTE = timedelta(minutes=1)


def changes_of_offset(zone: ZoneInfo, year: int) -> list[datetime]:
    """The days of a year on which the zone's offset changes, or its first day."""
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(365)]
    changing = [
        day
        for day in days
        if day.astimezone(zone).utcoffset() != (day + timedelta(days=1)).astimezone(zone).utcoffset()
    ]
    return changing or days[:1]


def walked(minutes: set[int], hours: set[int], zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[datetime]:
    """What a person with a clock of the zone would do, minute by minute: the rule, without any cron library."""
    shown = begin.astimezone(zone).replace(tzinfo=None)
    at = begin
    while at < end:
        at += MINUTE
        now = at.astimezone(zone)
        before, shown = shown, now.replace(tzinfo=None, fold=0)
        if len(hours) == 24:
            if shown.minute in minutes:
                yield at
            continue
        skipped = [before + MINUTE * k for k in range(1, (shown - before) // MINUTE)]
        is_named = shown.minute in minutes and shown.hour in hours and now.fold == 0
        if is_named or any(each.minute in minutes and each.hour in hours for each in skipped):
            yield at


@given(
    st.sets(st.sampled_from(range(0, 60, 5)), min_size=1, max_size=4),
    st.sets(st.integers(0, 23), min_size=1, max_size=5) | st.just(set(range(24))),
    st.sampled_from(ZONES),
    st.sampled_from((2026, 2027, 2040)),
    st.data(),
)
def test_cron_fires_when_a_person_with_a_clock_would(
    minutes: set[int], hours: set[int], zone: str, year: int, data: st.DataObject
):
    begin = data.draw(st.sampled_from(changes_of_offset(ZoneInfo(zone), year))) - timedelta(hours=3)
    end = begin + timedelta(hours=30)
    expression = f"{','.join(map(str, sorted(minutes)))} {','.join(map(str, sorted(hours)))} * * *"
    recurrence = recurrence_of(Cron(expression, zone))
    start, stop = (Micros(int(at.timestamp()) * MICROS_PER_S) for at in (begin, end))
    fired = list(takewhile(lambda at: at <= stop, recurrence.after(start)))
    expected = [int(at.timestamp()) * MICROS_PER_S for at in walked(minutes, hours, ZoneInfo(zone), begin, end)]
    assert fired == expected


def anchored(seconds: float) -> Every:
    return Every(seconds, "2026-01-01T00:00:00Z")


TIMINGS = st.floats(1, 5_000).map(anchored) | st.sampled_from(
    [Cron("*/7 * * * *", BERLIN), Cron("* * 2 * * *", BERLIN), Cron("0 0 1 1 *"), At("2026-06-01")]
)
BASE = from_rfc3339("2026-03-28T00:00:00Z")


@given(TIMINGS, st.integers(0, 10**6), st.integers(-5, 20_000), st.integers(1, 50))
def test_a_span_has_every_slot_once(timing: Timing, offset_s: int, span_s: int, limit: int):
    after = Micros(BASE + offset_s * MICROS_PER_S)
    until = Micros(after + span_s * MICROS_PER_S)
    recurrence = recurrence_of(timing)
    every = list(takewhile(lambda at: at <= until, recurrence.after(after)))
    due = slots_between(recurrence, after, until, limit)
    assert due.slots == every[-limit:]
    assert due.older == min(max(0, len(every) - limit), SCHEDULE_COUNT_MAX + 1)
    assert due.older == 0 or due.older_at == every[-limit - 1]


@given(TIMINGS, st.integers(0, 10**8))
def test_the_next_slot_is_later_and_the_same_however_one_comes_to_it(timing: Timing, offset_s: int):
    recurrence = recurrence_of(timing)
    at = Micros(BASE + offset_s * MICROS_PER_S)
    following = next_slot(recurrence, at)
    if following is not None:
        assert following > at
        assert next_slot(recurrence, Micros(following - 1)) == following
        assert next_slot(recurrence, Micros((at + following) // 2)) == following


def test_a_long_absence_costs_a_glance():
    """A year of seconds: the latest are found, the others counted no further than the limit."""
    each_second = recurrence_of(Cron("* * * * * *", BERLIN))
    until = Micros(BASE + 365 * 86_400 * MICROS_PER_S)
    due = slots_between(each_second, BASE, until, 1_000)
    assert (len(due.slots), due.slots[-1], due.older) == (1_000, until, SCHEDULE_COUNT_MAX + 1)
    assert due.older_at == due.slots[0] - MICROS_PER_S
