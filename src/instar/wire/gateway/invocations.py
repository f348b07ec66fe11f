"""What one connected node was asked and has yet to answer, without IO. Nothing here is another connection's.

A node answers what it was asked on its own socket, once; whatever else it says is ignored and told so.
"""

import enum
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from instar.base.errors import InstarError
from instar.wire.limits import GATEWAY_PROGRESS_AHEAD_MAX
from instar.wire.machine import UNREADABLE


class Answer(NamedTuple):
    """What a node answered."""

    is_ok: bool
    payload: Any = None
    """JSON value."""
    code: str = ""
    message: str = ""


class Taken(enum.Enum):
    """What became of something that a node said of an invocation."""

    TAKEN = enum.auto()
    IGNORED = enum.auto()
    """It is over, was never asked, or was said before."""


class _Asked:
    __slots__ = ("ahead", "next_seq")

    def __init__(self) -> None:
        self.next_seq = 0
        self.ahead: dict[int, str] = {}


class Invocations:
    """What is under way on one connection.

    Args:
        node_id: As the node calls itself; what it says in another's name is refused.
    """

    def __init__(self, node_id: str) -> None:
        self._node_id = node_id
        self._asked: dict[str, _Asked] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def begin(self, invoke_id: str) -> None:
        """Await an answer. To be called before the request is sent, so that no answer is too fast."""
        self._asked[invoke_id] = _Asked()

    def end(self, invoke_id: str) -> None:
        """Await it no longer; what comes still is ignored."""
        self._asked.pop(invoke_id, None)

    def answered(self, invoke_id: str, node_id: str = "") -> Taken:
        """Take the answer of an invocation; the first one counts.

        Raises:
            InstarError: `bad_request` when it is given in the name of another node.
        """
        self._check(node_id)
        return Taken.IGNORED if self._asked.pop(invoke_id, None) is None else Taken.TAKEN

    def progressed(self, invoke_id: str, seq: int, chunk: str, node_id: str = "") -> list[str]:
        """Return the text that is now complete up to a chunk, in order; a repeat adds nothing.

        Raises:
            InstarError: `bad_request` in the name of another node, or for a chunk that is too far ahead of the others.
        """
        self._check(node_id)
        asked = self._asked.get(invoke_id)
        if asked is None or seq < asked.next_seq:
            return []
        if seq - asked.next_seq > GATEWAY_PROGRESS_AHEAD_MAX:
            raise InstarError("bad_request", f"chunk {seq} came before chunk {asked.next_seq}")
        asked.ahead[seq] = chunk
        complete: list[str] = []
        while asked.next_seq in asked.ahead:
            complete.append(asked.ahead.pop(asked.next_seq))
            asked.next_seq += 1
        return complete

    def pending(self) -> list[str]:
        """Return the ids of what is awaited, oldest first."""
        return list(self._asked)

    def _check(self, node_id: str) -> None:
        if node_id and node_id != self._node_id:
            raise InstarError("bad_request", "nodeId mismatch")


def answer_of(*, is_ok: bool, payload: Any, payload_json: str | None, error: Mapping[str, str] | None) -> Answer:  # noqa: ANN401 - any JSON value
    """Return what an OpenClaw node answered; `payload_json` is JSON in a string, and wins.

    Raises:
        InstarError: `bad_request` when that string is no JSON.
    """
    if not is_ok:
        named = error or {}
        return Answer(False, code=named.get("code", "") or "UNAVAILABLE", message=named.get("message", ""))
    return Answer(True, payload if payload_json is None else parsed(payload_json))


def parsed(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of JSON in a string.

    Raises:
        InstarError: `bad_request` when it is none.
    """
    try:
        return msgspec.json.decode(text)
    except UNREADABLE as error:
        raise InstarError("bad_request", f"payloadJSON is no JSON: {str(error)[:200]}") from None


def moltis_answer(result: Any) -> Answer:  # noqa: ANN401 - any JSON value
    """Return what a Moltis node answered: an object with an `error` text, and without output, is a failure."""
    if isinstance(result, dict):
        error: Any = result.get("error")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if isinstance(error, str) and "stdout" not in result:
            return Answer(False, code="UNAVAILABLE", message=error)
    return Answer(True, result)
