"""The HTTP carrier: one raw ASGI application. Scope to `Request`, guard, doors in order, `Response` to bytes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import structlog

from instar.base.errors import InstarError
from instar.wire.codes import status_of
from instar.wire.http import Door, Request, Response, StreamResponse, Upgrade
from instar.wire.limits import QUERY_PARAMETERS_MAX, UPGRADE_TIMEOUT_S
from instar.wire.problem import FAULT, error_response

from .bodies import Body, ClientGone, Receive
from .guard import API_POLICY, CONSOLE_POLICY, SECURITY_HEADERS, STRICT_TRANSPORT, Guard, request_id
from .heartbeat import Heartbeat
from .metrics import Metrics
from .streams import Streams
from .whole import write_at_once

Scope = Mapping[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = Mapping[str, str]

_log = structlog.get_logger("instar.server")
_NO_STORE = (b"cache-control", b"no-store")
_CONTENT_TYPES: dict[str, bytes] = {}
_FIXED_HEADS: dict[tuple[int, str, bool, bool], bytes] = {}
FIXED_HEADS_MAX = 256
BODILESS = frozenset({204, 304})
"""Statuses whose answers have neither body nor length."""


class Carrier:
    """The ASGI application, and what the socket protocols beside it share.

    Args:
        doors: Asked in order.
        guard: Checks every request and upgrade.
        streams: Counts live sockets and streams.
        metrics: Where requests are counted.
        heartbeat: Pings sockets and cuts slow connections.
        access_log: Whether each request is logged; answers of 500 and above always are.
        is_strict: Whether browsers are told to come by https only; for a certificate that they trust without asking.
    """

    def __init__(
        self,
        doors: Sequence[Door],
        guard: Guard,
        *,
        streams: Streams | None = None,
        metrics: Metrics | None = None,
        heartbeat: Heartbeat | None = None,
        access_log: bool = False,
        is_strict: bool = False,
    ) -> None:
        self._doors = tuple(doors)
        self.guard = guard
        self.streams = Streams() if streams is None else streams
        self.metrics = metrics or Metrics()
        self.heartbeat = heartbeat or Heartbeat()
        self.access_log = access_log
        self._is_strict = is_strict
        self.metrics.gauge("instar_streams", lambda: len(self.streams))
        self.metrics.gauge("instar_connections", lambda: len(self.heartbeat.connections))
        self.bad_requests = self.metrics.counter("instar_bad_requests_total")
        self.refused_connections = self.metrics.counter("instar_refused_connections_total")
        self.peer_losses = self.metrics.counter("instar_peer_losses_total")
        self.max_connections = 0
        """Most open connections, 0 = unlimited; `lifecycle.serve` sets it from the limit of open files."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request (ASGI 3). Cancelled, it ends without an answer: the hub drops what it waited for."""
        with suppress(asyncio.CancelledError):
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = _headers(scope["headers"])
        rid = request_id(headers)
        try:
            answer = await self._answer(scope, headers, receive, rid)
        except ClientGone:
            self.peer_losses.inc()
            return
        seconds: float | None = None
        if type(answer) is Response:
            await _send_whole(send, scope, answer, rid, is_strict=self._demands_tls(scope))
            seconds = time.perf_counter() - started
        elif isinstance(answer, StreamResponse):
            await self._send_stream(receive, send, scope, answer, rid)
        self.metrics.request(scope["method"], answer.route or "other", answer.status, seconds)
        if self.access_log or answer.status >= 500:
            self._log_request(scope, answer.status, rid, seconds)

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive, rid: str) -> Response | StreamResponse:
        try:
            request = self._request(scope, headers, receive, rid)
            for door in self._doors:
                if (answer := await door.handle(request)) is not None:
                    return answer
            return error_response(InstarError("not_found", f"there is nothing at {request.path[:200]}"), rid)
        except InstarError as error:
            if status_of(error.code) >= 500:
                _log.error("request failed", error_code=error.code, error=error.message, request_id=rid)
            return error_response(error, rid)
        except ClientGone:
            raise
        except Exception:  # noqa: BLE001 - the last resort: logged, counted, told in general words
            self.fault("http", rid)
            return error_response(InstarError(FAULT, ""), rid)

    def _request(self, scope: Scope, headers: Headers, receive: Receive, rid: str) -> Request:
        admission = self.guard.admit(headers, scope["headers"], scope["client"], scope["server"], scope["scheme"])
        body = Body(receive, headers)
        query = scope["query_string"]
        return Request(
            method=scope["method"],
            path=scope["path"],
            query=_query(query) if query else {},
            headers=headers,
            read_body=body.read,
            stream_body=body.stream,
            request_id=rid,
            peer=admission.peer,
            is_local=admission.is_local,
            scheme=admission.scheme,
            host=admission.host,
            connected_from=scope["client"][0] if scope["client"] is not None else "",
            is_forwarded=admission.is_forwarded,
            is_proxied=admission.is_proxied,
        )

    async def upgrade(self, scope: Scope) -> tuple[Upgrade, str]:
        """Ask guard and doors about a WebSocket handshake; the answer is a session or a refusal. Never raises."""
        headers = _headers(scope["headers"])
        rid = request_id(headers)
        try:
            request = self._request(scope, headers, _no_body, rid)
            async with asyncio.timeout(UPGRADE_TIMEOUT_S):
                for door in self._doors:
                    if (answer := await door.upgrade(request)) is not None:
                        return answer, rid
            error = InstarError("not_found", f"there is no socket at {request.path[:200]}")
            return Upgrade(refusal=error_response(error, rid)), rid
        except InstarError as error:
            return Upgrade(refusal=error_response(error, rid)), rid
        except Exception:  # noqa: BLE001 - the last resort, as above
            self.fault("websocket", rid)
            return Upgrade(refusal=error_response(InstarError(FAULT, ""), rid)), rid

    def fault(self, part: str, rid: str = "", error: BaseException | None = None) -> None:
        """Log and count an exception that nobody expected (the one being handled); the client learns nothing of it."""
        self.metrics.counter("instar_faults_total", part).inc()
        _log.error("unexpected fault", part=part, request_id=rid, exc_info=error or True)

    async def _send_stream(self, receive: Receive, send: Send, scope: Scope, answer: StreamResponse, rid: str) -> None:
        stream = _Stream(self, answer.chunks)
        try:
            self.streams.enter(stream, answer.principal)
        except InstarError as error:
            await _close(answer.chunks)
            refusal = error_response(error, rid, answer.route)
            answer.status = refusal.status
            await _send_whole(send, scope, refusal, rid)
            return
        try:
            head = _head(answer, scope["path"], rid, is_strict=self._demands_tls(scope))
            await send({"type": "http.response.start", "status": answer.status, "headers": head})
            if await stream.run(receive, send, rid):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self.streams.leave(stream)

    def _demands_tls(self, scope: Scope) -> bool:
        return self._is_strict and scope["scheme"] == "https"

    def _log_request(self, scope: Scope, status: int, rid: str, seconds: float | None) -> None:
        client = scope["client"]
        (_log.error if status >= 500 else _log.info)(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            request_id=rid,
            peer=client[0] if client else "",
            ms=None if seconds is None else round(seconds * 1_000, 2),
        )


