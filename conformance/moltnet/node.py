"""The reference node, one attachment of it: preflight, handshake, an ACK for each EVENT, PONG, reconnect, resume."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from . import shapes
from .cli import Cli, RequestRefusedError

HELLO_TIMEOUT_S = 10.0
DEFAULT_INTERVAL_S = 30.0
BACKOFF_BASE_S = 0.5
BACKOFF_MAX_S = 15.0
BACKOFF_JITTER = 0.2
CLEAN_CLOSES = frozenset({1000, 1001})
"""After one of these the attachment returns for good: the node stays up, and never attaches again."""

UNVERSIONED = frozenset({"ACK", "PONG"})


class PreflightError(Exception):
    """The node exits before it touches a runtime; every issue is named."""


class AttachmentError(Exception):
    """The attachment ends and is tried again after the back-off."""


Handle = Callable[[shapes.Event], Awaitable[None]]


@dataclass(slots=True)
class Node:
    """One attachment.

    Args:
        base_url: The hub.
        network_id: The network that the configuration names.
        agent_id: The agent that it attaches as.
        handle: Called with each event; an exception is reported to the hub and ends the attachment.
        token: Bearer credential, if any.
        rooms: Rooms with their wake policy.
        dms: Whether direct messages are enabled.
    """

    base_url: str
    network_id: str
    agent_id: str
    handle: Handle
    token: str = ""
    agent_name: str = ""
    rooms: dict[str, str] = field(default_factory=dict)
    dms: bool = False
    backoff_base_s: float = BACKOFF_BASE_S
    cursor: str = ""
    """The last event processed; it lives and dies with this process."""
    received: list[shapes.Event] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    attached: int = 0
    """How often READY came."""
    pongs: int = 0
    errors: list[str] = field(default_factory=list)

    def preflight(self) -> shapes.Network:
        """Check the network card.

        Raises:
            PreflightError: The credential may not read it, or the network is not compatible.
        """
        try:
            network = Cli(self.base_url, self.network_id, self.agent_id, token=self.token).network()
        except RequestRefusedError as error:
            if error.status in {401, 403}:
                raise PreflightError("configured credentials cannot read network compatibility metadata") from error
            raise PreflightError(str(error)) from error
        if issues := self._issues(network):
            raise PreflightError("; ".join(issues))
        return network

    def _issues(self, network: shapes.Network) -> list[str]:
        protocols, capabilities = network.protocols, network.capabilities
        is_legacy = not (protocols.http or protocols.attach or protocols.pair)
        checks = {
            "network_id": network.id.strip() == self.network_id.strip(),
            shapes.HTTP_V1: shapes.HTTP_V1 in protocols.http
            or (is_legacy and capabilities.message_pagination.strip() == "cursor"),
            shapes.ATTACH_V1: shapes.ATTACH_V1 in protocols.attach or is_legacy,
            "attachment_protocol=websocket": capabilities.attachment_protocol.strip() == "websocket",
            "direct_messages=true": capabilities.direct_messages or not self.dms,
        }
        return [f"required {what}" for what, is_met in checks.items() if not is_met]

    async def run(self) -> None:
        """Attach and attach again, until a clean close ends it for good. Cancel it to stop."""
        attempt = 0
        while True:
            try:
                await self.attach()
            except (AttachmentError, shapes.NotAcceptedError, ConnectionClosed, OSError) as error:
                self.errors.append(str(error))
            else:
                return
            self.ready.clear()
            delay = min(BACKOFF_MAX_S, self.backoff_base_s * 2**attempt)
            attempt += 1
            spread = random.uniform(1 - BACKOFF_JITTER, 1 + BACKOFF_JITTER)
            await asyncio.sleep(min(BACKOFF_MAX_S, max(self.backoff_base_s, delay * spread)))

    async def attach(self) -> None:
        """Serve one socket; returns only after a clean close.

        Raises:
            AttachmentError: The hub refused, broke the protocol, or dropped the connection.
        """
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            connection = await connect(
                self._address(),
                additional_headers=headers,
                max_size=shapes.REPLY_MAX_BYTES,
                compression=None,
                ping_interval=None,
                user_agent_header=None,
                close_timeout=1,
            )
        except InvalidStatus as error:
            raise AttachmentError(f"request moltnet attach: {error.response.status_code}") from error
        async with connection:
            try:
                await self._serve(connection)
            except ConnectionClosed as error:
                if error.rcvd is not None and error.rcvd.code in CLEAN_CLOSES:
                    return
                raise AttachmentError(f"the connection ended: {error}") from error

    def _address(self) -> str:
        address = urlsplit(self.base_url.strip().rstrip("/"))
        scheme = {"http": "ws", "https": "wss"}[address.scheme]
        return f"{scheme}://{address.netloc}{address.path}/v1/attach"

    async def _serve(self, connection: ClientConnection) -> None:
        hello = await self._frame(connection, HELLO_TIMEOUT_S)
        if hello.op != "HELLO":
            raise AttachmentError(f"expected HELLO frame, got {hello.op}")
        interval_s = hello.heartbeat_interval_ms / 1_000 or DEFAULT_INTERVAL_S
        silence_s = max(HELLO_TIMEOUT_S, 2 * interval_s)
        await connection.send(json.dumps(self._identify()))
        ready = await self._frame(connection, silence_s)
        if ready.op == "ERROR":
            raise AttachmentError(f"attachment gateway error: {ready.error.strip()}")
        if ready.op != "READY":
            raise AttachmentError(f"expected READY frame, got {ready.op}")
        if ready.network_id.strip() != self.network_id.strip():
            raise AttachmentError(f"READY network_id {ready.network_id!r} does not match {self.network_id!r}")
        self.token = ready.agent_token or self.token
        self.attached += 1
        self.ready.set()
        while True:
            await self._take(connection, await self._frame(connection, silence_s))

    def _identify(self) -> dict[str, object]:
        capabilities = {"rooms": bool(self.rooms), "threads": bool(self.rooms), "dms": self.dms, "artifacts": True}
        frame: dict[str, object] = {
            "op": "IDENTIFY",
            "version": shapes.ATTACH_V1,
            "network_id": self.network_id,
            "agent": {"type": "agent", "id": self.agent_id, "name": self.agent_name or self.agent_id},
            "capabilities": {name: True for name, is_set in capabilities.items() if is_set},
        }
        if self.cursor:
            frame["cursor"] = self.cursor
        return frame

    async def _take(self, connection: ClientConnection, frame: shapes.Frame) -> None:
        if frame.op == "PING":
            self.pongs += 1
            await connection.send(json.dumps({"op": "PONG", "version": shapes.ATTACH_V1, "capabilities": {}}))
        elif frame.op == "ERROR":
            raise AttachmentError(f"attachment gateway error: {frame.error.strip()}")
        elif frame.op == "EVENT":
            await self._handle(connection, frame)
        else:
            raise AttachmentError(f"unexpected attachment frame op {frame.op!r}")

    async def _handle(self, connection: ClientConnection, frame: shapes.Frame) -> None:
        if frame.event is None:
            raise AttachmentError("attachment event frame is missing event payload")
        self.received.append(frame.event)
        try:
            await self.handle(frame.event)
        except Exception as error:
            report = {"op": "ERROR", "version": shapes.ATTACH_V1, "capabilities": {}, "error": str(error)}
            await connection.send(json.dumps(report))
            raise AttachmentError(str(error)) from error
        ack = {"op": "ACK", "version": shapes.ATTACH_V1, "capabilities": {}, "cursor": frame.cursor}
        await connection.send(json.dumps(ack))
        self.cursor = frame.cursor.strip()

    async def _frame(self, connection: ClientConnection, timeout_s: float) -> shapes.Frame:
        try:
            async with asyncio.timeout(timeout_s):
                payload = await connection.recv()
        except TimeoutError:
            raise AttachmentError("the hub said nothing for too long") from None
        if not isinstance(payload, str):
            raise AttachmentError("attachment protocol only accepts text JSON frames")
        frame = shapes.decode(payload.encode(), shapes.Frame)
        version = frame.version.strip()
        if version != shapes.ATTACH_V1 and (version or frame.op not in UNVERSIONED):
            raise AttachmentError(f"attachment {frame.op} version {frame.version!r} does not fit")
        return frame

    def wakes(self, event: shapes.Event) -> bool:
        """Whether the node would wake its runtime for `event`."""
        message = event.message
        if event.type != "message.created" or message is None or message.from_.id == self.agent_id:
            return False
        target = message.target
        if target.kind == "dm":
            return self.dms and any(self._is_me(name) for name in target.participant_ids)
        wake = self.rooms.get(target.room_id, "never")
        if wake == "mentions":
            return any(self._is_me(name) for name in message.mentions)
        return wake == "all" or (wake == "thread_only" and target.kind == "thread")

    def _is_me(self, name: str) -> bool:
        mine = {self.agent_id, f"{self.network_id}:{self.agent_id}", f"molt://{self.network_id}/agents/{self.agent_id}"}
        return name in mine or (self.agent_name != "" and name == self.agent_name)
