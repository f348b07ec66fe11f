"""`instar schedules …`."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from instar.cli.command import Group, command
from instar.cli.completions import agents, schedules
from instar.cli.durations import DURATION, spelt
from instar.cli.exits import exit_code
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.targets import TARGET, Place, open_dm
from instar.cli.texts import nearest, plain, relative, table, visible
from instar.client.errors import HubError

CATCH_UPS = ("skip", "once", "all")
F = TypeVar("F", bound=Callable[..., object])
_SCHEDULE = click.argument("schedule", shell_complete=schedules)


def _timing_options(function: F) -> F:
    """Add the options that say when."""
    for option in (
        click.option("--at", default="", metavar="TIME", help="Once: 2026-12-01T09:00 (UTC, or in --zone)."),
        click.option("--every", type=DURATION, metavar="15m", help="At this interval, first one interval from now."),
        click.option("--zone", default="", metavar="NAME", help="Time zone: Europe/Berlin; else UTC."),
        click.option("--cron", default="", metavar="EXPRESSION", help='Minute to day of week: "0 9 * * 1-5".'),
    ):
        function = option(function)
    return function


def _standing_options(function: F) -> F:
    """Add the options that creating and updating share."""
    for option in (
        click.option("--once/--no-once", "is_once", default=None, help="Remove it once it has fired."),
        click.option("--description", help="What it is for."),
        click.option("--agent", "agent_id", shell_complete=agents, help="Mention this agent, so that it wakes."),
        click.option("--lateness", type=DURATION, metavar="10m", help="A slot that is later than this is missed."),
        click.option("--catch-up", type=click.Choice(CATCH_UPS), help="What becomes of slots while the hub was away."),
    ):
        function = option(function)
    return function


@command("instar schedules list", name="list")
def list_(session: Session) -> Answer:
    """List schedules, by when they are due."""
    found = session.invoke("schedules.list")
    heads = ("SCHEDULE", "NAME", "WHEN", "ROOM", "NEXT", "LAST")
    rows = table(heads, map(_row, found["schedules"]), empty="There is no schedule.")
    return Answer(found, rows, found["schedules"])


@command("instar schedules show morning")
@_SCHEDULE
def show(session: Session, schedule: str) -> Answer:
    """Show one schedule.

    SCHEDULE is an id, or the name of one schedule.
    """
    found = session.invoke("schedules.get", schedule_id=_id(session, schedule))
    shown = found | {"timing": _when(found["timing"]), "last": _ended(found.get("last"))}
    facts = [(name, plain(value)) for name, value in shown.items() if name != "id" and value != ""]
    return Answer(found, table(("SCHEDULE", found["id"]), facts))


@command(
    'instar schedules create morning general "Hello @guide" --cron "0 9 * * 1-5"',
    'instar schedules create pulse general "News?" --every 15m --agent guide --json',
    'instar schedules create party general "It is time" --at 2100-01-01T00:00',
)
@click.argument("name")
@click.argument("target", type=TARGET)
@click.argument("text")
@_timing_options
@_standing_options
@click.option("--paused", "is_paused", is_flag=True, help="Let it rest until it is resumed.")
def create(
    session: Session, *, name: str, target: Place, text: str, cron: str, zone: str, every: float | None, at: str,
    **more: object,
) -> Answer:  # fmt: skip
    """Make a schedule.

    At its times, TEXT is said in TARGET. It speaks by your right, as long as that holds. Say when with one of --cron,
    --every and --at.
    """
    timing = _timing(cron, zone, every, at)
    if timing is None:
        raise HubError("usage", "it is not said when", hint="Add one of --cron, --every and --at.")
    given = {field: value for field, value in more.items() if value is not None}
    made = session.invoke(
        "schedules.create", name=name, room=_room(session, target), text=text, timing=timing, **_fields(given)
    )
    return Answer(made, [f"Made {made['id']}: {_next(made)}."])


@command('instar schedules update morning --cron "0 8 * * 1-5" --zone Europe/Berlin')
@_SCHEDULE
@click.option("--name", help="Call it so.")
@click.option("--target", type=TARGET, help="Speak there.")
@click.option("--text", help="Say this.")
@_timing_options
@_standing_options
@click.option("--revision", type=int, help="Only if it is still at this revision.")
def update(
    session: Session, *, schedule: str, target: Place | None, cron: str, zone: str, every: float | None, at: str,
    **more: object,
) -> Answer:  # fmt: skip
    """Change a schedule.

    SCHEDULE is an id, or the name of one schedule. From now on it speaks by your right; a new time counts from now.
    """
    wanted: dict[str, object] = {"timing": _timing(cron, zone, every, at)}
    wanted["room"] = None if target is None else _room(session, target)
    given = {field: value for field, value in more.items() if value is not None} | wanted
    # An empty text is a value here: no agent, no description.
    params = {
        "schedule_id": _id(session, schedule),
        **{key: value for key, value in _fields(given).items() if value is not None},
    }
    made = session.client.invoke("schedules.update", params)
    return Answer(made, [f"{made['id']} is at revision {made['revision']}: {_next(made)}."])


@command("instar schedules remove morning --yes")
@_SCHEDULE
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(session: Session, schedule: str, *, yes: bool) -> Answer:
    """Remove a schedule.

    SCHEDULE is an id, or the name of one schedule.
    """
    schedule_id = _id(session, schedule)
    session.confirm(f"Remove the schedule {schedule} ({schedule_id})?", yes=yes)
    return Answer(session.invoke("schedules.remove", schedule_id=schedule_id), [f"Removed {schedule_id}."])


@command("instar schedules pause morning")
@_SCHEDULE
def pause(session: Session, schedule: str) -> Answer:
    """Pause a schedule.

    SCHEDULE is an id, or the name of one schedule. Until it is resumed, its slots pass unrecorded.
    """
    done = session.invoke("schedules.pause", schedule_id=_id(session, schedule))
    return Answer(done, [f"{done['id']} rests."])


@command("instar schedules resume morning")
@_SCHEDULE
def resume(session: Session, schedule: str) -> Answer:
    """Resume a paused schedule, from now.

    SCHEDULE is an id, or the name of one schedule.
    """
    done = session.invoke("schedules.resume", schedule_id=_id(session, schedule))
    return Answer(done, [f"{done['id']} goes on: {_next(done)}."])


@command("instar schedules run morning")
@_SCHEDULE
def run(session: Session, schedule: str) -> Answer:
    """Fire a schedule now.

    Its slots stay as they are. SCHEDULE is an id, or the name of one schedule. When something is in its way, that is
    said.
    """
    done = session.invoke("schedules.run", schedule_id=_id(session, schedule))
    is_fired = done["state"] == "fired"
    return Answer(done, [_ended(done)], code=0 if is_fired else exit_code("conflict"))


@command("instar schedules history morning --limit 5")
@_SCHEDULE
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Slots to list.")
@click.option("--before", default="", metavar="TIME", help="Only slots before this one.")
def history(session: Session, schedule: str, *, limit: int, before: str) -> Answer:
    """List what became of a schedule's slots.

    SCHEDULE is an id, or the name of one schedule.
    """
    found = session.invoke("schedules.history", schedule_id=_id(session, schedule), limit=limit, before=before)
    rows = [
        (slot["at"], slot["state"], "by hand" if slot.get("is_manual") else "", slot.get("reason", ""))
        for slot in found["slots"]
    ]
    lines = table(("SLOT", "STATE", "", "REASON"), rows, empty="No slot has ended yet.")
    return Answer(found, lines, found["slots"])


def _timing(cron: str, zone: str, every: float | None, at: str) -> dict[str, object] | None:
    """Return what the options say of when, if they do.

    Raises:
        HubError: `usage` when they contradict each other.
    """
    if (bool(cron), every is not None, bool(at)).count(True) > 1 or (zone and not (cron or at)):
        raise HubError("usage", "the times contradict each other", hint="Use one of --cron, --every and --at.")
    if cron:
        return {"kind": "cron", "expression": cron, "time_zone": zone or "UTC"}
    if every is not None:
        return {"kind": "every", "seconds": every}
    return {"kind": "at", "time": _in_zone(at, zone)} if at else None


def _in_zone(time: str, zone: str) -> str:
    """Return a time with the offset that it has in the zone, unless it has one or none is named."""
    if not zone:
        return time
    try:
        moment = datetime.fromisoformat(time)
        return time if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone)).isoformat()
    except (ValueError, KeyError, OSError):
        raise HubError("usage", f"{time!r} in {zone!r} is no time", hint="Write 2026-12-01T09:00.") from None


def _fields(given: dict[str, object]) -> dict[str, object]:
    """Return options under the names of the operation's fields."""
    return {"lateness_s" if name == "lateness" else name: value for name, value in given.items()}


