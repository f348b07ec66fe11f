"""One socket of the native link `instar.v1`: operations, events and signals over the machine of `wire.native`."""

import time
from collections.abc import Sequence

import msgspec

import instar
from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.doors.fed_session import FedSession
from instar.doors.heartbeat import Heartbeat
from instar.hub.operations.hub import Caller, Hub, Presence
from instar.wire.events import ReplayGap
from instar.wire.execution import Declaration
from instar.wire.frames import text_frame
from instar.wire.http import Connection
from instar.wire.native.actions import (
    Answered,
    End,
    Granted,
    Invoke,
    Open,
    Probe,
    Refused,
    Send,
    SendBytes,
    ServerAction,
    Told,
    Took,
)
from instar.wire.native.frames import SUBPROTOCOL, Gap, Hello, Op, Welcome
from instar.wire.native.machine import ServerMachine, State
from instar.wire.operation import Body
from instar.wire.presence import PresenceEntry
from instar.wire.table import TABLE

from .call_streams import CallStreams
from .node_link import NodeEnd
from .renderers import LinkRenderer
from .routes import decode

POLICY_VIOLATION = 1008
CLOSE_CODES = {"": 1000, "service_unavailable": 1012, "lagging": 1013, "timeout": 1008}
"""Close code of a link that ends, by the code of its end; a fault of the client's is a policy violation."""

_encode = msgspec.json.Encoder().encode
_DECODERS = {name: msgspec.json.Decoder(operation.params).decode for name, operation in TABLE.items()}


class LinkDoor:
    """What all links share."""

    __slots__ = ("heartbeat", "hub", "renderer", "tasks")

    def __init__(self, hub: Hub, heartbeat: Heartbeat, tasks: TaskScope) -> None:
        self.hub = hub
        self.heartbeat = heartbeat
        self.tasks = tasks
        self.renderer = LinkRenderer(hub.network.id)


