"""What a dialect's node answered, as the outcome of a call: output, exit status, bytes, or why it failed."""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import msgspec

from instar.wire.execution import Ended
from instar.wire.gateway.invocations import Answer
from instar.wire.limits import PATH_MAX_CHARS

ERROR_TEXT_MAX_CHARS = 2_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_REFUSED = re.compile(r"SYSTEM_RUN_D|_DENIED|_DISABLED|_PERMISSION_REQUIRED|command not allowed")
_PRESSED = re.compile(r"UNSUPPORTED|INVALID_REQUEST")


class Done(NamedTuple):
    """How a command ended."""

    ended: Ended
    stdout: bytes = b""
    stderr: bytes = b""
    exit_status: int | None = None
    result: Any = None
    """JSON value, of a command that runs no program."""
    code: str = ""
    message: str = ""


def failed(answer: Answer) -> Done:
    """Return the failure that a node reports; the message begins with the dialect's code."""
    text = _CONTROL.sub("\ufffd", answer.message)[:ERROR_TEXT_MAX_CHARS]
    message = f"{answer.code[:64]}: {text}" if text else answer.code[:64]
    if answer.code == "TIMEOUT":
        return Done(Ended.EXPIRED, code="timeout", message=message)
    if answer.code == "NOT_CONNECTED":
        return Done(Ended.FAILED, code="node_away", message=message)
    if _REFUSED.search(message):
        return Done(Ended.FAILED, code="command_refused", message=message)
    code = "unprocessable_entity" if _PRESSED.search(answer.code) else "bad_gateway"
    return Done(Ended.FAILED, code=code, message=message)


def odd(command: str) -> Done:
    """Return the failure of a command whose answer is none that it can have."""
    return Done(Ended.FAILED, code="bad_gateway", message=f"the node's answer to {command} is not in its dialect")


def members(value: object) -> dict[str, Any]:
    """Return the members of a JSON object; of anything else, none."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return the items of a JSON array; of anything else, none."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def ran(payload: Any, command: str) -> Done:  # noqa: ANN401 - any JSON value
    """Return how a program ended: `{exitCode, timedOut, success, stdout, stderr, error}` of either dialect."""
    told = members(payload)
    stdout, stderr, status = (told.get(name) for name in ("stdout", "stderr", "exitCode"))
    stdout, stderr = ("" if text is None else text for text in (stdout, stderr))
    if not (told and isinstance(stdout, str) and isinstance(stderr, str)) or isinstance(status, bool):
        return odd(command)
    output = (stdout.encode(errors="replace"), stderr.encode(errors="replace"))
    if told.get("timedOut") is True:
        return Done(Ended.EXPIRED, *output, code="timeout", message="its time was over, as the node says")
    if isinstance(status, int):
        return Done(Ended.DONE, *output, exit_status=status)
    error = told.get("error")
    if isinstance(error, str) and error:
        return failed(Answer(False, code="UNAVAILABLE", message=error))._replace(stdout=output[0], stderr=output[1])
    told_so = "it ended without an exit status" if "success" in told else odd(command).message
    return Done(Ended.FAILED, *output, code="bad_gateway", message=told_so)


def answered(payload: Any, command: str) -> Done:  # noqa: ANN401 - any JSON value
    """Return what a command that runs no program answered; bytes in base64 become output, the rest stays beside it."""
    told = members(payload)
    if not isinstance(told.get("base64"), str):
        return Done(Ended.DONE, result=payload)
    rest = {name: value for name, value in told.items() if name != "base64"}
    try:
        content = base64.b64decode(told["base64"], validate=True)
    except (binascii.Error, ValueError):
        return odd(command)
    return Done(Ended.DONE, content, result=rest)


def found(payload: Any, names: Iterable[str]) -> Done:  # noqa: ANN401 - any JSON value
    """Return where programs are, as the tool `which` says it, of OpenClaw's `{bins: {name: path}}`."""
    known = members(members(payload).get("bins"))
    return Done(Ended.DONE, result={"paths": {name: _path(known.get(name)) for name in names}})


def _path(value: object) -> str:
    return value[:PATH_MAX_CHARS] if isinstance(value, str) else ""


def encoded(result: Any) -> msgspec.Raw | None:  # noqa: ANN401 - any JSON value
    """Return a result as the hub keeps it."""
    return None if result is None else msgspec.Raw(msgspec.json.encode(result))
