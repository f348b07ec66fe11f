"""The gateway's dialect as an asyncio client, generation 4: one connection, one call at a time."""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from math import inf
from types import TracebackType
from typing import Any

import msgspec

from instar import __version__
from instar.wire.codes import CODES
from instar.wire.gateway.actions import Answered, Challenged, ClientAction, End, Opened, Refused, Send
from instar.wire.gateway.client import ClientMachine
from instar.wire.gateway.connect import V4Auth, V4Client, V4Connect
from instar.wire.gateway.frames import ErrorShape
from instar.wire.gateway.method import Generation
from instar.wire.gateway.scopes import ADMIN, APPROVALS, OPERATOR, PAIRING, READ, WRITE

from .errors import HubError, UnreachableError
from .trust import AUTHORITIES, Trust
from .websocket import WebSocket, open_websocket

PATH = "/ws"
EVERYTHING = (ADMIN, READ, WRITE, APPROVALS, PAIRING)
"""What an operator's client asks for; the gateway gives of it what the credential has."""
_PROTOCOL = 4
_DETAILS = (("auth_rate_limited", "rate_limited"), ("auth_", "unauthorized"), ("missing_scope", "forbidden"))
"""Pieces of the dialect's own detail codes → what they are to us; the first that fits."""
_CODES = {
    "INVALID_REQUEST": "bad_request",
    "NOT_PAIRED": "not_paired",
    "FORBIDDEN": "forbidden",
    "UNAUTHORIZED": "unauthorized",
    "UNAVAILABLE": "service_unavailable",
}


class _Server(msgspec.Struct, frozen=True):
    version: str = ""


class _Auth(msgspec.Struct, frozen=True):
    role: str = ""
    scopes: list[str] = []


class _Features(msgspec.Struct, frozen=True):
    methods: list[str] = []


class Hello(msgspec.Struct, frozen=True):
    """What the gateway says when it admits a client, as far as it is looked at here."""

    protocol: int = 0
    server: _Server = _Server()
    auth: _Auth = _Auth()
    features: _Features = _Features()


class Gateway:
    """One connection to a hub's gateway; use it in `async with`, which waits until the hub has admitted it.

    Args:
        url: `http(s)://HOST:PORT` or `unix:/PATH`.
        token: Presented in `connect`; never in a header or the URL.
        trust: What makes the hub's certificate good, for https.
        scopes: What to ask for, in the dialect's words.
    """

    def __init__(
        self, url: str, token: str = "", *, trust: Trust = AUTHORITIES, scopes: Sequence[str] = EVERYTHING
    ) -> None:
        self._url = url
        self._token = token
        self._trust = trust
        self._scopes = scopes
        self._machine = ClientMachine(Generation.V4)
        self._socket: WebSocket | None = None
        self.hello = Hello()
        """What the gateway said when it admitted the client."""

    async def __aenter__(self) -> "Gateway":
        self._socket = await open_websocket(self._url, PATH, trust=self._trust)
        try:
            opened = await self._until(self._machine.start(time.monotonic()), "")
            self.hello = msgspec.json.decode(opened, type=Hello)
        except BaseException:
            await self._socket.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._socket is not None
        await self._socket.close()

    async def call(self, method: str, params: Mapping[str, Any] | None = None, *, wants_final: bool = False) -> object:
        """Call a method and return its payload; with `wants_final` an answer that only says `accepted` is waited out.

        Raises:
            HubError: The gateway's refusal, in our codes; `UnreachableError` when the connection ended.
        """
        request_id, actions = self._machine.call(method, msgspec.json.encode(params or {}), wants_final=wants_final)
        return msgspec.json.decode(await self._until(actions, request_id, wants_final=wants_final))

    async def _until(self, actions: Sequence[ClientAction], request_id: str, *, wants_final: bool = False) -> bytes:
        """Exchange messages until the answer to a request (or to `connect`) is here."""
        while True:
            for action in actions:
                if (payload := self._done(action, request_id, wants_final=wants_final)) is not None:
                    return payload
            actions = await self._receive()

    def _done(self, action: ClientAction, request_id: str, *, wants_final: bool) -> bytes | None:
        assert self._socket is not None
        if isinstance(action, Send):
            self._socket.send(action.payload)
        elif isinstance(action, Challenged):
            for sent in self._machine.connect(self._introduction()):
                self._done(sent, request_id, wants_final=wants_final)
        elif isinstance(action, Opened):
            return bytes(action.hello)
        elif isinstance(action, Refused):
            raise error_of(action.error)
        elif isinstance(action, End):
            raise UnreachableError(f"the gateway at {self._url} ended the connection: {action.reason or action.code}")
        elif isinstance(action, Answered) and action.id == request_id and (action.is_final or not wants_final):
            return bytes(action.payload)
        return None

    async def _receive(self) -> list[ClientAction]:
        assert self._socket is not None
        wait_s = self._machine.wake_at - time.monotonic()
        try:
            async with asyncio.timeout(None if wait_s == inf else max(wait_s, 0.0)):
                message = await self._socket.receive()
        except TimeoutError:
            return self._machine.tick(time.monotonic())
        if message is None:
            raise UnreachableError(f"the gateway at {self._url} closed the connection")
        return self._machine.receive(*message, time.monotonic())

    def _introduction(self) -> bytes:
        client = V4Client(id="cli", version=__version__, platform=sys.platform, mode="cli")
        return msgspec.json.encode(
            V4Connect(
                min_protocol=_PROTOCOL,
                max_protocol=_PROTOCOL,
                client=client,
                role=OPERATOR,
                scopes=list(self._scopes),
                auth=V4Auth(token=self._token),
                user_agent=f"instar/{__version__}",
            )
        )


def error_of(shape: ErrorShape) -> HubError:
    """Return a failure that the gateway told, in our codes where its details name one."""
    details = {} if isinstance(shape.details, msgspec.UnsetType) else shape.details
    named = str(details.get("code", "")).lower()
    named = next((ours for words, ours in _DETAILS if words in named), named)
    wait_ms = None if isinstance(shape.retry_after_ms, msgspec.UnsetType) else shape.retry_after_ms
    return HubError(
        named if named in CODES else _CODES.get(shape.code, "internal_error"),
        shape.message,
        hint=str(details.get("hint", "")),
        retryable=shape.retryable is True,
        retry_after_s=None if wait_ms is None else wait_ms / 1_000,
        detail={"gateway_code": shape.code, **details},
    )
