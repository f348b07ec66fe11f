"""The native link as an asyncio client: operations, events and signals on one socket that mends itself."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from math import inf
from types import TracebackType
from typing import Any

import msgspec

from instar.base.backoff import full_jitter
from instar.base.tasks import TaskScope
from instar.wire.delivery import EventPage
from instar.wire.limits import PAGE_MAX
from instar.wire.native.actions import (
    Answered,
    Arrived,
    ClientAction,
    End,
    Granted,
    Lost,
    Missed,
    Over,
    Refused,
    Send,
    SendBytes,
    Signalled,
    Took,
    Welcomed,
)
from instar.wire.native.client import ClientMachine, State
from instar.wire.native.frames import SUBPROTOCOL, Hello, Welcome

from .errors import HubError, UnreachableError
from .refusals import refusal
from .trust import AUTHORITIES, Trust
from .watching import CallWatch
from .websocket import WebSocket, open_websocket

ATTACH_PATH = "/v1/attach"
RECONNECT_BASE_S = 0.1
RECONNECT_MAX_S = 15.0
NEWS_MAX = 1_024
"""Batches and signals that wait for the reader before the link stops reading from the hub."""

News = Arrived | Missed | Lost | Signalled
"""What comes without being asked for: batches of events, holes in them, signals."""
JsonObject = dict[str, Any]


class Link:
    """A client's end of `instar.v1`; use it in `async with`, which waits until the hub has welcomed it.

    A broken link is made again with full-jitter back-off and goes on at its cursor: events come once and in order.
    Operations under way when it breaks raise `UnreachableError`: their outcome is unknown, and a repeat with the
    same `key` (or message id) is safe. Whoever wants the feed must read `news` or `events`: beyond `NEWS_MAX` the link
    stops reading, as it must, and answers stop with it only while no operation is under way.

    Args:
        url: `http(s)://HOST:PORT` or `unix:/PATH`.
        token: Sent as Bearer.
        feed: Whether it wants the events that it may read.
        cursor: Event id or `seq` after which they begin; empty: from now.
        signals: Whether it wants signals too.
        client: Name and version, for the hub's logs.
        trust: What makes the hub's certificate good, for https.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        feed: bool = True,
        cursor: str = "",
        signals: bool = False,
        client: str = "instar-python",
        trust: Trust = AUTHORITIES,
    ) -> None:
        self._url = url
        self._token = token
        self._trust = trust
        self._hello = Hello(client, feed, cursor, signals)
        self._machine = ClientMachine(self._hello)
        self._socket: WebSocket | None = None
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._watches: list[CallWatch] = []
        self._news: deque[News] = deque()
        self._stirred = asyncio.Event()
        self._room = asyncio.Event()
        self._welcomed: asyncio.Future[Welcome] = asyncio.get_running_loop().create_future()
        self._failure: HubError | None = None
        self._tasks = TaskScope(lambda _name, error: self._fail(HubError("internal_error", repr(error))))

    async def __aenter__(self) -> "Link":
        self._tasks.start("link", self._keep())
        try:
            await asyncio.shield(self._welcomed)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def cursor(self) -> str:
        """Where the feed stands: with what another link goes on."""
        return self._machine.cursor

    @property
    def welcome(self) -> Welcome:
        """How the hub introduced itself when the link was first made."""
        return self._welcomed.result()

    async def call(
        self, operation: str, params: Mapping[str, Any] | msgspec.Struct | None = None, *, key: str = ""
    ) -> JsonObject:
        """Ask for an operation and return its result.

        Raises:
            HubError: The hub's refusal; `UnreachableError` when the link is down or broke before the answer.
        """
        if self._failure is not None:
            raise self._failure
        if self._socket is None:
            raise UnreachableError(f"the link to {self._url} is down")
        op_id, actions = self._machine.invoke(operation, msgspec.json.encode(params or {}), key)
        answer = self._waiting[op_id] = asyncio.get_running_loop().create_future()
        self._room.set()
        self._act(actions)
        try:
            return msgspec.json.decode(await answer, type=JsonObject)
        finally:
            self._waiting.pop(op_id, None)

    def watch(self, call_id: str, offsets: Mapping[int, int] | None = None) -> CallWatch:
        """Watch a call's output from these offsets, and write its input; see `CallWatch`. Close it in the end.

        Whether the call can be watched shows when it is read: `CallWatch.outputs` and `call` raise `HubError`.
        """
        watch = CallWatch(self, call_id, offsets or {})
        self._watches.append(watch)
        if self._failure is not None:
            watch.over(self._failure)
        elif (machine := self.machine()) is not None:
            watch.begin(machine)
        return watch

    async def news(self) -> AsyncIterator[News]:
        """Yield what comes, across breaks of the link, until it is closed. One reader at a time.

        Raises:
            HubError: The link ended for good: no credential, no right.
        """
        while True:
            while self._news:
                item = self._news.popleft()
                self._room.set()
                yield item
            if self._failure is not None:
                raise self._failure
            self._stirred.clear()
            await self._stirred.wait()

    async def events(self) -> AsyncIterator[JsonObject]:
        """Yield events one by one; a hole is filled from the hub's log, a lost place comes as `stream.replay_gap`.

        Raises:
            HubError: As `news`.
        """
        holes: dict[tuple[str, int], Missed] = {}
        async for item in self.news():
            if isinstance(item, Missed):
                holes[item.room, item.prev_seq] = item
            elif isinstance(item, Arrived):
                for raw in item.events:
                    event = msgspec.json.decode(raw, type=JsonObject)
                    if (hole := holes.pop((event["room_key"], event["prev"]), None)) is not None:
                        async for missed in self._between(hole):
                            yield missed
                    yield event
            elif isinstance(item, Lost):
                yield {"type": "stream.replay_gap", "replay_gap": msgspec.json.decode(item.replay_gap)}

    async def close(self) -> None:
        """End the link; operations under way raise, readers end with `UnreachableError`."""
        self._fail(UnreachableError("the link was closed"))
        await self._tasks.close()

    # What watches ask for (`watching.Carrier`)

    def machine(self) -> ClientMachine | None:
        """Return the machine while the link is open."""
        return self._machine if self._machine.state is State.OPEN else None

    def act(self, actions: Sequence[ClientAction]) -> None:
        """Carry out what the machine asks."""
        self._act(actions)

    async def drain(self) -> None:
        """Wait while the hub takes less than is sent."""
        if self._socket is not None:
            await self._socket.drain()

    def unwatched(self, watch: CallWatch) -> None:
        """Forget a watch. Twice is no error."""
        if watch in self._watches:
            self._watches.remove(watch)

    async def _between(self, hole: Missed) -> AsyncIterator[JsonObject]:
        kind, _, room_id = hole.room.partition(":")
        after = str(hole.known_seq)
        while True:
            query = {"after": after, f"{kind}_id": room_id, "limit": PAGE_MAX}
            page = msgspec.convert(await self.call("events.read", query), EventPage)
            for event in page.events:
                if event.seq > hole.prev_seq:
                    return
                yield msgspec.to_builtins(event)
            if not page.has_more:
                return
            after = page.cursor

    async def _keep(self) -> None:
        """Make the link, and make it again."""
        delays = full_jitter(RECONNECT_BASE_S, RECONNECT_MAX_S)
        while True:
            ended = await self._live()
            was_open = self._machine.state is State.OPEN
            self._machine.close()
            if not (ended.retryable and self._welcomed.done()):
                self._fail(ended)
                return
            self._interrupt(UnreachableError(f"the link broke before the answer: {ended.message}"))
            if was_open:
                delays = full_jitter(RECONNECT_BASE_S, RECONNECT_MAX_S)
            await asyncio.sleep(max(next(delays), ended.retry_after_s or 0.0))
            self._machine = ClientMachine(msgspec.structs.replace(self._hello, cursor=self._machine.cursor))

    async def _live(self) -> HubError:
        """Live through one socket and return why it ended."""
        try:
            socket = await open_websocket(
                self._url, ATTACH_PATH, token=self._token, subprotocol=SUBPROTOCOL, trust=self._trust
            )
        except HubError as error:
            return error
        self._socket = socket
        try:
            ended = self._act(self._machine.start(time.monotonic()))
            while ended is None:
                ended = await self._step(socket)
                await self._make_room()
        except HubError as error:
            return error
        else:
            return ended
        finally:
            self._socket = None
            await socket.close()

    async def _step(self, socket: WebSocket) -> HubError | None:
        """Take one message, or do what is due when none comes; return why the link ended, if it did."""
        wait_s = self._machine.wake_at - time.monotonic()
        try:
            async with asyncio.timeout(None if wait_s == inf else max(wait_s, 0.0)):
                message = await socket.receive()
        except TimeoutError:
            return self._act(self._machine.tick(time.monotonic()))
        if message is None:
            return UnreachableError(f"{self._url} closed the link")
        return self._act(self._machine.receive(*message, time.monotonic()))

    async def _make_room(self) -> None:
        """Wait while the reader is far behind, unless an answer is awaited."""
        while len(self._news) >= NEWS_MAX and not self._waiting:
            self._room.clear()
            await self._room.wait()

    def _act(self, actions: Sequence[ClientAction]) -> HubError | None:
        """Do what the machine asks; return why the link ended, if it did."""
        for action in actions:
            match action:
                case Send(payload):
                    if self._socket is not None:
                        self._socket.send(payload)
                case Answered(op_id, result):
                    self._settle(op_id, bytes(result))
                case Refused(op_id, error):
                    self._settle(op_id, refusal(error))
                case Welcomed(welcome):
                    self._open(welcome)
                case End(code, message):
                    return HubError(code or "unreachable", message)
                case Arrived() | Missed() | Lost() | Signalled():
                    self._news.append(action)
                    self._stirred.set()
                case _:
                    self._stream(action)
        return None

    def _open(self, welcome: Welcome) -> None:
        if not self._welcomed.done():
            self._welcomed.set_result(welcome)
        for watch in tuple(self._watches):
            watch.begin(self._machine)

    def _stream(self, action: ClientAction) -> None:
        """Do what concerns a watched call; each has its stream on this very link."""
        if isinstance(action, SendBytes):
            if self._socket is not None:
                self._socket.send_bytes(action.payload)
        elif isinstance(action, Took | Granted | Over):
            watch = next((each for each in self._watches if each.stream == action.stream), None)
            if watch is None:
                return
            if isinstance(action, Took):
                watch.took(action.channel, action.offset, action.content)
            elif isinstance(action, Granted):
                watch.granted(action.upto)
            else:
                watch.stream = 0
                watch.ended(action)

    def _settle(self, op_id: int, outcome: bytes | HubError) -> None:
        answer = self._waiting.get(op_id)
        if answer is None or answer.done():
            return
        if isinstance(outcome, HubError):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    def _interrupt(self, error: HubError) -> None:
        """Tell all who wait for an answer that none will come."""
        for op_id in list(self._waiting):
            self._settle(op_id, error)
        for watch in self._watches:
            watch.stream = 0

    def _fail(self, error: HubError) -> None:
        """End the link for good."""
        if self._failure is not None:
            return
        self._failure = error
        if not self._welcomed.done():
            self._welcomed.set_exception(error)
        self._interrupt(error)
        for watch in self._watches:
            watch.over(error)
        self._stirred.set()
