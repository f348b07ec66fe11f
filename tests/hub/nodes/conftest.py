"""A hub with nodes: devices that were let in, links that answer as they are told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from instar.base.clock import MICROS_PER_S, Micros, now
from instar.base.errors import InstarError
from instar.hub.identity.authentication import Credential
from instar.hub.identity.devices.admission import Given, admit
from instar.hub.identity.principals import Caller
from instar.hub.nodes.nodes import Nodes
from instar.hub.nodes.sessions import LinkedSession
from instar.wire.devices import Device, Facts, Role
from instar.wire.execution import Declaration, Ok, Outcome
from instar.wire.identity import Scope

Answer = Callable[[str, Any, int], Any]


class FakeLink:
    """A `NodeLink`: what is asked is answered by `answers`, what is sent is kept."""

    dialect = "instar"
    address = "192.0.2.7"

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, Any, int]] = []
        self.told: list[tuple[str, Any]] = []
        self.chunks: list[tuple[int, int, int, bytes]] = []
        self.credits: list[tuple[int, int, int]] = []
        self.ends: list[tuple[str, str]] = []
        self.buffered = 0
        self.session: LinkedSession

    async def ask(self, method: str, params: bytes, *, stream: int = 0, timeout_s: float = 20.0) -> bytes:
        if self.ends:
            raise InstarError("node_away", "the link has ended")
        self.asked.append((method, msgspec.json.decode(params), stream))
        answer = self.answers.get(method, lambda *_: Ok())(method, params, stream)
        answer = await answer if isinstance(answer, Awaitable) else answer
        return answer if isinstance(answer, bytes) else msgspec.json.encode(answer)

    def tell(self, method: str, params: bytes) -> None:
        self.told.append((method, msgspec.json.decode(params)))

    def chunk(self, stream: int, channel: int, offset: int, content: bytes | memoryview) -> None:
        self.chunks.append((stream, channel, offset, bytes(content)))

    def credit(self, stream: int, channel: int, upto: int) -> None:
        self.credits.append((stream, channel, upto))

    def buffered_bytes(self) -> int:
        return self.buffered

    def end(self, code: str, message: str) -> None:
        self.ends.append((code, message))


class Sink:
    """A `CallSink` that keeps what it is told, in order."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def started(self) -> None:
        self.heard.append("started")

    def output(self, channel: int, offset: int, content: bytes | memoryview) -> None:
        self.heard.append((channel, offset, bytes(content)))

    def allowed(self, upto: int) -> None:
        self.heard.append(("allowed", upto))

    def ended(self, outcome: Outcome) -> None:
        self.heard.append(outcome)

    def severed(self, reason: str) -> None:
        self.heard.append(("severed", reason))


class Site:
    """Nodes on an engine, with a clock that the test moves."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.ahead = 0
        self.nodes = Nodes(engine.store, engine.pump, engine.fanout, engine.identity, engine.scope, clock=self.clock)
        engine.bindings |= {binding.operation.name: binding for binding in self.nodes.bindings()}

    def clock(self) -> Micros:
        return Micros(now() + self.ahead)

    def later(self, seconds: float) -> None:
        self.ahead += int(seconds * MICROS_PER_S)

    async def let_in(self, name: str = "build", role: Role = Role.NODE, device_id: str = "") -> Caller:
        """Let a device in and return who its token makes."""
        device_id = device_id or f"{name:0<64}"
        device = Device(device_id, f"dev_{device_id}", Facts(name), "2026-01-01T00:00:00Z")
        scopes = frozenset({Scope.NODE if role is Role.NODE else Scope.OBSERVE})

        async def work(tx: Any) -> tuple[Device, str]:
            return await admit(tx, self.engine.admin.grant, device, b"", Given(role, scopes), now(), hands_out=True)

        _, token = await self.engine.store.transact(work)
        return self.engine.identity.authenticate(Credential(token))

    async def connect(self, caller: Caller, link: FakeLink | None = None, **declared: Any) -> FakeLink:
        link = link or FakeLink()
        declared.setdefault("commands", ["exec", "shell"])
        link.session = await self.nodes.serve(caller, Declaration(**declared), link)
        return link

    async def do(self, name: str, /, **params: Any) -> Any:
        return await self.engine.do(self.engine.admin, name, **params)

    async def permitted(self, name: str = "build", *commands: str, **declared: Any) -> FakeLink:
        link = await self.connect(await self.let_in(name), **declared)
        await self.do("nodes.permit", node_id=link.session.node_id, permit={"commands": commands or ["*"]})
        return link

    async def settle(self) -> None:
        """Let what was started write itself down."""
        for _ in range(20):
            await asyncio.sleep(0)
        await self.engine.store.transact(_nothing)


async def _nothing(tx: Any) -> None:
    await tx.row("SELECT 1")


@pytest.fixture
async def site(engine: Any) -> AsyncIterator[Site]:
    site = Site(engine)
    await site.nodes.load()
    engine.identity.devices.hub_key.load(engine.data_dir / "hub-key")
    yield site
    await site.nodes.close()


@pytest.fixture
async def restart(make_engine: Callable[..., Any], tmp_path: Path) -> Callable[[], Awaitable[Site]]:
    """Start a hub anew on what is stored."""

    async def start() -> Site:
        site = Site(await make_engine())
        await site.nodes.load()
        return site

    return start
