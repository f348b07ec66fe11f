"""One socket of `moltnet.attach.v1`: the machine of `wire.attach` on one side, a feed of the hub on the other."""

import time
from collections.abc import Sequence

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.doors.fed_session import FedSession
from instar.doors.heartbeat import Heartbeat
from instar.hub.operations.hub import Attachment, Caller, Hub, Presence
from instar.wire.attach.actions import Acknowledge, End, EndKind, Identify, Send, ServerAction, WakeFailed
from instar.wire.attach.frames import ERROR, VERSION, Frame, encode, event_frame
from instar.wire.attach.machine import ServerMachine
from instar.wire.events import ReplayGap
from instar.wire.http import Connection
from instar.wire.presence import PresenceEntry

from .gaps import GAP_PREFIX, gap_event, resume_cursor
from .renderers import AttachRenderer

TRY_AGAIN_LATER = 1013
RESTARTING = 1012
"""Close codes that a client of the original takes for a reason to come back; 1000 and 1001 end it for good."""

CLOSE_CODES = {"lagging": TRY_AGAIN_LATER, "service_unavailable": RESTARTING}
"""How a feed's end is told besides its ERROR frame; every other end drops the connection after the frame."""

_REASONS = {
    1000: "client_closed",
    1001: "client_going_away",
}


class AttachDoor:
    """What all sessions of this dialect share."""

    __slots__ = ("heartbeat", "hub", "renderer", "tasks")

    def __init__(self, hub: Hub, heartbeat: Heartbeat, tasks: TaskScope) -> None:
        self.hub = hub
        self.heartbeat = heartbeat
        self.tasks = tasks
        self.renderer = AttachRenderer(hub.network.id)


