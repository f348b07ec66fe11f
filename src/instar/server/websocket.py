"""The WebSocket carrier: one `Link` per socket drives websockets' sans-IO frame machine and one door's session.

After the handshake there is no task, no timer and no queue per socket: bytes in become calls on the session, what the
session sends is one `transport.write`. Pings and close deadlines are the shared heartbeat's.
"""

import asyncio
import codecs
import logging
import socket
from collections.abc import Callable
from typing import ParamSpec, cast

from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request as HandshakeRequest
from websockets.protocol import OPEN, SERVER, Protocol
from websockets.server import ServerProtocol

from instar.base.errors import InstarError
from instar.wire.frames import binary_frame, text_frame
from instar.wire.http import SocketSession, Upgrade
from instar.wire.limits import FRAME_MAX_BYTES, SEND_HIGH_BYTES, SOCKET_SEND_BUFFER_BYTES
from instar.wire.problem import error_response

from .guard import request_id
from .http import Carrier, Scope, raw_response

P = ParamSpec("P")

PING = b"\x89\x00"
"""An empty ping: any byte that comes after it is answer enough."""
RESTART = 1012
"""Close code of a stopping hub; a reference node takes 1000 and 1001 for the end and stays away."""
NO_CLOSE_FRAME = 1006

_quiet = logging.getLogger("instar.websocket.frames")
_quiet.setLevel(logging.CRITICAL + 1)
_utf8 = codecs.getincrementaldecoder("utf-8")


class _Frames(Protocol):
    """The frame machine, which hands each message on as soon as it is whole, in order with pongs and errors."""

    def __init__(self, link: "Link") -> None:
        super().__init__(SERVER, state=OPEN, max_size=FRAME_MAX_BYTES, logger=_quiet)
        self._link = link

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            # A close may come between the fragments of a message (RFC 6455 §5.4): that is no fault.
            self.current_size = None
        super().recv_frame(frame)
        self.events.clear()
        if frame.opcode is Opcode.CLOSE:
            self._link.peer_closes()
        elif frame.opcode <= Opcode.BINARY and self.close_sent is None:
            self._link.take(frame)