class LinkSession(FedSession[ServerAction]):
    """A `wire.http.SocketSession` and the sink of its feed."""

    __slots__ = ("_address", "_caller", "_calls", "_door", "_early", "_machine", "_node", "_presence", "_request_id")

    def __init__(self, door: LinkDoor, caller: Caller, request_id: str, address: str = "") -> None:
        self._machine = ServerMachine()
        super().__init__(self._machine, door.heartbeat)
        self._door = door
        self._caller = caller
        self._request_id = request_id
        self._address = address
        self._presence: Presence | None = None
        self._early: list[bytes] | None = []
        self._node: NodeEnd | None = None
        self._calls: CallStreams | None = None

    # The carrier's side

    def opened(self, connection: Connection) -> None:
        """Wait for `hello`, no longer than the credential holds."""
        super().opened(connection)
        self._watch(self._door.hub, self._caller)

    def closed(self, code: int) -> None:  # noqa: ARG002 - the shape of SocketSession
        """Close the feed; answers still under way are dropped, a node's calls are severed."""
        self._connection = None
        self._stop_watching()
        self._machine.close()
        self._end_streams("the connection was closed")
        self._heartbeat.discard(self)
        if self._presence is not None:
            self._presence.close()
        self._close_feed()

    def writable(self) -> None:
        """Let what lags go on: the feed, watched calls, a node's input."""
        super().writable()
        if self._calls is not None:
            self._calls.writable()
        if self._node is not None and self._node.session is not None:
            self._node.session.writable()

    def _end_streams(self, reason: str) -> None:
        if self._calls is not None:
            self._calls.close()
        if self._node is not None:
            self._node.closed(reason)

    def _close_feed(self) -> None:
        if self._feed is not None:
            self._door.hub.close_feed(self._feed)
            self._feed = None

    # The feed's side

    def write(self, frames: bytes) -> None:
        """Send event and signal frames in one write; what comes before `welcome` waits for it."""
        if self._early is not None:
            self._early.append(frames)
        elif self._connection is not None:
            self._connection.send_frames(frames)

    def gap(self, gap: ReplayGap) -> None:
        """Say that the feed cannot go on where it was asked to."""
        self.write(text_frame(_encode(Gap(msgspec.Raw(_encode(gap))))))

    def ended(self, code: str, message: str, cursor: str) -> None:
        """Say goodbye with the cursor to resume from."""
        self._do(self._machine.bye(code, message, cursor))

    def _grant_ended(self, reason: str) -> None:
        self.ended("unauthorized", f"the credential has ended: {reason}", self._feed.cursor if self._feed else "")

    # The machine's side

    def _do(self, actions: Sequence[ServerAction]) -> None:
        for action in actions:
            connection = self._connection
            if connection is None:
                return
            match action:
                case Send(payload):
                    connection.send_text(payload)
                case SendBytes(payload):
                    connection.send_binary(payload)
                case Invoke(op):
                    self._door.tasks.start("link operation", self._invoke(op))
                case Open(hello):
                    self._door.tasks.start("link open", self._open(hello))
                case Probe():
                    # The carrier pings every socket itself and cuts those that do not answer.
                    self._machine.heard(time.monotonic())
                case End(code, message):
                    connection.close(CLOSE_CODES.get(code, POLICY_VIOLATION), message[:100])
                    self._end_streams(message)
                case _:
                    self._hear(action)

    def _hear(self, action: ServerAction) -> None:
        """Hand on what a node says, or what concerns a watched call."""
        if self._node is not None:
            if isinstance(action, Answered | Refused | Told | Took | Granted):
                self._node.heard(action)
        elif not isinstance(action, Answered | Refused | Told | Send | SendBytes | Invoke | Open | Probe | End):
            if self._calls is None:
                self._calls = CallStreams(self._door.hub, self._caller, self._machine, self, self._door.tasks)
            self._calls.heard(action)

    # What watched calls ask of the link (`call_streams.Line`)

    def do(self, actions: Sequence[ServerAction]) -> None:
        """Carry out what the machine asks."""
        self._do(actions)

    def lag(self) -> None:
        """End the link: the client does not take what it let come."""
        self.ended("lagging", "the client reads too slowly what it granted", self._feed.cursor if self._feed else "")

    # How it begins

    async def _serve(self, declaration: Declaration) -> None:
        """Take the node in; its grant alone says which node it is."""
        node = self._node = NodeEnd(self._machine, self._do, self.buffered_bytes, self._address)
        try:
            node.session = await self._door.hub.serve_node(self._caller, declaration, node)
        except InstarError as error:
            self._do(self._machine.end(error.code, error.message))
            return
        if self._connection is None or self._machine.state is State.CLOSED:
            node.closed("the connection was closed")
            return
        entry = PresenceEntry(
            "", "", door=SUBPROTOCOL, role="node", mode="node", address=self._address, host=declaration.name,
            platform=declaration.platform, version=declaration.version,
        )  # fmt: skip
        self._presence = self._door.hub.present(self._caller, entry)
        hub = self._door.hub
        principal, node_id = self._caller.principal.id, node.session.node_id
        self._do(self._machine.welcome(Welcome(instar.__version__, hub.network.id, principal, "", node_id)))
        node.welcomed()

    async def _open(self, hello: Hello) -> None:
        if hello.node is not None:
            await self._serve(hello.node)
            return
        hub = self._door.hub
        try:
            if hello.feed:
                self._feed = await hub.open_feed(
                    self._caller, self, self._door.renderer, cursor=hello.cursor, signals=hello.signals
                )
        except InstarError as error:
            self._do(self._machine.end(error.code, error.message))
            return
        if self._connection is None:
            self._close_feed()
            return
        entry = PresenceEntry("", "", door=SUBPROTOCOL, mode="link", address=self._address)
        self._presence = hub.present(self._caller, entry)
        cursor = self._feed.cursor if self._feed is not None else ""
        welcome = Welcome(instar.__version__, hub.network.id, self._caller.principal.id, cursor)
        self._do(self._machine.welcome(welcome))
        early, self._early = self._early or [], None
        if early:
            self.write(b"".join(early))

    async def _invoke(self, op: Op) -> None:
        try:
            result = await self._result(op)
        except InstarError as error:
            self._do(self._machine.refuse(op.id, error, self._request_id))
            return
        self._do(self._machine.answer(op.id, _encode(result)))

    async def _result(self, op: Op) -> msgspec.Struct:
        operation = TABLE.get(op.op)
        if operation is None:
            raise InstarError("not_found", f"there is no operation {op.op[:100]!r}", hint="See the operation table.")
        if operation.route is not None and operation.route.body is Body.BYTES:
            raise InstarError("bad_request", f"{op.op} takes bytes: send them over HTTP to {operation.route.path}")
        params = decode(_DECODERS[op.op], bytes(op.params))
        return await self._door.hub.invoke(
            self._caller, operation, params,
            request_id=self._request_id, idempotency_key=op.key, peer=self._address,
        )  # fmt: skip
