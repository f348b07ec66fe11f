"""Schedules: causes of messages, and so of runs, that time brings about."""

import enum
from typing import Annotated

from msgspec import Meta, Struct

from .identity import Id, Name
from .limits import (
    PAGE_MAX,
    SCHEDULE_EVERY_MAX_S,
    SCHEDULE_EVERY_MIN_S,
    SCHEDULE_ID_PATTERN,
    SCHEDULE_LATENESS_MAX_S,
    SCHEDULE_TEXT_MAX_CHARS,
    SCHEDULES_MAX,
)
from .operation import Nothing, ObjectKind, Operation, Route, Verb


class CatchUp(enum.StrEnum):
    """What becomes of the slots that passed while the hub did not run, or that its clock jumped over."""

    SKIP = "skip"
    """All are recorded missed."""
    ONCE = "once"
    """The latest fires, the others are recorded missed."""
    ALL = "all"
    """Each fires, oldest first."""


class Cron(Struct, frozen=True, tag="cron", tag_field="kind", omit_defaults=True):
    """A cron expression of five fields (or six, seconds last), read in a time zone.

    A local time that daylight saving skips fires at the end of the gap; one that comes twice fires once. Only an
    expression of every hour (`*`) goes by elapsed time: it fires in both of two equal hours, and misses nothing in a
    gap.
    """

    expression: Annotated[str, Meta(min_length=1, max_length=256)]
    time_zone: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"
    """A name of the IANA time zone database, such as `Europe/Berlin`."""


class Every(Struct, frozen=True, tag="every", tag_field="kind", omit_defaults=True):
    """An interval; slots are at `anchor` and each multiple of `seconds` after it."""

    seconds: Annotated[float, Meta(ge=SCHEDULE_EVERY_MIN_S, le=SCHEDULE_EVERY_MAX_S)]
    anchor: str = ""
    """RFC 3339; without an offset it is UTC. Empty: when this timing was given, so the first slot is an interval on."""


class At(Struct, frozen=True, tag="at", tag_field="kind"):
    """Once."""

    time: str
    """RFC 3339; without an offset it is UTC."""


Timing = Cron | Every | At


class SlotState(enum.StrEnum):
    """How a slot ended."""

    FIRED = "fired"
    MISSED = "missed"
    """It was recorded, not done: too late, passed over by `catch_up`, or refused; `reason` says which."""


class Slot(Struct, frozen=True, omit_defaults=True):
    """One slot of a schedule and what became of it."""

    schedule_id: str
    at: str
    """When it was due."""
    state: SlotState
    recorded_at: str
    message_id: str = ""
    """What it said."""
    reason: str = ""
    is_manual: bool = False
    """Whether it was asked for (`schedules.run`), besides the slots."""


class Schedule(Struct, frozen=True, omit_defaults=True):
    """A schedule as callers see it."""

    id: str
    name: str
    timing: Timing
    room: str
    """Key of the room that it speaks into (`room:general`, `session:agent:guide:main`)."""
    text: str
    created_at: str
    updated_at: str
    owner: str
    """The principal whose right it speaks by; when that ends, slots are recorded missed."""
    catch_up: CatchUp = CatchUp.ONCE
    lateness_s: float = 0.0
    """A slot that is later than this is missed; 0: never too late."""
    agent_id: str = ""
    """Mentioned, so that it wakes."""
    description: str = ""
    is_paused: bool = False
    is_once: bool = False
    """It is removed once a slot of it has fired."""
    next_at: str = ""
    """Empty when nothing is due any more, or it is paused."""
    last: Slot | None = None
    """What was recorded last: a schedule that cannot speak says here why."""
    fault: str = ""
    """Why no slot of it can be found: a time zone that this hub no longer knows, say."""
    revision: int = 1


class CreateSchedule(Struct, omit_defaults=True):
    """A new schedule. It speaks by the right of who made or last updated it, as long as that right holds."""

    name: Name
    timing: Timing
    room: Annotated[str, Meta(min_length=1, max_length=192)]
    text: Annotated[str, Meta(min_length=1, max_length=SCHEDULE_TEXT_MAX_CHARS)]
    id: Annotated[str, Meta(pattern=SCHEDULE_ID_PATTERN)] = ""
    """Empty: the hub chooses one."""
    catch_up: CatchUp = CatchUp.ONCE
    lateness_s: Annotated[float, Meta(ge=0, le=SCHEDULE_LATENESS_MAX_S)] = 0.0
    agent_id: str = ""
    description: Annotated[str, Meta(max_length=1_024)] = ""
    is_paused: bool = False
    is_once: bool = False


