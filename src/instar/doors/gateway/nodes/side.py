"""A connected node as its socket has it: its line, what carries calls out on it, and what it says by itself."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.hub.operations.hub import Caller, Hub, NodeSession
from instar.wire.execution import Declaration
from instar.wire.gateway.commands import PROVIDERS
from instar.wire.gateway.connect import Introduction
from instar.wire.gateway.invocations import Answer
from instar.wire.gateway.method import Generation
from instar.wire.nodes import Provider, Telemetry

from .declaring import declaration_of
from .executor import DialectExecutor
from .line import NodeLine, Send
from .moltis import MoltisExecutor
from .openclaw import OpenClawExecutor
from .telemetry import of_moltis, of_openclaw

TOO_LARGE = Answer(False, code="PAYLOAD_TOO_LARGE", message="the node's answer was larger than its dialect's frames")


class NodeSide:
    """One connected node.

    Args:
        who: What it said of itself.
        node_id: As it calls itself.
        send: Sends it an event.
        tasks: The parent of calls under way.
    """

    def __init__(self, who: Introduction, node_id: str, send: Send, tasks: TaskScope) -> None:
        self.node_id = node_id
        self.generation = who.generation
        self.line = NodeLine(node_id, who.generation, self._tell)
        self._send = send
        self._waiting: list[tuple[str, dict[str, Any]]] | None = []
        # No secret is kept for as long as the connection lives.
        self._who = replace(who, token="", password="", device_token="", bootstrap_token="", device=None)
        self._tasks = tasks
        self._session: NodeSession | None = None
        self._executor: DialectExecutor | None = None
        self._providers: list[Provider] = []
        self._early: Telemetry | None = None
        self._closed = ""

    async def serve(
        self, hub: Hub, caller: Caller, address: str, end: Callable[[str, str], None]
    ) -> InstarError | None:
        """Let the hub know the node, which may be asked for calls from here on, as far as its permit goes.

        Return what the hub has against it.
        """
        who = self._who
        dialect = "moltis" if who.generation is Generation.MOLTIS else "openclaw"
        try:
            session = await hub.serve_foreign_node(
                caller, declaration_of(who), self._made, dialect=dialect, address=address, end=end
            )
        except InstarError as error:
            return error
        self._session = session
        if self._closed:
            session.closed(self._closed)
        return None

    def greeted(self) -> None:
        """The node was told that it is in: what waited for that goes out."""
        waiting, self._waiting = self._waiting or [], None
        for event, payload in waiting:
            self._send(event, payload)
        if isinstance(self._executor, MoltisExecutor) and PROVIDERS in self._who.commands:
            self._tasks.start("gateway node providers", self._ask_providers(self._executor))

    def _tell(self, event: str, payload: dict[str, Any]) -> bool:
        """Send the node an event; what comes before its `hello-ok` waits for it."""
        if self._waiting is None:
            return self._send(event, payload)
        self._waiting.append((event, payload))
        return not self._closed

    def close(self, reason: str) -> None:
        """The socket has gone."""
        self._closed = reason
        self.line.close(reason)
        if self._session is not None:
            self._session.closed(reason)

    def overran(self) -> None:
        """A frame of the node was too large and was dropped: if one command runs, that was its answer."""
        self.line.fail_only(TOO_LARGE)

    def reported(self, payload: object) -> None:
        """Take what the node says of its machine."""
        if self.generation is Generation.MOLTIS:
            self._early = of_moltis(payload, self._providers)
        else:
            self._early = of_openclaw(payload)
        if self._session is not None:
            self._session.reported(self._early)

    def runs(self, run_id: str) -> bool:
        """Whether the hub has this call under way here."""
        return self._executor is not None and self._executor.has(run_id)

    def _made(self, node_id: str, declaration: Declaration) -> DialectExecutor:
        who, tools = self._who, declaration.commands
        if who.generation is Generation.MOLTIS:
            self._executor = MoltisExecutor(node_id, self.line, tools, self._tasks)
        else:
            self._executor = OpenClawExecutor(node_id, self.line, tools, who.commands, who.platform, self._tasks)
        return self._executor

    async def _ask_providers(self, executor: MoltisExecutor) -> None:
        """Ask which providers of models the node reaches: once, as it answers nothing else meanwhile."""
        try:
            self._providers = await executor.providers()
        except InstarError:
            # Who does not answer has none to show; its calls will say that it does not answer.
            return
        self._early = replace(self._early or Telemetry(), providers=self._providers)
        if self._session is not None:
            self._session.reported(self._early)
