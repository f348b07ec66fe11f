"""A command line as the parameters of a call."""

import pytest

from instar.cli.execution.asked import Wish, asked
from instar.client.errors import HubError


def test_a_command_is_asked_for_as_it_was_typed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("instar.cli.execution.asked._is_piped", lambda: False)
    wish = Wish(("ls", "-l", "a b"), "", node="attic", room="room:general", cwd="/srv", env=("LANG=C", "A=b=c"))
    assert asked(wish) == {
        "tool": "exec", "args": {"argv": ["ls", "-l", "a b"]}, "target": "attic", "room": "room:general",
        "cwd": "/srv", "env": {"LANG": "C", "A": "b=c"},
    }  # fmt: skip


def test_a_line_is_for_a_shell(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "vt100")
    monkeypatch.setattr("instar.cli.execution.asked.tty.size", lambda: (30, 100))
    monkeypatch.setattr("instar.cli.execution.asked._is_piped", lambda: True)
    found = asked(Wish((), "a | b", has_terminal=True, limit_s=5.0, is_queued=True, sandbox="strict", agent="beta"))
    assert found == {
        "tool": "shell", "args": {"command": "a | b"}, "env": {"TERM": "vt100"}, "timeout_s": 5.0,
        "terminal": {"rows": 30, "columns": 100}, "has_input": True, "if_away": "queue", "sandbox": "strict",
        "agent_id": "beta",
    }  # fmt: skip


def test_a_job_in_the_background_has_no_input(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("instar.cli.execution.asked._is_piped", lambda: True)
    assert not Wish(("x",), "", is_background=True, is_interactive=True).has_input
    assert Wish(("x",), "").has_input


@pytest.mark.parametrize("pair", ["LANG", "=C", ""])
def test_a_variable_has_a_value(pair: str):
    with pytest.raises(HubError, match="is no variable"):
        asked(Wish(("x",), "", env=(pair,)))