class Link(asyncio.Protocol):
    """One WebSocket, from its handshake to its end; what its session sees as `wire.http.Connection`.

    Args:
        carrier: Guard, doors and registries.
        transport: The connection, taken over from HTTP.
        scope: The request head.
        leftover: Bytes that came after the head.
    """

    __slots__ = (
        "_carrier",
        "_corked",
        "_decoder",
        "_frames",
        "_has_ended",
        "_is_text",
        "_leftover",
        "_owes_pong",
        "_partial",
        "_scope",
        "_session",
        "_slot",
        "_task",
        "_transport",
    )

    def __init__(self, carrier: Carrier, transport: asyncio.Transport, scope: Scope, leftover: bytes) -> None:
        self._carrier = carrier
        self._transport = transport
        self._scope: Scope | None = scope
        self._leftover = leftover
        self._frames: _Frames | None = None
        self._session: SocketSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._corked: list[bytes] | None = None
        self._partial: bytearray | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._is_text = False
        self._owes_pong = False
        self._has_ended = False
        self._slot = -1

    # The handshake

    def start(self) -> None:
        """Ask the doors; what comes before they have answered waits here, up to `SEND_HIGH_BYTES`."""
        self._task = asyncio.ensure_future(self._shake_hands())

    async def _shake_hands(self) -> None:
        scope = self._scope
        assert scope is not None
        try:
            await self._answer(scope)
        except Exception:  # noqa: BLE001 - the last resort: nobody awaits this task
            self._carrier.fault("websocket")
            self.abort()

    async def _answer(self, scope: Scope) -> None:
        handshake = _accept(scope)
        if isinstance(handshake, InstarError):
            self._carrier.bad_requests.inc()
            rid = request_id({})
            self._refuse(raw_response(error_response(handshake, rid), rid, str(scope["path"])))
            return
        upgrade, rid = await self._carrier.upgrade(scope)
        self._task = self._scope = None
        if self._transport.is_closing():
            return
        try:
            session = self._enter(upgrade)
        except InstarError as error:
            upgrade.refusal = error_response(error, rid)
            session = None
        if session is None:
            refusal = upgrade.refusal or error_response(InstarError("not_found", "there is no socket here"), rid)
            self._refuse(raw_response(refusal, rid, str(scope["path"])))
            return
        handshake["X-Request-Id"] = rid
        if upgrade.subprotocol is not None:
            handshake["Sec-WebSocket-Protocol"] = upgrade.subprotocol
        self._open(session, handshake)

    def _enter(self, upgrade: Upgrade) -> SocketSession | None:
        if upgrade.session is not None:
            self._carrier.streams.enter(self, upgrade.principal)
        return upgrade.session

    def _open(self, session: SocketSession, headers: Headers) -> None:
        self._session = session
        self._frames = _Frames(self)
        self._slot = self._carrier.heartbeat.join(self)
        transport = self._transport
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family != getattr(socket, "AF_UNIX", None):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_SEND_BUFFER_BYTES)
        transport.set_write_buffer_limits(SEND_HIGH_BYTES)
        transport.write(b"HTTP/1.1 101 Switching Protocols\r\n" + headers.serialize())
        self._call(session.opened, self)
        leftover, self._leftover = self._leftover, b""
        if leftover:
            self.data_received(leftover)
        if not transport.is_closing():
            transport.resume_reading()

    def _refuse(self, response: bytes) -> None:
        """Answer the handshake with something else than 101 and close."""
        self._has_ended = True
        self._scope = self._task = None
        if self._transport.is_closing():
            return
        self._transport.write(response)
        self._transport.resume_reading()
        self._half_close()

    # What the transport calls

    def data_received(self, data: bytes) -> None:
        """Feed the frame machine; it calls `take` for each frame."""
        self._owes_pong = False
        frames = self._frames
        if frames is None:
            self._keep_early(data)
            return
        self._corked = []
        try:
            frames.receive_data(data)
        finally:
            self._uncork()
        if frames.writes:
            self._flush(frames)
        if frames.parser_exc is not None:
            self._end(frames.close_sent.code if frames.close_sent is not None else NO_CLOSE_FRAME)

    def _keep_early(self, data: bytes) -> None:
        """Keep what comes before the handshake is answered; drop what comes after the end."""
        if not self._has_ended:
            self._leftover += data
            if len(self._leftover) > SEND_HIGH_BYTES:
                self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Close: a WebSocket has no use for half a connection."""
        return False

    def resume_writing(self) -> None:
        """Tell the session that the client has taken what waited."""
        if (session := self._session) is not None:
            self._call(session.writable)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - peer death is no error
        """End; a client that left without a close frame is counted, not logged."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if not self._has_ended:
            self._carrier.peer_losses.inc()
        self._carrier.heartbeat.leave(self, self._slot)
        self._end(NO_CLOSE_FRAME)
        self._frames = None

    # What the frame machine calls

    def take(self, frame: Frame) -> None:
        """Take one data frame.

        Raises:
            UnicodeDecodeError: A text is not UTF-8; the machine answers 1007.
        """
        payload = cast("bytearray", frame.data)
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
            if frame.fin:
                if self._is_text and not payload.isascii():
                    payload.decode()
                self._deliver(bytes(payload))
                return
            self._partial = bytearray()
            self._decoder = _utf8() if self._is_text else None
        assert self._partial is not None
        if self._decoder is not None:
            self._decoder.decode(bytes(payload), frame.fin)
        self._partial += payload
        if frame.fin:
            whole = bytes(self._partial)
            self._partial = self._decoder = None
            self._deliver(whole)

    def _deliver(self, payload: bytes) -> None:
        frames, session = self._frames, self._session
        if frames is None or session is None:
            return
        if frames.writes:
            self._flush(frames)
        self._call(session.received, payload, self._is_text)

    def peer_closes(self) -> None:
        """The client sent its close frame; ours, if it was still due, is on its way."""
        frames = self._frames
        assert frames is not None
        self._flush(frames)
        assert frames.close_rcvd is not None
        self._end(frames.close_rcvd.code)

    # What the session calls

    def send_text(self, payload: bytes) -> None:
        """Frame and write one text message; after the close frame nothing is sent."""
        self.send_frames(text_frame(payload))

    def send_binary(self, payload: bytes) -> None:
        """Frame and write one binary message; after the close frame nothing is sent."""
        self.send_frames(binary_frame(payload))

    def send_frames(self, frames: bytes) -> None:
        """Write ready-made frames in one write."""
        machine = self._frames
        if machine is None or machine.close_sent is not None or self._transport.is_closing():
            return
        if self._corked is not None:
            self._corked.append(frames)
        else:
            self._transport.write(frames)

    def claim(self, principal: str) -> None:
        """Count the socket against a credential; see `Streams.claim`."""
        self._carrier.streams.claim(self, principal)

    def limit_messages(self, max_bytes: int) -> None:
        """Refuse larger messages from now on."""
        if self._frames is not None:
            self._frames.max_message_size = max_bytes

    def buffered_bytes(self) -> int:
        """Return how many bytes wait in this process to be taken by the client."""
        corked = sum(map(len, self._corked)) if self._corked else 0
        return self._transport.get_write_buffer_size() + corked

    def close(self, code: int, reason: str = "") -> None:
        """Send what waits, then a close frame; the peer has `LINK_CLOSE_S` to answer it."""
        frames = self._frames
        if frames is None or frames.state is not OPEN:
            return
        frames.send_close(code, reason.encode()[:123].decode(errors="ignore"))
        self._flush(frames)
        self._carrier.heartbeat.closing(self)

    def abort(self) -> None:
        """Drop the connection; the session hears of it in `closed`. What was sent before is tried once."""
        self._uncork()
        self._has_ended = True
        self._transport.abort()

    # What registries and heartbeat call

    def stop(self) -> None:
        """Close with 1012: the hub stops and will be back. The session may say so first, or close as it likes."""
        if self._session is not None:
            self._call(self._session.stopping)
        self.close(RESTART, "the hub restarts")

    def ping(self) -> None:
        """Ping; an answer is owed from now on."""
        if self._frames is not None and self._frames.state is OPEN:
            self._owes_pong = True
            self._transport.write(PING)

    def check_pong(self) -> None:
        """Cut a peer that has sent nothing since the ping."""
        if self._owes_pong:
            self._carrier.peer_losses.inc()
            self.abort()

    # Inner parts

    def _call(self, method: Callable[P, None], *arguments: P.args, **named: P.kwargs) -> None:
        """Call the session; what it lets escape is logged and ends the socket with 1011."""
        try:
            method(*arguments, **named)
        except Exception:  # noqa: BLE001 - a session's fault must not reach the event loop
            self._carrier.fault("session")
            self.close(CloseCode.INTERNAL_ERROR, "the hub met a fault of its own")

    def _uncork(self) -> None:
        """Write in one piece what the session sent while a batch of its frames was read."""
        corked, self._corked = self._corked, None
        if corked and not self._transport.is_closing():
            self._transport.write(corked[0] if len(corked) == 1 else b"".join(corked))

    def _flush(self, frames: _Frames) -> None:
        if self._corked:
            # What the session sent comes before a pong or a close frame.
            self._uncork()
            self._corked = []
        pieces = frames.data_to_send()
        if self._transport.is_closing():
            return
        ends = bool(pieces) and pieces[-1] == b""
        if output := b"".join(pieces):
            self._transport.write(output)
        if ends:
            self._half_close()

    def _half_close(self) -> None:
        """End our side and let the peer end its own, so that a reset does not overtake the last frame."""
        self._carrier.heartbeat.closing(self)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _end(self, code: int) -> None:
        """Tell the session, once, that the socket has ended."""
        session, self._session = self._session, None
        self._has_ended = True
        if session is not None:
            self._carrier.streams.leave(self)
            self._call(session.closed, code)


def _accept(scope: Scope) -> Headers | InstarError:
    """Check the handshake itself; return the headers of the 101, or why there is none."""
    headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    machine = ServerProtocol(logger=_quiet)
    answer = machine.accept(HandshakeRequest(str(scope["path"]), headers, method=str(scope["method"])))
    if answer.status_code == 101:
        return answer.headers
    cause = f"this is no WebSocket handshake: {machine.handshake_exc}"
    return InstarError("bad_request", cause, hint="Send `GET` with the headers of RFC 6455, or no `Upgrade` header.")
