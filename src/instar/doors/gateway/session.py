"""One socket of the gateway: the machine of `wire.gateway` on one side, operations and a feed on the other."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.doors import credentials
from instar.doors.fed_session import FedSession
from instar.hub.operations.hub import Caller, Credential, Feed, Presence
from instar.wire.devices import PairingRequest, PairingState
from instar.wire.events import ReplayGap
from instar.wire.gateway import refusals
from instar.wire.gateway.actions import Admit, Dropped, End, Invoke, Send, ServerAction
from instar.wire.gateway.connect import Introduction
from instar.wire.gateway.frames import event_frame
from instar.wire.gateway.machine import ServerMachine
from instar.wire.gateway.method import NODE, Generation
from instar.wire.gateway.refusals import Refusal
from instar.wire.gateway.scopes import theirs
from instar.wire.http import Connection
from instar.wire.limits import FRAME_MAX_BYTES, GATEWAY_UNAUTHENTICATED_FRAME_MAX_BYTES, PAIRING_WAIT_S

from .admission import Arrived, credential_of
from .answering import Answering
from .call import Client
from .calling import CallContext
from .entry import Held, device_of, enter
from .hearing import Hearing, TooSlowError, hearing_of
from .hello import POLICIES, hello_ok
from .nodes.side import NodeSide
from .outgoing import Outgoing, outgoing
from .presence import entry_of
from .rendering import GatewayRenderer
from .switchboard import Switchboard

DEVICE_REMOVED = 4001
POLICY_VIOLATION = 1008
RESTARTING = 1012
SLOW = "slow consumer"
PASSING = "cli"
"""Mode of clients that ask something and go: they are not shown as present."""
SHUTDOWN = outgoing("shutdown", {"reason": "service restart"})

Frames = tuple[Outgoing, ...]


class GatewaySession(FedSession[ServerAction]):
    """A `wire.http.SocketSession`, the sink of its feed, and a line of the switchboard."""

    __slots__ = (
        "_answering", "_board", "_came", "_credential", "_early", "_gap", "_hearing", "_is_counted", "_machine",
        "_max_buffered", "_node", "_presence", "_renderer", "_task", "caller",
    )  # fmt: skip

    def __init__(self, board: Switchboard, came: Arrived) -> None:
        self._machine = ServerMachine(came.facts, came.node_nonce)
        super().__init__(self._machine, board.heartbeat)
        self._board = board
        self._came = came
        self._credential: Credential | None = None
        self.caller: Caller | None = None
        self._hearing: Hearing | None = None
        self._answering: Answering | None = None
        self._early: list[Frames] | None = []
        self._gap: ReplayGap | None = None
        self._is_counted = False
        self._max_buffered = 0
        self._renderer: GatewayRenderer | None = None
        self._presence: Presence | None = None
        self._node: NodeSide | None = None
        self._task: asyncio.Task[None] | None = None

    # The carrier's side

    def opened(self, connection: Connection) -> None:
        """Challenge the client; it counts as unauthenticated until it has said who it is."""
        connection.limit_messages(GATEWAY_UNAUTHENTICATED_FRAME_MAX_BYTES)
        self._board.wait(self._came.peer)
        self._is_counted = True
        super().opened(connection)

    def closed(self, code: int) -> None:  # noqa: ARG002 - the shape of SocketSession
        """Forget the client: nothing is sent any more, and a decision that it waited for is nobody's."""
        self._connection = None
        self._machine.close()
        self._heartbeat.discard(self)
        self._board.leave(self)
        self._settle()
        if self._task is not None:
            self._task.cancel()
        if self._answering is not None:
            self._answering.close()
            self._answering = None  # it holds this as well: both would wait for the collector
        if self._node is not None:
            self._node.close("the node's connection ended")
        if self._presence is not None:
            self._presence.close()
        self._stop_watching()
        self._close_feed()

    def _settle(self) -> None:
        if self._is_counted:
            self._is_counted = False
            self._board.settle(self._came.peer)

    def _close_feed(self) -> None:
        if self._feed is not None:
            self._board.gateway.hub.close_feed(self._feed)
            self._feed = None

    # What it hears: the feed's side, and the switchboard's

    def write(self, frames: Frames) -> None:
        """Send events in one write; what comes before `hello-ok` waits for it."""
        if self._early is not None:
            self._early.append(frames)
            return
        connection, hearing = self._connection, self._hearing
        if connection is None or hearing is None:
            return
        try:
            heard = hearing.frames(frames, is_slow=connection.buffered_bytes() > self._max_buffered)
        except TooSlowError:
            self._do(self._machine.end(POLICY_VIOLATION, SLOW))
            return
        if heard:
            connection.send_frames(heard)

    def tell(self, event: Outgoing) -> None:
        """Send what concerns all."""
        self.write((event,))

    def gap(self, gap: ReplayGap) -> None:
        """Note that events between the cursor that was asked for and now are gone; `instar.resume` says so."""
        self._gap = gap

    def ended(self, code: str, message: str, cursor: str) -> None:  # noqa: ARG002 - the shape of Sink
        """Close as the end of the feed calls for."""
        if code == "service_unavailable":
            self.stopping()
        elif code == "unauthorized":
            self._grant_ended(message)
        else:
            self._do(self._machine.end(POLICY_VIOLATION, SLOW if code == "lagging" else message))

    def stopping(self) -> None:
        """Say that the gateway stops, and close so that the client comes back."""
        self.write((SHUTDOWN,))
        self._do(self._machine.end(RESTARTING, "service restart"))

    def _grant_ended(self, reason: str) -> None:
        """Close at once: what the client holds is worth nothing any more."""
        is_device = self.caller is not None and self.caller.grant.kind == "device"
        code, told = (DEVICE_REMOVED, "device removed") if is_device else (POLICY_VIOLATION, reason)
        self._do(self._machine.end(code, told))

    # The machine's side

    def _do(self, actions: Sequence[ServerAction]) -> None:
        for action in actions:
            connection = self._connection
            if connection is None:
                return
            match action:
                case Send(payload):
                    connection.send_text(payload)
                    if self._max_buffered and connection.buffered_bytes() > self._max_buffered:
                        self._do(self._machine.end(POLICY_VIOLATION, SLOW))
                case Admit(who, proof):
                    if self._credential is None:
                        self._credential = credential_of(who, proof, self._came)
                    self._task = self._board.tasks.start("gateway connect", self._admit(who, self._credential))
                case End(code, reason):
                    connection.close(code, reason)
                case Invoke() | Dropped():
                    self._take(action)

    def _take(self, action: Invoke | Dropped) -> None:
        """Take what a client that was admitted sent."""
        if isinstance(action, Invoke):
            if self._answering is not None:
                self._answering.take(action.request)
        elif self._node is not None:
            self._node.overran()

    # The handshake

    async def _admit(self, who: Introduction, credential: Credential) -> None:
        hub = self._board.gateway.hub
        entered = await enter(hub, who, credential, self._came)
        if isinstance(entered, Refusal):
            self._do(self._machine.refuse(entered))
        elif isinstance(entered, Held):
            await self._wait(entered.request)
        else:
            try:
                await self._open(who, entered, device_of(credential))
            except InstarError as error:
                self._do(self._machine.refuse(refusals.refusal_of(error, who, is_local=self._came.is_local)))

    async def _wait(self, request: PairingRequest) -> None:
        """Hold a Moltis node until an operator has decided, or it goes away, which ends this task."""
        told = {"pairId": request.id, "fingerprint": request.fingerprint}
        self._do(self._machine.hold(told, time.monotonic()))
        decided = await self._board.gateway.hub.pairing_decided(request.id, PAIRING_WAIT_S)
        if decided.state is PairingState.APPROVED:
            self._do(self._machine.resume(time.monotonic()))
        else:
            is_rejected = decided.state is PairingState.REJECTED
            self._do(self._machine.refuse(refusals.REJECTED if is_rejected else refusals.EXPIRED))

    async def _open(self, who: Introduction, caller: Caller, device_id: str) -> None:
        """Admit the client: from here on it is told what it may hear, and asked nothing more."""
        gateway, connection = self._board.gateway, self._connection
        assert connection is not None  # `closed` ends this task
        client = client_of(who, caller, device_id)
        connection.claim(credentials.holder(caller, self._came.peer))
        self.caller = caller
        self._hearing = hearing_of(who, client.scopes)
        # The grant may have ended while the client was decided on: then this calls back at once.
        self._watch(gateway.hub, caller)
        self._renderer = self._board.renderers[who.generation]
        if who.role != NODE:
            self._feed = await gateway.hub.open_feed(caller, self, self._renderer, signals=True)
        if who.mode != PASSING:
            self._presence = gateway.hub.present(caller, entry_of(who, client, self._came.peer))
        token = await gateway.hub.device_token(caller)
        cursor = self._feed.cursor if self._feed is not None else ""
        hello = await hello_ok(gateway, caller, who, client, token, cursor)
        if self._connection is None or self._machine.is_closed:
            self._close_feed()
            return
        context = CallContext(gateway, caller, who.generation, client, self._came.request_id, self._came.peer)
        tasks = self._board.tasks
        if who.role == NODE:
            node_id = who.id if who.generation is Generation.MOLTIS else device_id
            self._node = NodeSide(who, node_id, self._tell_node, tasks)
            await self._serve(self._node, caller)
        self._answering = Answering(
            context, self._machine, self._do, self._hearing.subscriptions, self._resume, tasks, self._node
        )
        policy = POLICIES[who.generation]
        self._max_buffered = policy.max_buffered_bytes
        # Moltis drops a frame that is too large and goes on; only far beyond that the socket ends.
        is_lenient = who.generation is Generation.MOLTIS
        self._connection.limit_messages(FRAME_MAX_BYTES if is_lenient else policy.max_payload)
        self._settle()
        self._board.enter(self)
        self._do(self._machine.admitted(hello))
        # Nothing is due on the machine any more, and no secret is kept for as long as the connection lives.
        self._heartbeat.discard(self)
        self._credential, self._came = None, replace(self._came, token="")
        self._release()
        if self._node is not None:
            self._node.greeted()

    async def _serve(self, node: NodeSide, caller: Caller) -> None:
        """Let the hub know the node; who is told that it is in finds it there.

        Raises:
            InstarError: What the hub has against it.
        """
        serving = node.serve(self._board.gateway.hub, caller, self._came.peer, self._end_node)
        # Not in this task, which ends with the socket: what was written down by then has to be taken back.
        refused = await asyncio.shield(self._board.tasks.start("gateway node", serving))
        if refused is not None:
            raise refused

    def _end_node(self, code: str, message: str) -> None:  # noqa: ARG002 - the hub's way to end a node's connection
        self._do(self._machine.end(POLICY_VIOLATION, message))

    def _tell_node(self, event: str, payload: dict[str, Any]) -> bool:
        """Send the node an event of its own; False: its socket has gone."""
        if self._connection is None or not self._machine.is_open:
            return False
        self._do([Send(event_frame(event, msgspec.json.encode(payload)))])
        return not self._machine.is_closed

    def _release(self) -> None:
        """Send what waited for an answer to be first."""
        early, self._early = self._early or [], None
        for frames in early:
            self.write(frames)

    async def _resume(self, cursor: str) -> dict[str, Any]:
        """Go on with the events from a cursor; from now on each says where the log stands.

        Raises:
            InstarError: `not_available` for a node, which hears no events; `conflict` while another such call goes on.
        """
        if self._early is not None:
            raise InstarError("conflict", "the events are being resumed already")
        feed, hearing = self._feed, self._hearing
        if feed is None or hearing is None:
            raise InstarError("not_available", "a node hears no events, and so has none to go on with")
        hearing.shows_cursor = True
        if not cursor:
            return {"cursor": feed.cursor}
        self._early, self._gap = [], None
        self._close_feed()
        try:
            self._feed = await self._reopened(cursor)
        except InstarError:
            # Without a feed it would hear nothing more, and not know.
            self._do(self._machine.end(RESTARTING, "the events could not be resumed"))
            raise
        told: dict[str, Any] = {"cursor": self._feed.cursor}
        if self._gap is not None:
            told["gap"] = msgspec.to_builtins(self._gap)
        # The answer is sent as soon as this returns; the events follow it.
        asyncio.get_running_loop().call_soon(self._release)
        return told

    async def _reopened(self, cursor: str) -> Feed:
        caller, renderer, hub = self.caller, self._renderer, self._board.gateway.hub
        assert caller is not None
        assert renderer is not None
        feed = await hub.open_feed(caller, self, renderer, cursor=cursor, signals=True)
        if self._connection is None:
            hub.close_feed(feed)
        return feed


def client_of(who: Introduction, caller: Caller, device_id: str) -> Client:
    """Return the client as handlers see it, with the scopes that it was given."""
    return Client(
        id=who.id,
        mode=who.mode,
        version=who.version,
        platform=who.platform,
        role=who.role,
        scopes=tuple(theirs(caller.grant.scopes)),
        caps=frozenset(who.caps),
        instance_id=who.instance_id,
        device_id=device_id,
        conn_id=new_id("conn"),
        display_name=who.display_name,
    )
