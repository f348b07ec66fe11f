"""The line to one connected node of a dialect: a command goes out as an event, and its answer comes as a request."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import msgspec

from instar.base.errors import InstarError
from instar.wire.gateway.invocations import Answer, Invocations, Taken
from instar.wire.gateway.method import Generation

Progress = Callable[[str], None]
Send = Callable[[str, dict[str, Any]], bool]
"""Sends an event to the node alone; False: it has gone."""

REQUEST = "node.invoke.request"
CANCEL = "node.invoke.cancel"


class NodeLine:
    """What is asked of one node over one socket.

    Args:
        node_id: As the node calls itself.
        generation: What it speaks.
        send: Sends it an event.
    """

    def __init__(self, node_id: str, generation: Generation, send: Send) -> None:
        self.node_id = node_id
        self.generation = generation
        self._send = send
        self._invocations = Invocations(node_id)
        self._waiting: dict[str, tuple[asyncio.Future[Answer], Progress | None]] = {}
        self._gone = ""

    def __len__(self) -> int:
        return len(self._waiting)

    async def invoke(
        self,
        command: str,
        params: object,
        *,
        within_s: float,
        key: str = "",
        progress: Progress | None = None,
    ) -> Answer:
        """Ask the node for a command and return its answer.

        Args:
            command: In the dialect's words.
            params: JSON object.
            within_s: How long the answer may take.
            key: What makes a repeat one, for nodes that remember.
            progress: Takes text that comes while the command runs.

        Raises:
            InstarError: `node_away` when the node is gone or goes before it answers; `timeout` when it does not answer.
        """
        if self._gone:
            raise self._away()
        invoke_id = f"inv_{secrets.token_hex(12)}"
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._invocations.begin(invoke_id)
        self._waiting[invoke_id] = (future, progress)
        try:
            if not self._send(REQUEST, self._request(invoke_id, command, params, within_s, key)):
                raise self._away()
            async with asyncio.timeout(within_s):
                return await future
        except TimeoutError:
            raise InstarError(
                "timeout", f"the node did not answer {command} within {within_s:g} s", detail={"command": command}
            ) from None
        finally:
            if not future.done() or future.cancelled():
                self._cancel(invoke_id)
            self._invocations.end(invoke_id)
            self._waiting.pop(invoke_id, None)

    def answered(self, invoke_id: str, answer: Answer, node_id: str = "") -> Taken:
        """Take the node's answer.

        Raises:
            InstarError: `bad_request` when it is given in the name of another node.
        """
        taken = self._invocations.answered(invoke_id, node_id)
        future, _ = self._waiting.get(invoke_id, (None, None))
        if taken is Taken.TAKEN and future is not None and not future.done():
            future.set_result(answer)
        return taken

    def progressed(self, invoke_id: str, seq: int, chunk: str, node_id: str = "") -> None:
        """Take text that a running command wrote.

        Raises:
            InstarError: `bad_request` as `Invocations.progressed` says.
        """
        _, progress = self._waiting.get(invoke_id, (None, None))
        for text in self._invocations.progressed(invoke_id, seq, chunk, node_id):
            if progress is not None:
                progress(text)

    def fail_only(self, answer: Answer) -> None:
        """Take a failure as the answer of the one command that runs, when something unreadable came in its place."""
        if len(self._waiting) == 1:
            [invoke_id] = self._waiting
            self.answered(invoke_id, answer)

    def close(self, reason: str) -> None:
        """End every wait: the node is gone."""
        self._gone = reason or "the node went away"
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_exception(self._away())

    def _away(self) -> InstarError:
        return InstarError("node_away", self._gone or "the node went away")

    def _cancel(self, invoke_id: str) -> None:
        """Tell a node that can hear it that nobody waits any more; a Moltis node and generation 3 know no such word."""
        if self.generation is Generation.V4 and not self._gone:
            self._send(CANCEL, {"invokeId": invoke_id, "nodeId": self.node_id})

    def _request(self, invoke_id: str, command: str, params: object, within_s: float, key: str) -> dict[str, Any]:
        if self.generation is Generation.MOLTIS:
            return {"invokeId": invoke_id, "command": command, "args": params}
        return {
            "id": invoke_id,
            "nodeId": self.node_id,
            "command": command,
            "paramsJSON": msgspec.json.encode(params).decode(),
            "timeoutMs": round(within_s * 1_000),
            "idempotencyKey": key or invoke_id,
        }