class AttachSession(FedSession[ServerAction]):
    """A `wire.http.SocketSession` and the sink of its feed."""

    __slots__ = (
        "_address",
        "_attachment",
        "_caller",
        "_door",
        "_early",
        "_end_reason",
        "_gap",
        "_machine",
        "_presence",
    )

    def __init__(self, door: AttachDoor, caller: Caller, address: str = "") -> None:
        self._machine = ServerMachine(door.hub.network.id)
        super().__init__(self._machine, door.heartbeat)
        self._door = door
        self._caller = caller
        self._address = address
        self._presence: Presence | None = None
        self._attachment: Attachment | None = None
        self._gap: tuple[str, str] | None = None
        self._early = b""
        self._end_reason = ("", "")

    # The carrier's side

    def opened(self, connection: Connection) -> None:
        """Say HELLO, and wait no longer than the credential holds."""
        super().opened(connection)
        self._watch(self._door.hub, self._caller)

    def closed(self, code: int) -> None:
        """Give up the agent's place; the socket is gone."""
        self._connection = None
        self._stop_watching()
        self._machine.close()
        self._heartbeat.discard(self)
        reason, error = self._end_reason
        self._detach(reason or _REASONS.get(code, "read_error"), error)

    def _detach(self, reason: str, error: str) -> None:
        if self._feed is not None:
            self._door.hub.close_feed(self._feed)
            self._feed = None
        if self._attachment is not None:
            self._attachment.close(reason, error)
            self._attachment = None
        if self._presence is not None:
            self._presence.close(reason)
            self._presence = None

    # The feed's side

    def write(self, frames: bytes) -> None:
        """Send EVENT frames in one write."""
        if self._connection is not None:
            self._connection.send_frames(frames)

    def gap(self, gap: ReplayGap) -> None:
        """Send the gap as an event whose ACK moves the agent to where the feed goes on."""
        network_id = self._door.hub.network.id
        event_id, json = gap_event(network_id, gap)
        self._gap = (event_id, resume_cursor(gap))
        # It comes while the feed opens: its ACK must find the feed, so it is sent once that is open.
        self._early = event_frame(network_id, event_id, json)
        self._send_early()

    def _send_early(self) -> None:
        if self._feed is not None and self._early and self._connection is not None:
            self._connection.send_text(self._early)
            self._early = b""

    def ended(self, code: str, message: str, cursor: str) -> None:
        """Tell the client why, with its last cursor, and end the socket so that it comes back where that can help."""
        connection = self._connection
        if connection is None:
            return
        self._end_reason = ("event_stream_closed", message)
        if code not in CLOSE_CODES:
            self._do(self._machine.refuse(message))
            return
        connection.send_text(encode(Frame(op=ERROR, version=VERSION, error=message, cursor=cursor)))
        self._machine.close()
        connection.close(CLOSE_CODES[code], message)

    def _grant_ended(self, reason: str) -> None:
        self.ended("unauthorized", f"the credential has ended: {reason}", "")

    # The machine's side

    def _do(self, actions: Sequence[ServerAction]) -> None:
        for action in actions:
            if self._connection is None:
                return
            match action:
                case Send(payload):
                    self._connection.send_text(payload)
                case Acknowledge(cursor):
                    self._acknowledge(cursor)
                case Identify():
                    self._door.tasks.start("attach", self._identify(action))
                case WakeFailed(error):
                    self._wake_failed(error)
                case End(kind, text):
                    self._end(kind, text)

    def _acknowledge(self, cursor: str) -> None:
        if self._attachment is None or self._feed is None:
            self._do(self._machine.refuse("unexpected ACK cursor"))
            return
        if self._gap is not None and cursor == self._gap[0]:
            cursor, self._gap = self._gap[1], None
        try:
            self._door.hub.acknowledge(self._feed, self._attachment.registration.agent_id, cursor)
        except InstarError:
            self._do(self._machine.refuse("unexpected ACK cursor"))

    def _wake_failed(self, error: str) -> None:
        if self._attachment is not None:
            self._door.hub.failed(self._attachment.registration.agent_id, error)

    def _end(self, kind: EndKind, text: str) -> None:
        if not self._end_reason[0]:
            reasons = {EndKind.SILENT: "read_timeout", EndKind.PEER_ERROR: "client_error", EndKind.ERROR: "read_error"}
            self._end_reason = (reasons[kind], text)
        if self._connection is not None:
            self._connection.abort()

    async def _identify(self, wanted: Identify) -> None:
        hub = self._door.hub
        try:
            self._attachment = await hub.attach(self._caller, wanted.agent.id, wanted.agent.name)
            if self._connection is None:
                self._detach("client_closed", "")
                return
            self._do(self._machine.ready(self._attachment.registration, time.monotonic()))
            cursor = "" if wanted.cursor.startswith(GAP_PREFIX) else wanted.cursor
            agent_id = self._attachment.registration.agent_id
            entry = PresenceEntry("", "", door=VERSION, mode="agent", address=self._address, text=agent_id)
            self._presence = hub.present(self._caller, entry)
            self._feed = await hub.open_feed(self._caller, self, self._door.renderer, cursor=cursor, agent_id=agent_id)
            self._send_early()
        except InstarError as error:
            # Once it is attached, a refusal is no longer about who it is.
            is_in = self._attachment is not None
            text = error.message if is_in else refusal_text(error, self._caller, wanted.agent.id)
            self._do(self._machine.refuse(text))
        if self._connection is None:
            self._detach("client_closed", "")


def refusal_text(error: InstarError, caller: Caller, agent_id: str) -> str:
    """Return why an IDENTIFY was refused, in the words that clients of the dialect know."""
    if error.code not in ("forbidden", "unauthorized", "conflict", "not_found"):
        return error.message
    quoted = f'"{agent_id}"'
    if caller.is_anonymous:
        return f"agent {quoted} requires its agent token"
    if caller.grant.agents is not None and agent_id not in caller.grant.agents:
        return f"attachment agent.id {quoted} is not allowed for this token"
    if error.code == "conflict":
        return f"agent {quoted} is already registered with different credentials"
    return f"agent {quoted} is already registered with different credentials: {error.message}"
