"""Exit codes of calls."""

import signal
from typing import Any

import pytest

from instar.cli.execution import ends


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ({"state": "done", "exit_status": 0}, 0),
        ({"state": "done"}, 0),
        ({"state": "done", "exit_status": 3}, 3),
        ({"state": "done", "signal": "KILL"}, 137),
        ({"state": "done", "signal": "SIGTERM"}, 143),
        ({"state": "failed", "error": {"code": "denied"}}, 126),
        ({"state": "failed", "error": {"code": "command_refused"}}, 126),
        ({"state": "failed", "error": {"code": "not_found"}}, 127),
        ({"state": "failed", "error": {"code": "node_away"}}, 125),
        ({"state": "cancelled"}, 125),
        ({"state": "expired"}, 124),
        ({"state": "lost"}, 125),
    ],
)
def test_exit_codes(call: dict[str, Any], code: int):
    assert ends.exit_code(call) == code


def test_a_call_that_was_cancelled_from_here_ends_as_by_that_signal():
    assert ends.exit_code({"state": "cancelled"}, signal.SIGINT) == 130
    assert ends.exit_code({"state": "cancelled"}, signal.SIGTERM) == 143
    assert ends.exit_code({"state": "done", "exit_status": 5}, signal.SIGINT) == 5


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"state": "done", "exit_status": 1}, ""),
        ({"state": "done", "signal": "KILL"}, "SIGKILL"),
        ({"state": "failed", "error": {"code": "node_away", "message": "it is away", "hint": "Start it"}}, "Start it"),
        ({"state": "failed", "error": {"code": "denied", "message": "no."}}, "It did not run: no."),
        ({"state": "cancelled"}, "cancelled"),
        ({"state": "expired", "has_run": True}, "It was stopped"),
        ({"state": "expired"}, "It never ran"),
        ({"state": "lost", "id": "call_1", "target_name": "attic"}, "instar calls show call_1"),
    ],
)  # fmt: skip
def test_what_a_person_is_told(call: dict[str, Any], said: str):
    text = "\n".join(ends.told(call))
    assert said in text
    assert bool(text) is bool(said)


def test_names_of_signals():
    assert ends.number("INT") == ends.number("SIGINT") == signal.SIGINT
    assert ends.number("NONSENSE") == 0


def test_what_a_machine_says_does_not_steer_the_terminal():
    error = {"code": "internal_error", "message": "\x1b[2Jgone", "hint": "\x1b]0;mine\x07"}
    assert "\x1b" not in "".join(ends.told({"id": "c", "state": "failed", "target_name": "\x1b[1m", "error": error}))
