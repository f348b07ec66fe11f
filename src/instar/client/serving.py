"""A machine's end of the native link: it declares what it offers, and answers what the hub asks.

One `NodeConnection` is one socket: it does not mend itself, for a node proves its key anew each time. Whoever keeps
it up (`instar node run`) opens another when `ended` returns.
"""

import asyncio
import time
from collections.abc import Sequence
from math import inf
from typing import Protocol

import msgspec
from msgspec import Struct

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.wire.execution import Declaration
from instar.wire.limits import LINK_CHUNK_MAX_BYTES
from instar.wire.native.actions import Asked, ClientAction, End, Granted, Send, SendBytes, Told, Took, Welcomed
from instar.wire.native.client import ClientMachine
from instar.wire.native.frames import SUBPROTOCOL, Hello, Welcome
from instar.wire.nodes import Telemetry

from .errors import HubError, UnreachableError
from .link import ATTACH_PATH
from .trust import AUTHORITIES, Trust
from .websocket import WebSocket, open_websocket

_encode = msgspec.json.Encoder().encode


class Service(Protocol):
    """What a node does with what it hears. All but `asked` are called on the loop, and must not block or raise."""

    async def asked(self, method: str, params: bytes, stream: int) -> Struct:
        """Answer what the hub asks (`wire.native.frames.Ask`); several run at once. `stream` carries a call's bytes.

        Raises:
            InstarError: The refusal; anything else that escapes is told as `internal_error`.
        """
        ...

    def told(self, method: str, params: bytes) -> None:
        """The hub says something that wants no answer: `settled` (CallOrder)."""
        ...

    def received(self, stream: int, channel: int, offset: int, content: bytes) -> None:
        """Input of a call came, in order; more comes when it is granted (`NodeConnection.allow`)."""
        ...

    def granted(self, stream: int, channel: int, upto: int) -> None:
        """The hub takes output of a channel up to this offset."""
        ...