def _room(session: Session, target: Place) -> str:
    if target.kind == "agent":
        return f"dm:{open_dm(session, target.id)['id']}"
    session.seek(target.kind, target.id)
    return target.key


def _id(session: Session, schedule: str) -> str:
    """Return the id of the schedule with this id or name."""
    known: list[dict[str, Any]] = session.invoke("schedules.list")["schedules"]
    if any(entry["id"] == schedule for entry in known):
        return schedule
    named = [str(entry["id"]) for entry in known if entry["name"] == schedule]
    if len(named) == 1:
        return named[0]
    if named:
        raise HubError(
            "conflict", f"{len(named)} schedules are named {schedule!r}", hint=f"Use an id: {', '.join(named)}"
        )
    near = nearest(schedule, {str(entry["name"]) for entry in known})
    hint = f"Did you mean {' or '.join(near)}?" if near else "See: instar schedules list"
    raise HubError("not_found", f"there is no schedule {schedule!r}", hint=hint)


def _row(schedule: dict[str, Any]) -> Sequence[object]:
    last = schedule.get("last")
    came = f"{last['state']} {relative(last['recorded_at'])}" if last else "-"
    return schedule["id"], schedule["name"], _when(schedule["timing"]), schedule["room"], _next(schedule), came


def _when(timing: dict[str, Any]) -> str:
    if timing["kind"] == "cron":
        return f"{timing['expression']} {timing.get('time_zone', 'UTC')}"
    return f"every {spelt(timing['seconds'])}" if timing["kind"] == "every" else str(timing["time"])


def _next(schedule: dict[str, Any]) -> str:
    if schedule.get("fault"):
        return visible(schedule["fault"])
    if schedule.get("is_paused"):
        return "paused"
    return relative(schedule["next_at"]) if schedule.get("next_at") else "never again"


def _ended(slot: dict[str, Any] | None) -> str:
    if slot is None:
        return ""
    why = f": {visible(slot['reason'])}" if slot.get("reason") else ""
    return f"{slot['state']} {relative(slot['recorded_at'])}{why}"


COMMAND = Group(
    "schedules",
    "Schedules: list, show, create, update, pause, run, history",
    examples=("instar schedules list",),
    default="list",
    commands=[list_, show, create, update, remove, pause, resume, run, history],
)
