"""Schedules from the command line: how times are said, and what is answered when something is in the way."""

import pytest

from .conftest import Cli, Hub


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--cron", "0 9 * * 1-5"), {"kind": "cron", "expression": "0 9 * * 1-5", "time_zone": "UTC"}),
        (
            ("--cron", "30 2 * * *", "--zone", "Europe/Berlin"),
            {"kind": "cron", "expression": "30 2 * * *", "time_zone": "Europe/Berlin"},
        ),
        (("--at", "2100-12-01T09:00"), {"kind": "at", "time": "2100-12-01T09:00"}),
        (("--at", "2100-12-01T09:00+02:00"), {"kind": "at", "time": "2100-12-01T09:00+02:00"}),
        (
            ("--at", "2100-12-01T09:00", "--zone", "Europe/Berlin"),
            {"kind": "at", "time": "2100-12-01T09:00:00+01:00"},
        ),
    ],
)
def test_a_time_is_said_in_one_of_three_ways(cli: Cli, options: tuple[str, ...], expected: dict[str, str]):
    made = cli("schedules", "create", "timed", "general", "now", *options, "--json").document
    # What is the default is left out of answers.
    assert {"time_zone": "UTC", **made["timing"]} == {"time_zone": "UTC", **expected}
    cli("schedules", "remove", made["id"], "--yes")


def test_an_interval_begins_now(cli: Cli):
    made = cli("schedules", "create", "quarter", "general", "now", "--every", "15m", "--json").document
    assert (made["timing"]["seconds"], made["timing"]["anchor"]) == (900, made["created_at"])
    done = cli("schedules", "list")
    assert "quarter  every 15m" in done.out
    assert "in 14 min" in done.out or "in 15 min" in done.out
    cli("schedules", "remove", "quarter", "--yes")


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ((), "not said when"),
        (("--cron", "* * * * *", "--every", "1h"), "contradict"),
        (("--every", "1h", "--zone", "UTC"), "contradict"),
        (("--at", "noon", "--zone", "UTC"), "is no time"),
        (("--every", "1"), "no duration"),
        (("--at", "2001-01-01T00:00"), "has passed"),
        (("--cron", "0 9 * *"), "wrong number of fields"),
        (("--cron", "* * * * *", "--zone", "Mars/Base"), "no time zone"),
        (("--every", "1h", "--agent", "nobody"), "no agent"),
    ],
)
def test_what_cannot_be_is_refused_with_its_cause(cli: Cli, options: tuple[str, ...], cause: str):
    done = cli("schedules", "create", "wrong", "general", "now", *options)
    assert done.code == 2
    assert cause in done.err


def test_the_life_of_a_schedule(cli: Cli, hub: Hub):
    hub.ensure("rooms.create", id="office")
    assert cli("schedules", "create", "tea", "office", "Tea is ready", "--cron", "0 16 * * *", "--once").code == 0
    assert "paused" not in cli("schedules", "show", "tea").out
    cli("schedules", "pause", "tea")
    assert "paused" in cli("schedules", "list").out
    assert "goes on: in" in cli("schedules", "resume", "tea").out
    changed = cli("schedules", "update", "tea", "--text", "Coffee", "--no-once", "--lateness", "10m", "--json").document
    assert (changed["text"], changed["lateness_s"], changed.get("is_once", False)) == ("Coffee", 600, False)
    stale = cli("schedules", "update", "tea", "--text", "Water", "--revision", "1")
    assert (stale.code != 0, "revision" in stale.err) == (True, True)
    assert cli("schedules", "run", "tea").out.startswith("fired 0 s ago")
    assert "Coffee" in cli("read", "office").out
    assert "by hand" in cli("schedules", "history", "tea").out
    assert cli("schedules", "remove", "tea").code != 0, "nobody can be asked"
    assert cli("schedules", "remove", "tea", "--yes").code == 0
    gone = cli("schedules", "show", "tee")
    assert gone.code != 0


def test_what_is_in_the_way_of_a_run_is_its_answer(cli: Cli, hub: Hub):
    hub.ensure("rooms.create", id="attic")
    cli("schedules", "create", "ghost", "attic", "boo", "--every", "1d")
    cli("rooms", "remove", "attic", "--yes")
    done = cli("schedules", "run", "ghost")
    assert (done.code != 0, done.out.strip()) == (True, "missed 0 s ago: there is no room:attic any more")
    assert "there is no room:attic any more" in cli("schedules", "show", "ghost").out
    cli("schedules", "remove", "ghost", "--yes")


def test_two_of_one_name_are_told_apart_by_id(cli: Cli):
    ids = [
        cli("schedules", "create", "twin", "@guide", "hi", "--every", "1d", "--json").document["id"] for _ in range(2)
    ]
    done = cli("schedules", "show", "twin")
    assert done.code != 0
    assert all(schedule_id in done.err for schedule_id in ids)
    near = cli("schedules", "show", "twinn")
    assert "Did you mean twin?" in near.err
    for schedule_id in ids:
        assert cli("schedules", "remove", schedule_id, "--yes").code == 0
