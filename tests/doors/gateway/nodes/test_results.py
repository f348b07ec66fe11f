"""What nodes answer, as outcomes: every shape that a hostile node may make up ends in one."""

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instar.doors.gateway.nodes.results import answered, failed, found, ran
from instar.doors.gateway.nodes.telemetry import in_moltis, in_openclaw, of_moltis, of_openclaw
from instar.wire.execution import Ended
from instar.wire.gateway.invocations import Answer
from instar.wire.nodes import Provider

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = ("stdout", "stderr", "exitCode", "timedOut", "success", "error", "base64", "bins", "mem", "disk", "cpuCount")
SHAPED = ANYTHING | st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=6)


def test_a_program_that_ended() -> None:
    done = ran({"exitCode": 3, "stdout": "a", "stderr": "b", "timedOut": False, "success": False}, "system.run")
    assert (done.ended, done.exit_status, done.stdout, done.stderr) == (Ended.DONE, 3, b"a", b"b")
    assert ran({"exitCode": 0}, "system.run").exit_status == 0


@pytest.mark.parametrize(
    ("payload", "ended", "code"),
    [
        ({"exitCode": None, "timedOut": True, "stdout": "so far"}, Ended.EXPIRED, "timeout"),
        ({"exitCode": None, "success": False, "stdout": ""}, Ended.FAILED, "bad_gateway"),
        ({"error": "SYSTEM_RUN_DENIED: approval required"}, Ended.FAILED, "command_refused"),
        ({"exitCode": True, "stdout": ""}, Ended.FAILED, "bad_gateway"),
        ({"exitCode": 0, "stdout": 7}, Ended.FAILED, "bad_gateway"),
        ({"anything": "else"}, Ended.FAILED, "bad_gateway"),
        ("ok", Ended.FAILED, "bad_gateway"),
        (None, Ended.FAILED, "bad_gateway"),
    ],
)
def test_what_is_no_end_of_a_program(payload: Any, ended: Ended, code: str) -> None:
    done = ran(payload, "system.run")
    assert (done.ended, done.code) == (ended, code)


def test_bytes_become_output() -> None:
    content = bytes(range(256))
    payload = {"format": "jpg", "width": 4, "base64": base64.b64encode(content).decode()}
    done = answered(payload, "camera.snap")
    assert (done.stdout, done.result) == (content, {"format": "jpg", "width": 4})
    assert answered({"base64": "no base64!"}, "camera.snap").code == "bad_gateway"
    assert answered({"lat": 1.5}, "location.get").result == {"lat": 1.5}
    assert answered("text", "canvas.eval").result == "text"


def test_where_programs_are() -> None:
    assert found({"bins": {"sh": "/bin/sh", "x": 7}}, ["sh", "x", "y"]).result == {
        "paths": {"sh": "/bin/sh", "x": "", "y": ""}
    }


@pytest.mark.parametrize(
    ("code", "message", "ours", "ended"),
    [
        ("TIMEOUT", "", "timeout", Ended.EXPIRED),
        ("NOT_CONNECTED", "", "node_away", Ended.FAILED),
        ("CAMERA_PERMISSION_REQUIRED", "grant it", "command_refused", Ended.FAILED),
        ("UNAVAILABLE", "SYSTEM_RUN_DISABLED: security=deny", "command_refused", Ended.FAILED),
        ("INVALID_REQUEST", "facing must be front", "unprocessable_entity", Ended.FAILED),
        ("NODE_BACKGROUND_UNAVAILABLE", "in the background", "bad_gateway", Ended.FAILED),
    ],
)
def test_failures(code: str, message: str, ours: str, ended: Ended) -> None:
    done = failed(Answer(False, code=code, message=message))
    assert (done.code, done.ended) == (ours, ended)
    assert done.message.startswith(code)


def test_a_failure_shows_no_control_characters_and_not_without_end() -> None:
    done = failed(Answer(False, code="X", message="\x1b[2J\u202eevil" + "a" * 9_000))
    assert "\x1b" not in done.message
    assert "\u202e" not in done.message
    assert len(done.message) < 2_100


@settings(deadline=None, max_examples=150)
@given(SHAPED)
def test_whatever_a_node_makes_up(payload: Any) -> None:
    for done in (ran(payload, "c"), answered(payload, "c"), found(payload, ["sh"])):
        assert done.ended in Ended
    for telemetry in (of_moltis(payload, []), of_openclaw(payload)):
        assert telemetry.cpu_count >= 0
        assert telemetry.memory_total_bytes >= 0


def test_telemetry_of_moltis() -> None:
    told = of_moltis(
        {
            "nodeId": "somebody-else", "mem": {"total": 8, "available": 3}, "cpuCount": 4, "cpuUsage": 12.5,
            "uptime": 99, "services": [], "disk": {"total": 100, "available": 40}, "runtimes": ["python3", 7],
        },
        [Provider("ollama", ["llama"])],
    )  # fmt: skip
    assert (told.memory_total_bytes, told.cpu_count, told.cpu_percent, told.uptime_s) == (8, 4, 12.5, 99.0)
    assert [one.name for one in told.runtimes] == ["python3"]
    assert in_moltis(told, is_stale=True) == {
        "memTotal": 8, "memAvailable": 3, "cpuCount": 4, "cpuUsage": 12.5, "uptimeSecs": 99, "services": [],
        "diskTotal": 100, "diskAvailable": 40, "runtimes": ["python3"], "stale": True,
    }  # fmt: skip


def test_telemetry_of_openclaw() -> None:
    payload = {"cpuCount": 2, "loadAverage": [1, 2, 3], "memoryTotalBytes": 10, "memoryFreeBytes": 4}
    told = in_openclaw(of_openclaw(payload), 7)
    assert told == payload | {"loadAverage": [1.0, 2.0, 3.0], "updatedAtMs": 7}
    assert in_openclaw(of_openclaw({}), 7) is None