class _Stream:
    """A streamed response under way: chunks are pumped while the client is there and the hub runs."""

    __slots__ = ("_carrier", "_chunks", "_pump")

    def __init__(self, carrier: Carrier, chunks: AsyncIterator[bytes]) -> None:
        self._carrier = carrier
        self._chunks = chunks
        self._pump: asyncio.Task[None] | None = None

    def stop(self) -> None:
        if self._pump is not None:
            self._pump.cancel()

    abort = stop

    async def run(self, receive: Receive, send: Send, rid: str) -> bool:
        """Send every chunk; return whether the client is still there to be told the end."""
        self._pump = asyncio.ensure_future(self._send_all(send))
        watch = asyncio.ensure_future(_until_gone(receive))
        try:
            await asyncio.wait((self._pump, watch), return_when=asyncio.FIRST_COMPLETED)
            is_there = not watch.done()
            if not is_there:
                self._carrier.peer_losses.inc()
        finally:
            self._pump.cancel()
            watch.cancel()
            await asyncio.gather(watch, self._pump, return_exceptions=True)
            await _close(self._chunks)
        error = None if self._pump.cancelled() else self._pump.exception()
        if error is not None:
            self._carrier.fault("stream", rid, error)
        return is_there and error is None

    async def _send_all(self, send: Send) -> None:
        async for chunk in self._chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _close(chunks: AsyncIterator[bytes]) -> None:
    closing = getattr(chunks, "aclose", None)
    if closing is not None:
        await closing()


