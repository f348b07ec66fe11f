"""How a call ended, as an exit code."""

import signal
from typing import Any

from instar.cli.texts import visible

TIMED_OUT = 124
"""Its time was over."""
NOT_RUN = 125
"""The hub or the node could not run it, or nobody can say how it ended."""
NOT_ALLOWED = 126
"""Rules, a person or the node's permit said no."""
NOT_FOUND = 127
"""The machine has no such program."""
INTERRUPTED = 130
"""Left or cancelled by Ctrl-C."""
_BY_SIGNAL = 128
_OF_CODE = {
    **dict.fromkeys(("denied", "command_refused", "outside_roots", "forbidden"), NOT_ALLOWED),
    "not_found": NOT_FOUND,
}


def number(name: str) -> int:
    """Return the number of a signal by its name (`KILL`, `SIGKILL`), 0 for one that this machine does not know."""
    try:
        return signal.Signals["SIG" + name.upper().removeprefix("SIG")]
    except KeyError:
        return 0


def exit_code(call: dict[str, Any], interrupted_by: int = 0) -> int:
    """Return the command's own status, or what stands for why it has none.

    Args:
        call: The ended call.
        interrupted_by: The signal by which it was cancelled from here.
    """
    if call["state"] == "done":
        by = str(call.get("signal", ""))
        return _BY_SIGNAL + number(by) if by else int(call.get("exit_status") or 0)
    if call["state"] == "cancelled" and interrupted_by:
        return _BY_SIGNAL + interrupted_by
    if call["state"] == "expired":
        return TIMED_OUT
    return _OF_CODE.get(_error(call).get("code", ""), NOT_RUN)


def _error(call: dict[str, Any]) -> dict[str, str]:
    return call.get("error") or {}


def told(call: dict[str, Any]) -> list[str]:
    """Return what a person is told about an end that is not simply the command's."""
    error = {name: visible(text) for name, text in _error(call).items()}
    where = visible(call.get("target_name") or "the machine")
    match call["state"]:
        case "done" if call.get("signal"):
            return [f"It was ended by SIG{str(call['signal']).removeprefix('SIG')}."]
        case "done":
            return []
        case "cancelled":
            return ["It was cancelled."]
        case "expired":
            ran = "It was stopped" if call.get("has_run") else "It never ran"
            return [f"{ran}: its time was over."]
        case "lost":
            return [
                f"{where} was told to run it, and nobody can say how it ended.",
                f"  See: instar calls show {call['id']}",
            ]
        case _:
            said = (error.get("message") or "it failed").rstrip(".")
            return [
                f"It did not run: {said}.",
                *([f"  {error['hint']}"] if error.get("hint") else []),
                f"  Code: {error.get('code', '')}",
            ]
