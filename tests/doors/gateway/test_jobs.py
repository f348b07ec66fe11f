import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.doors.gateway import jobs
from instar.wire import schedules as s
from instar.wire.gateway.method import Generation
from instar.wire.gateway.methods import cron as c

SECONDS = st.integers(1, 10**9).map(lambda number: number * 1_000)
SCHEDULES = st.one_of(
    SECONDS.map(lambda ms: c.AtSchedule(at_ms=ms)),
    st.builds(lambda every, anchor: c.EverySchedule(every_ms=every, anchor_ms=anchor), SECONDS, SECONDS),
    st.sampled_from(["0 9 * * *", "*/5 * * * *"]).map(lambda text: c.CronSchedule(expr=text, tz="Europe/Berlin")),
)


def schedule(timing: s.Timing, room: str = "session:agent:guide:main", **changes: object) -> s.Schedule:
    at = "2026-01-01T00:00:00Z"
    made = s.Schedule("sch_1", "tea", timing, room, "Tea", at, at, "local", agent_id="guide")
    return msgspec.structs.replace(made, **changes)


@given(SCHEDULES)
def test_a_time_comes_back_as_it_was_given(given_schedule: c.AtSchedule | c.EverySchedule | c.CronSchedule) -> None:
    shown = jobs.job_of(schedule(jobs.timing_of(given_schedule)), Generation.V3, "guide")["schedule"]
    match given_schedule:
        case c.AtSchedule(at_ms=ms):
            assert shown == {"kind": "at", "atMs": ms}
        case c.EverySchedule(every_ms=every, anchor_ms=anchor):
            assert shown == {"kind": "every", "everyMs": every, "anchorMs": anchor}
        case c.CronSchedule(expr=expr, tz=tz):
            assert shown == {"kind": "cron", "expr": expr, "tz": tz}


@pytest.mark.parametrize(
    ("room", "v3", "v4", "kind"),
    [
        ("session:agent:guide:main", "main", "main", "systemEvent"),
        ("session:agent:guide:cron:sch_1", "isolated", "isolated", "agentTurn"),
        ("session:agent:guide:notes", "isolated", "session:agent:guide:notes", "agentTurn"),
        ("room:general", "isolated", "session:agent:guide:instar:channel:general", "agentTurn"),
    ],
)
def test_where_a_job_speaks(room: str, v3: str, v4: str, kind: str) -> None:
    made = schedule(s.Every(60.0), room)
    old, new = (jobs.job_of(made, generation, "guide") for generation in (Generation.V3, Generation.V4))
    assert (old["sessionTarget"], new["sessionTarget"]) == (v3, v4)
    assert old["payload"]["kind"] == new["payload"]["kind"] == kind


def test_what_became_of_a_slot() -> None:
    fired = s.Slot("sch_1", "2026-01-01T00:00:00Z", s.SlotState.FIRED, "2026-01-01T00:00:01Z", "msg_1")
    missed = s.Slot("sch_1", "2026-01-01T00:00:00Z", s.SlotState.MISSED, "2026-01-01T00:00:01Z", reason="too late")
    tea = schedule(s.Every(60.0))
    assert jobs.run_of(fired, tea) | {"ts": 0} == {
        "ts": 0, "jobId": "sch_1", "action": "finished", "status": "ok", "runAtMs": 1767225600000, "durationMs": 1000,
        "runId": "msg_1", "summary": "Tea",
    }  # fmt: skip
    assert jobs.run_of(missed, tea)["error"] == "too late"
    state = jobs.job_of(schedule(s.Every(60.0), last=missed, is_paused=True), Generation.V4, "guide")["state"]
    assert (state["lastStatus"], state["lastError"], "nextRunAtMs" in state) == ("skipped", "too late", False)