async def _no_body() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def _headers(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}


def _query(query: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=QUERY_PARAMETERS_MAX
        )
        return dict(pairs)
    except ValueError:
        raise InstarError(
            "bad_request", f"the query is not UTF-8 or has more than {QUERY_PARAMETERS_MAX} parameters"
        ) from None


def _head(
    answer: Response | StreamResponse, path: str, rid: str, *, is_strict: bool = False
) -> list[tuple[bytes, bytes]]:
    kind = _CONTENT_TYPES.get(answer.content_type)
    if kind is None:
        kind = answer.content_type.encode("latin-1")
        if len(_CONTENT_TYPES) < 256:
            _CONTENT_TYPES[answer.content_type] = kind
    head = [(b"content-type", kind), (b"x-request-id", rid.encode()), *SECURITY_HEADERS]
    if answer.headers:
        head += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        names = {name for name, _ in head}
    else:
        names: set[bytes] = set()
    if b"cache-control" not in names:
        head.append(_NO_STORE)
    if b"content-security-policy" not in names:
        head.append(CONSOLE_POLICY if path.startswith("/console") else API_POLICY)
    if is_strict:
        head.append(STRICT_TRANSPORT)
    return head


def whole_head(answer: Response, path: str, rid: str, *, is_strict: bool = False) -> list[tuple[bytes, bytes]]:
    """Return every header of a whole response; the WebSocket carrier writes its refusals with it."""
    head = _head(answer, path, rid, is_strict=is_strict)
    if answer.status not in BODILESS:
        head.append((b"content-length", b"%d" % len(answer.body)))
    return head


def raw_response(answer: Response, rid: str, path: str = "/") -> bytes:
    """Return a whole response as bytes that end the connection, for answers given without a request cycle."""
    phrase = HTTPStatus(answer.status).phrase
    lines = [f"HTTP/1.1 {answer.status} {phrase}".encode(), b"date: " + formatdate(usegmt=True).encode()]
    lines += [name + b": " + value for name, value in whole_head(answer, path, rid)]
    return b"\r\n".join([*lines, b"connection: close", b"", answer.body])


async def _send_whole(send: Send, scope: Scope, answer: Response, rid: str, *, is_strict: bool = False) -> None:
    path, method = scope["path"], scope["method"]
    is_plain = not answer.headers and method != "HEAD" and answer.status not in BODILESS
    if is_plain and write_at_once(send, _fixed_head(answer, path, is_strict=is_strict), answer.body, rid):
        return
    head = whole_head(answer, path, rid, is_strict=is_strict)
    await send({"type": "http.response.start", "status": answer.status, "headers": head})
    await send({"type": "http.response.body", "body": answer.body})


def _fixed_head(answer: Response, path: str, *, is_strict: bool) -> bytes:
    """Return the status line and the headers that are the same for every answer of this kind."""
    key = (answer.status, answer.content_type, path.startswith("/console"), is_strict)
    fixed = _FIXED_HEADS.get(key)
    if fixed is None:
        lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}".encode()]
        lines += [
            name + b": " + value
            for name, value in _head(answer, path, "", is_strict=is_strict)
            if name != b"x-request-id"
        ]
        fixed = b"\r\n".join(lines)
        if len(_FIXED_HEADS) < FIXED_HEADS_MAX:
            _FIXED_HEADS[key] = fixed
    return fixed
