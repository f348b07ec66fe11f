"""A hub without doors: real store, identity, rooms, agents and delivery."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from instar.base.tasks import TaskScope
from instar.bus.fanout import Fanout, Pump
from instar.hub.act import Act
from instar.hub.agents.agents import Agents
from instar.hub.delivery.delivery import Delivery
from instar.hub.delivery.guard import LoopGuard
from instar.hub.delivery.policy import DeliveryPolicy
from instar.hub.identity.authentication import Credential
from instar.hub.identity.identity import Identity
from instar.hub.identity.policy import AuthPolicy
from instar.hub.identity.principals import Caller
from instar.hub.operations.recorder import Recorder
from instar.hub.rooms import RoomPolicy, Rooms
from instar.store.blobs import Blobs
from instar.store.sqlite import SqliteStore, open_store
from instar.wire.agents import RegisterAgent
from instar.wire.events import Event, ReplayGap, render
from instar.wire.names import Network
from instar.wire.table import TABLE

NETWORK = Network("local", "Local Net")


class Lines:
    """Renders events as lines of JSON."""

    def render(self, event: Event) -> bytes:
        return render(event, NETWORK.id) + b"\n"

    def join(self, rendered: Any) -> bytes:
        return b"".join(rendered)

    def signal(self, signal: Any) -> bytes:
        return msgspec.json.encode(signal) + b"\n"


LINES = Lines()


class FakeSocket:
    """A sink that takes everything at once, or nothing while it is frozen."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.frozen = False
        self.waiting_bytes = 0
        self.gaps: list[ReplayGap] = []
        self.end: tuple[str, str, str] | None = None

    def write(self, frames: bytes) -> None:
        self.taken.append(frames)
        if self.frozen:
            self.waiting_bytes += len(frames)

    def buffered_bytes(self) -> int:
        return self.waiting_bytes

    def gap(self, gap: ReplayGap) -> None:
        self.gaps.append(gap)

    def ended(self, code: str, message: str, cursor: str) -> None:
        self.end = (code, message, cursor)

    def thaw(self) -> None:
        self.frozen = False
        self.waiting_bytes = 0

    @property
    def events(self) -> list[dict[str, Any]]:
        lines = b"".join(self.taken).splitlines()
        return [event for event in map(msgspec.json.decode, lines) if "seq" in event]

    @property
    def signals(self) -> list[dict[str, Any]]:
        return [each for each in map(msgspec.json.decode, b"".join(self.taken).splitlines()) if "signal" in each]

    @property
    def texts(self) -> list[str]:
        return [each["message"]["parts"][0]["text"] for each in self.events if each["type"] == "message.created"]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


class Engine:
    """Everything below `hub.runs`, wired; `do` is an operation as `hub.operations` does it."""

    def __init__(
        self,
        store: SqliteStore,
        data_dir: Path,
        auth: AuthPolicy,
        policy: DeliveryPolicy,
        clock: Callable[[], float] | None,
    ) -> None:
        self.store = store
        self.data_dir = data_dir
        self.crashes: list[BaseException] = []
        self.scope = TaskScope(lambda name, error: self.crashes.append(error))
        self.fanout = Fanout()
        self.pump = Pump(self.fanout)
        self.events: list[Event] = []
        self.pump.watch(self.events.extend)
        store.on_commit(lambda committed: self.pump(committed.events))
        self.identity = Identity(store, self.pump, auth, NETWORK)
        timing = {"clock": clock} if clock else {}
        self.guard = LoopGuard(store, self.pump, NETWORK, policy, self.scope, **timing)
        self.rooms = Rooms(
            store, self.pump, self.identity, NETWORK, self.guard, Blobs(data_dir / "blobs"), RoomPolicy(), data_dir
        )
        directory = self.rooms.directory
        self.agents = Agents(store, self.pump, self.fanout, self.identity.authority, directory, NETWORK)
        self.rooms.apply.agents = self.agents.declaring
        self.rooms.sessions.is_agent = lambda agent_id: self.agents.get(agent_id) is not None
        self.delivery = Delivery(
            store, self.pump, self.fanout, self.identity, directory, self.agents, NETWORK, policy,
            scope=self.scope, guard=self.guard,
        )  # fmt: skip
        bound = (*self.rooms.bindings(), *self.agents.bindings(), *self.delivery.bindings(), *self.identity.bindings())
        self.bindings = {binding.operation.name: binding for binding in bound}
        self.admin: Caller

    async def load(self) -> None:
        await self.identity.load()
        await self.rooms.load()
        await self.agents.load()
        await self.delivery.load()
        token = await self.identity.local_grant(self.data_dir / "operator.token")
        self.admin = self.identity.authenticate(Credential(token, is_local=True))

    async def close(self) -> None:
        await self.delivery.close()
        await self.scope.close()
        await self.rooms.close()

    async def agent(self, agent_id: str, **more: Any) -> Caller:
        """Register an agent with a token and return the token's caller."""
        wanted = RegisterAgent(requested_agent_id=agent_id, issue_token=True, **more)
        registered = await self.agents.register(self.admin, wanted)
        return self.identity.authenticate(Credential(registered.agent_token))

    async def do(self, caller: Caller, name: str, /, **params: Any) -> Any:
        binding, operation = self.bindings[name], TABLE[name]
        decoded = msgspec.convert(params, operation.params)
        located = binding.locate(caller, decoded)
        if inspect.isawaitable(located):
            located = await located
        self.identity.authority.require(caller, operation.verb, operation.object, located)
        act = Act(caller, operation, decoded, located, self.store, Recorder(), "req_1", "", None)
        return await binding.handler(act)

    async def room(self, room_id: str, *members: str, **more: Any) -> Any:
        return await self.do(self.admin, "rooms.create", id=room_id, members=list(members), **more)

    async def say(self, caller: Caller, text: str, room_id: str = "review", **more: Any) -> Any:
        target = more.pop("target", {"kind": "room", "room_id": room_id})
        return await self.do(caller, "messages.send", target=target, parts=[{"kind": "text", "text": text}], **more)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.type == kind]

    async def until(self, is_so: Callable[[], Any]) -> None:
        """Let the loop turn until something is so."""
        for _ in range(1_000_000):
            if is_so():
                return
            await asyncio.sleep(0)
        raise AssertionError("it never came to be so")

    async def feed(self, caller: Caller, **more: Any) -> tuple[Any, FakeSocket]:
        socket = FakeSocket()
        return await self.delivery.open_feed(caller, socket, LINES, **more), socket


@pytest.fixture
async def make_engine(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Start a hub on this test's directory; starting another one first ends the one before, as a restart does."""
    running: list[Engine] = []

    async def stop() -> None:
        for engine in running:
            await engine.close()
            await engine.store.close()
            assert engine.crashes == []
        running.clear()

    async def start(auth: AuthPolicy | None = None, clock: Callable[[], float] | None = None, **policy: Any) -> Engine:
        await stop()
        store = await open_store(tmp_path / "hub")
        engine = Engine(store, tmp_path / "hub", auth or AuthPolicy(), DeliveryPolicy(**policy), clock)
        running.append(engine)
        await engine.load()
        return engine

    yield start
    await stop()


@pytest.fixture
async def engine(make_engine: Callable[..., Any]) -> Engine:
    """A running hub with the defaults."""
    return await make_engine()