class NodeConnection:
    """One link of a node, open from `open_node` until `ended` returns.

    Args:
        socket: Upgraded already.
        declaration: What the machine offers.
        service: What answers.
        client: Name and version, for the hub's logs.
    """

    def __init__(self, socket: WebSocket, declaration: Declaration, service: Service, client: str) -> None:
        self._socket = socket
        self._service = service
        self._machine = ClientMachine(Hello(client, feed=False, node=declaration))
        self._tasks = TaskScope(self._crashed)
        loop = asyncio.get_running_loop()
        self._welcomed: asyncio.Future[Welcome] = loop.create_future()
        self._over: asyncio.Future[HubError] = loop.create_future()
        self._stirred: set[asyncio.Future[None]] = set()

    async def __aenter__(self) -> "NodeConnection":
        """Introduce the machine and wait until the hub has taken it in.

        Raises:
            HubError: The hub's refusal; `UnreachableError` when the socket broke.
        """
        self._tasks.start("node link", self._live())
        try:
            await asyncio.wait((self._welcomed, self._over), return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            await self.close()
            raise
        if not self._welcomed.done():
            await self.close()
            raise self._over.result()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def welcome(self) -> Welcome:
        """How the hub introduced itself; `node_id` is the id that plans must name."""
        return self._welcomed.result()

    async def ended(self) -> HubError:
        """Wait until the link has ended and return why: `retryable` says whether another one may do better."""
        return await asyncio.shield(self._over)

    async def close(self) -> None:
        """End the link. Twice is no error."""
        self._finish(UnreachableError("the link was closed"))
        await self._tasks.close()
        await self._socket.close()

    # What the machine says

    def declare(self, declaration: Declaration) -> None:
        """Say what the machine offers from now on."""
        self.tell("declare", declaration)

    def report(self, telemetry: Telemetry) -> None:
        """Say how the machine is."""
        self.tell("telemetry", telemetry)

    def tell(self, method: str, params: Struct) -> None:
        """Say something that wants no answer: `started` (CallOrder), `ended` (Outcome). On an ended link it is lost."""
        self._act(self._machine.tell(method, _encode(params)))

    # Bytes of calls

    def upto(self, stream: int, channel: int) -> int | None:
        """Return how far the hub takes output of a channel now; None when the stream is over, or the link."""
        return self._machine.upto(stream, channel)

    async def send(self, stream: int, channel: int, offset: int, content: bytes | memoryview) -> bool:
        """Send output that begins at `offset`, as the hub takes it; wait for it. One caller at a time for a channel.

        Returns False when the stream or the link is over: what was not sent goes nowhere, keep it for `resume`.
        """
        left = memoryview(content)
        while left:
            upto = self._machine.upto(stream, channel)
            if upto is None:
                return False
            if (size := min(upto - offset, len(left), LINK_CHUNK_MAX_BYTES)) <= 0:
                await self._stir()
                continue
            self._act(self._machine.chunk(stream, channel, offset, left[:size]))
            await self._socket.drain()
            offset, left = offset + size, left[size:]
        return True

    def chunk(self, stream: int, channel: int, offset: int, content: bytes | memoryview) -> None:
        """Send output, at most `LINK_CHUNK_MAX_BYTES` of it and within `upto`, and wait for nothing.

        On a stream or link that is over it goes nowhere.
        """
        self._act(self._machine.chunk(stream, channel, offset, content))

    def allow(self, stream: int, channel: int, upto: int) -> None:
        """Take input up to this offset; before, `LINK_CREDIT_BYTES` from where it begins. Never more than a
        `LINK_CREDIT_BYTES` beyond what arrived: by that the sender knows what need not be sent again."""
        self._act(self._machine.credit(stream, channel, upto))

    def drop(self, stream: int) -> None:
        """A call has ended and `ended` was told: its stream is over. `send` on it returns False."""
        self._machine.drop(stream)
        self._wake()

    # Inner parts

    async def _live(self) -> None:
        """Live through the socket; the cause of its end is what `ended` returns."""
        self._act(self._machine.start(time.monotonic()))
        try:
            while not self._over.done():
                await self._step()
        except HubError as error:
            self._finish(error)

    async def _step(self) -> None:
        wait_s = self._machine.wake_at - time.monotonic()
        try:
            async with asyncio.timeout(None if wait_s == inf else max(wait_s, 0.0)):
                message = await self._socket.receive()
        except TimeoutError:
            self._act(self._machine.tick(time.monotonic()))
            return
        if message is None:
            raise UnreachableError("the hub closed the link")
        self._act(self._machine.receive(*message, time.monotonic()))

    def _act(self, actions: Sequence[ClientAction]) -> None:
        for action in actions:
            match action:
                case Send(payload):
                    self._socket.send(payload)
                case SendBytes(payload):
                    self._socket.send_bytes(payload)
                case Asked():
                    self._tasks.start("answer the hub", self._answer(action))
                case Took(stream, channel, offset, content):
                    self._service.received(stream, channel, offset, bytes(content))
                case Granted(stream, channel, upto):
                    self._wake()
                    self._service.granted(stream, channel, upto)
                case Told(method, params):
                    self._service.told(method, bytes(params))
                case Welcomed(welcome):
                    self._welcomed.set_result(welcome)
                case End(code, message):
                    self._finish(HubError(code or "unreachable", message))
                case _:
                    pass

    async def _answer(self, asked: Asked) -> None:
        try:
            answer = await self._service.asked(asked.method, bytes(asked.params), asked.stream)
        except InstarError as error:
            self._act(self._machine.refuse(asked.id, error))
        except Exception as error:  # noqa: BLE001 - the hub waits for an answer, whatever happened here
            self._act(self._machine.refuse(asked.id, InstarError("internal_error", f"the node failed: {error!r}")))
        else:
            self._act(self._machine.reply(asked.id, _encode(answer)))

    async def _stir(self) -> None:
        """Wait until credit came, a stream is over, or the link."""
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stirred.add(news)
        try:
            await news
        finally:
            self._stirred.discard(news)

    def _wake(self) -> None:
        for news in self._stirred:
            if not news.done():
                news.set_result(None)

    def _finish(self, error: HubError) -> None:
        self._machine.close()
        if not self._over.done():
            self._over.set_result(error)
        self._wake()

    def _crashed(self, name: str, error: BaseException) -> None:
        self._finish(HubError("internal_error", f"{name}: {error!r}"))


async def open_node(
    url: str,
    token: str,
    declaration: Declaration,
    service: Service,
    *,
    client: str = "instar-node",
    trust: Trust = AUTHORITIES,
) -> NodeConnection:
    """Connect to a hub as a node; use what is returned in `async with`, which waits for its welcome.

    Args:
        url: `http(s)://HOST:PORT` or `unix:/PATH`.
        token: Of a grant with scope `node`: what `devices.sign_in` in role node gives, or the device's own token.
        declaration: What the machine offers.
        service: What answers.
        client: Name and version, for the hub's logs.
        trust: What makes the hub's certificate good, for https.

    Raises:
        HubError: As `open_websocket`.
    """
    socket = await open_websocket(url, ATTACH_PATH, token=token, subprotocol=SUBPROTOCOL, trust=trust)
    return NodeConnection(socket, declaration, service, client)