class UpdateSchedule(Struct, omit_defaults=True):
    """Change parts of a schedule; None keeps one as it is. `revision` refuses a change that was not seen.

    A new timing counts from now on. Who updates it becomes its owner.
    """

    schedule_id: Id
    revision: int | None = None
    name: Name | None = None
    timing: Timing | None = None
    room: Annotated[str, Meta(min_length=1, max_length=192)] | None = None
    text: Annotated[str, Meta(min_length=1, max_length=SCHEDULE_TEXT_MAX_CHARS)] | None = None
    catch_up: CatchUp | None = None
    lateness_s: Annotated[float, Meta(ge=0, le=SCHEDULE_LATENESS_MAX_S)] | None = None
    agent_id: str | None = None
    description: Annotated[str, Meta(max_length=1_024)] | None = None
    is_once: bool | None = None


class ScheduleRef(Struct):
    """One schedule by its id."""

    schedule_id: Id


class ScheduleList(Struct, frozen=True):
    """Schedules by when they are due next."""

    schedules: list[Schedule]


class SlotQuery(Struct, omit_defaults=True):
    """What became of a schedule's slots, newest first."""

    schedule_id: Id
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50
    before: str = ""
    """The `at` of the last slot of the page before."""


class SlotList(Struct, frozen=True):
    """Slots, newest first."""

    slots: list[Slot]
    has_more: bool


CREATE = Operation(
    "schedules.create", CreateSchedule, Schedule, Verb.CREATE, ObjectKind.SCHEDULE,
    "Make a schedule", Route("POST", "/v1/schedules", 201), idempotent=True, audited=True,
    example={
        "name": "morning", "timing": {"kind": "cron", "expression": "0 9 * * 1-5", "time_zone": "Europe/Berlin"},
        "room": "room:general", "text": "Good morning, @guide",
    },
)  # fmt: skip
LIST = Operation(
    "schedules.list", Nothing, ScheduleList, Verb.READ, ObjectKind.SCHEDULE,
    f"List schedules (at most {SCHEDULES_MAX:,} there are)", Route("GET", "/v1/schedules"),
)  # fmt: skip
GET = Operation(
    "schedules.get", ScheduleRef, Schedule, Verb.READ, ObjectKind.SCHEDULE,
    "Show one schedule", Route("GET", "/v1/schedules/{schedule_id}"),
)  # fmt: skip
UPDATE = Operation(
    "schedules.update", UpdateSchedule, Schedule, Verb.MANAGE, ObjectKind.SCHEDULE,
    "Change a schedule", Route("PATCH", "/v1/schedules/{schedule_id}"), idempotent=True, audited=True,
)  # fmt: skip
REMOVE = Operation(
    "schedules.remove", ScheduleRef, Schedule, Verb.MANAGE, ObjectKind.SCHEDULE,
    "Remove a schedule; what became of its slots stays stored",
    Route("DELETE", "/v1/schedules/{schedule_id}"), audited=True,
)  # fmt: skip
PAUSE = Operation(
    "schedules.pause", ScheduleRef, Schedule, Verb.MANAGE, ObjectKind.SCHEDULE,
    "Let a schedule rest: slots pass unrecorded until it is resumed",
    Route("POST", "/v1/schedules/{schedule_id}/pause"), audited=True,
)  # fmt: skip
RESUME = Operation(
    "schedules.resume", ScheduleRef, Schedule, Verb.MANAGE, ObjectKind.SCHEDULE,
    "Resume a paused schedule", Route("POST", "/v1/schedules/{schedule_id}/resume"), audited=True,
)  # fmt: skip
RUN = Operation(
    "schedules.run", ScheduleRef, Slot, Verb.MANAGE, ObjectKind.SCHEDULE,
    "Fire a schedule now, besides its slots", Route("POST", "/v1/schedules/{schedule_id}/run"),
    idempotent=True, audited=True,
)  # fmt: skip
HISTORY = Operation(
    "schedules.history", SlotQuery, SlotList, Verb.READ, ObjectKind.SCHEDULE,
    "Say what became of a schedule's slots", Route("GET", "/v1/schedules/{schedule_id}/slots"),
)  # fmt: skip

OPERATIONS = (CREATE, LIST, GET, UPDATE, REMOVE, PAUSE, RESUME, RUN, HISTORY)
