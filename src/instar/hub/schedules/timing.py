"""When a schedule is due, without IO: the slots of a cron expression, an interval or one time, in order."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from instar.base.clock import MICROS_PER_S, Micros
from instar.base.errors import InstarError
from instar.wire.limits import SCHEDULE_COUNT_MAX
from instar.wire.schedules import Cron, Every, Timing

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)
_HOURS = 24
_WIDEN = 8


class Recurrence(Protocol):
    """The slots that a timing names."""

    def after(self, at: Micros) -> Iterator[Micros]:
        """Yield the slots later than `at`, ascending, each once; it ends when there are none any more."""
        ...


class Due(NamedTuple):
    """The slots of a span of time."""

    slots: list[Micros]
    """The latest ones, ascending."""
    older: int = 0
    """How many came before them, counted up to `SCHEDULE_COUNT_MAX` + 1."""
    older_at: Micros = Micros(0)
    """The last of the older ones."""


def recurrence_of(timing: Timing) -> Recurrence:
    """Return the slots of a timing; an interval must have its anchor.

    Raises:
        InstarError: `unprocessable_entity` for an expression, time zone or time that is none.
    """
    if isinstance(timing, Cron):
        return _cron(timing)
    if isinstance(timing, Every):
        return _Interval(moment(timing.anchor, "anchor"), Micros(round(timing.seconds * MICROS_PER_S)))
    return _Single(moment(timing.time, "time"))


def next_slot(recurrence: Recurrence, at: Micros) -> Micros | None:
    """Return the first slot later than `at`, or None."""
    return next(recurrence.after(at), None)


def slots_between(recurrence: Recurrence, after: Micros, until: Micros, limit: int) -> Due:
    """Return the slots later than `after` up to `until`: the latest `limit` of them, and how many came before.

    It looks at no more than some thousand slots, however long the span.
    """
    window = limit * MICROS_PER_S
    while True:
        start = max(after, Micros(until - window))
        latest = deque(_until(recurrence, start, until), maxlen=limit + 1)
        if start == after or len(latest) > limit:
            break
        window *= _WIDEN
    if len(latest) <= limit:
        return Due(list(latest))
    older_at = latest.popleft()
    older = sum(1 for _ in islice(_until(recurrence, after, older_at), SCHEDULE_COUNT_MAX + 1))
    return Due(list(latest), older, older_at)


def moment(text: str, field: str) -> Micros:
    """Return the point in time that RFC 3339 text names; without an offset it is UTC.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    try:
        parsed = datetime.fromisoformat(text)
        return _micros(parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        hint = "Write RFC 3339, for example `2026-12-01T09:00:00Z`."
        raise InstarError("unprocessable_entity", f"timing.{field} {text!r} is no time", hint=hint) from None


def _until(recurrence: Recurrence, after: Micros, until: Micros) -> Iterator[Micros]:
    for at in recurrence.after(after):
        if at > until:
            return
        yield at


@dataclass(frozen=True, slots=True)
class _Single:
    """One slot."""

    at: Micros

    def after(self, at: Micros) -> Iterator[Micros]:
        """Yield it when it is later."""
        if self.at > at:
            yield self.at


@dataclass(frozen=True, slots=True)
class _Interval:
    """Slots at `anchor` and each multiple of `length` after it."""

    anchor: Micros
    length: Micros

    def after(self, at: Micros) -> Iterator[Micros]:
        """Yield the slots later than `at`, as long as their time can be written."""
        first = self.anchor + max(0, (at - self.anchor) // self.length + 1) * self.length
        return map(Micros, range(first, _END, self.length))


@dataclass(frozen=True, slots=True)
class _LocalTimes:
    """Slots of an expression of six fields, at the times that a clock in the zone shows."""

    expression: str
    zone: ZoneInfo

    def after(self, at: Micros) -> Iterator[Micros]:
        """Yield the slots later than `at`, until none is found within fifty years."""
        last = at
        for local in CronSim(self.expression, _utc(at).astimezone(self.zone).replace(tzinfo=None)):
            slot = _micros(_instant(local, self.zone))
            # Local times within a gap share its end; those of a second, equal hour were due in the first.
            if slot > last:
                yield slot
                last = slot


@dataclass(frozen=True, slots=True)
class _ElapsedTime:
    """Slots of an expression that names every hour: daylight saving moves them, and neither skips nor repeats one."""

    expression: str
    zone: ZoneInfo

    def after(self, at: Micros) -> Iterator[Micros]:
        """Yield the slots later than `at`, until none is found within fifty years."""
        begin: datetime | None = _utc(at) + _SECOND
        while begin is not None:
            cursor, begin = begin, None
            offset = _offset(cursor, self.zone)
            for local in CronSim(self.expression, (cursor - _SECOND + offset).replace(tzinfo=None)):
                slot = local.replace(tzinfo=UTC) - offset
                if (begin := _next_change(cursor, slot, self.zone)) is not None:
                    break
                yield _micros(slot)
                cursor = slot


def _cron(timing: Cron) -> Recurrence:
    fields = timing.expression.split()
    # With six fields cronsim leaves daylight saving to its caller: one rule for both forms.
    expression = " ".join(["0", *fields] if len(fields) == 5 else fields)
    try:
        parsed = CronSim(expression, datetime(2000, 1, 1))  # noqa: DTZ001 - local time of no zone
    except CronSimError as error:
        cause = str(error)[:1].lower() + str(error)[1:]
        raise InstarError(
            "unprocessable_entity",
            f"timing.expression {timing.expression!r}: {cause}",
            hint="Write minute, hour, day of month, month and day of week: `0 9 * * 1-5`.",
        ) from None
    names_every_hour = len(parsed.hours) == _HOURS
    return (_ElapsedTime if names_every_hour else _LocalTimes)(expression, _zone(timing.time_zone))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InstarError(
            "unprocessable_entity", f"there is no time zone {name!r}", hint="Use a name such as `Europe/Berlin`."
        ) from None


def _instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Return when a clock in the zone shows this time, at first; for a time that it skips, the end of the gap."""
    first = local.replace(tzinfo=zone).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == local:
        return first
    return _change(local.replace(tzinfo=zone, fold=1).astimezone(UTC), first, zone)


def _next_change(early: datetime, late: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first moment in a span with another offset than at its beginning, or None."""
    before = _offset(early, zone)
    while early < late:
        probe = min(early + _DAY, late)
        if _offset(probe, zone) != before:
            return _change(early, probe, zone)
        early = probe
    return None


def _change(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment, to the second, from which the zone has another offset than at `early`."""
    before = _offset(early, zone)
    while (span := late - early) > _SECOND:
        middle = early + _SECOND * (span // (_SECOND * 2))
        early, late = (middle, late) if _offset(middle, zone) == before else (early, middle)
    return late


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def _utc(at: Micros) -> datetime:
    """Return the whole second that `at` lies in: cron knows no shorter time."""
    return _EPOCH + timedelta(seconds=at // MICROS_PER_S)


def _micros(at: datetime) -> Micros:
    return Micros((at - _EPOCH) // timedelta(microseconds=1))
