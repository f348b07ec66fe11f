"""What a command of the dialects asks for, before the gate sees it."""

from types import SimpleNamespace
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.doors.gateway.node_calls import (
    Carried,
    Wanted,
    failure_of,
    moltis_payload_of,
    output,
    payload_of,
    wanted_of,
)
from instar.wire.calls import Call, CallError, CallState
from instar.wire.execution import StreamEnd
from instar.wire.gateway.method import Generation


def test_a_program_is_the_hubs_own_tool() -> None:
    params = {"command": ["ls", "-l"], "cwd": "/tmp", "env": {"LANG": "C"}, "timeoutMs": 1_500, "agentId": "x"}
    assert wanted_of("system.run", params) == Wanted("exec", {"argv": ["ls", "-l"]}, "/tmp", {"LANG": "C"}, 1.5)
    assert wanted_of("system.run", {"command": "ls | wc"}) == Wanted("shell", {"command": "ls | wc"})
    assert wanted_of("system.which", {"bins": ["a"]}) == Wanted("which", {"names": ["a"]})
    assert wanted_of("system.which", {"binary": "a"}) == Wanted("which", {"names": ["a"]})
    assert wanted_of("camera.snap", None) == Wanted("camera.snap")


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["ls", "-l"], "ls -l"),
        (["sh", "-c", "echo hi; id"], "echo hi; id"),
        (["say", "a b", 'c"d', ""], 'say "a b" "c\\"d" ""'),
        (["ls"], None),
    ],
)
def test_what_is_shown_and_what_runs_are_one(argv: list[str], shown: str | None) -> None:
    params = {"command": argv, "rawCommand": shown}
    assert wanted_of("system.run", params).args == {"argv": argv}


@pytest.mark.parametrize(
    "params",
    [
        {"command": ["rm", "-rf", "/"], "rawCommand": "ls"},
        {"command": ["sh", "-c", "id"], "rawCommand": "id; ls"},
        {"command": []},
        {"command": 7},
        {"command": ["a", 7]},
        {},
        [],
        "ls",
    ],
)
def test_what_is_not_is_refused(params: Any) -> None:
    with pytest.raises(InstarError) as refusal:
        wanted_of("system.run", params)
    assert refusal.value.code == "bad_request"


@pytest.mark.parametrize("command", ["system.run.prepare", "system.providers"])
def test_what_the_hub_asks_by_itself_nobody_else_does(command: str) -> None:
    with pytest.raises(InstarError, match="node command not allowed"):
        wanted_of(command, {})


def ended(tool: str, state: CallState, stdout: bytes = b"", **more: Any) -> Carried:
    return Carried(Call("call_1", tool, state, "", "p", **more), stdout, b"")


def test_results_in_the_dialects_words() -> None:
    done = ended("exec", CallState.DONE, b"hi\n", exit_status=3)
    assert payload_of(done) == {"exitCode": 3, "timedOut": False, "success": False, "stdout": "hi\n", "stderr": ""}
    assert moltis_payload_of(done, Wanted("exec")) == {"stdout": "hi\n", "stderr": "", "exitCode": 3}
    killed = ended("shell", CallState.DONE, signal="KILL")
    assert moltis_payload_of(killed, Wanted("shell"))["exitCode"] == -1
    late = ended("exec", CallState.EXPIRED, b"so far", error=CallError("timeout", "its time was over"))
    assert failure_of(late) is None
    assert (payload_of(late)["timedOut"], payload_of(late)["stdout"]) == (True, "so far")
    where = ended("which", CallState.DONE, result={"paths": {"a": "/bin/a", "b": ""}})
    assert payload_of(where) == {"bins": {"a": "/bin/a"}}
    assert moltis_payload_of(where, Wanted("which", {"names": ["b"]})) == {"found": False, "path": None}
    picture = ended("camera.snap", CallState.DONE, b"\xff\x00", result={"format": "jpg"})
    assert payload_of(picture) == {"format": "jpg", "base64": "/wA="}
    assert payload_of(ended("location.get", CallState.DONE, result={"lat": 1})) == {"lat": 1}


def test_why_there_is_none() -> None:
    error = CallError("command_refused", "CAMERA_DISABLED: enable Camera in Settings")
    failure = failure_of(ended("camera.snap", CallState.FAILED, error=error))
    assert failure is not None
    assert failure.detail["nodeError"] == {"code": "CAMERA_DISABLED", "message": "enable Camera in Settings"}
    plain = failure_of(ended("camera.snap", CallState.LOST))
    assert plain is not None
    assert (plain.code, "nodeError" in plain.detail) == ("node_away", False)
    denied = failure_of(ended("exec", CallState.FAILED, error=CallError("denied", "not today")))
    assert denied is not None
    assert (denied.code, denied.message) == ("denied", "not today")


async def test_output_that_cannot_be_read_is_an_error_of_the_dialect_and_no_silence() -> None:
    async def watch_call(caller: Any, call_id: str, watcher: Any, offsets: Any) -> Any:
        watcher.output(1, 0, b"so far")
        watcher.failed(InstarError("output_gone", "its file was removed"))
        return SimpleNamespace(allow=lambda *_: None, close=lambda: None)

    call: Any = SimpleNamespace(generation=Generation.V4, hub=SimpleNamespace(watch_call=watch_call), caller=None)
    asked = Call("call_1", "exec", CallState.DONE, "2026-01-01T00:00:00Z", "operator", streams=[StreamEnd(1, 9)])
    with pytest.raises(InstarError) as refusal:
        await output(call, asked)
    assert refusal.value.code == "output_gone"
