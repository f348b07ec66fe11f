"""SSH targets over a real store, and where a test asks for one, a real sshd."""

import asyncio
import os
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from instar.hub.act import Act
from instar.hub.operations.recorder import Recorder
from instar.hub.secrets import Secrets
from instar.hub.ssh.ssh import SshTargets
from instar.wire import ssh as wire
from instar.wire.execution import Outcome, Preparation, Start
from instar.wire.ssh import SshMode
from tests.hub.conftest import Engine

from .daemon import Sshd, missing

OPERATIONS = {operation.name.removeprefix("ssh."): operation for operation in wire.OPERATIONS}


class Sink:
    """Takes everything of one call, and allows more as it comes."""

    def __init__(self) -> None:
        self.chunks: dict[int, list[bytes]] = {1: [], 2: []}
        self.outcome: Outcome | None = None
        self.broken = ""
        self.has_started = False
        self.upto = 0
        self.news = asyncio.Event()
        self.allow: Callable[[int, int], None] = lambda channel, upto: None

    def started(self) -> None:
        self.has_started = True

    def output(self, channel: int, offset: int, content: bytes | memoryview) -> None:
        assert offset == len(self.of(channel))
        self.chunks[channel].append(bytes(content))
        self.allow(channel, offset + len(content) + 4_194_304)
        self.news.set()

    def allowed(self, upto: int) -> None:
        self.upto = upto

    def ended(self, outcome: Outcome) -> None:
        assert self.outcome is None
        self.outcome = outcome
        self.news.set()

    def severed(self, reason: str) -> None:
        self.broken = reason
        self.news.set()

    def of(self, channel: int) -> bytes:
        return b"".join(self.chunks[channel])

    @property
    def out(self) -> bytes:
        return self.of(1)

    @property
    def err(self) -> bytes:
        return self.of(2)

    async def until(self, is_so: Callable[[], Any]) -> None:
        async with asyncio.timeout(30):
            while not is_so():
                self.news.clear()
                await self.news.wait()

    async def end(self) -> Outcome:
        await self.until(lambda: self.outcome or self.broken)
        assert self.outcome is not None, self.broken
        return self.outcome


class World:
    """A hub's SSH targets: `do` is an operation, `run` is a call."""

    def __init__(self, engine: Engine, client: tuple[str, ...]) -> None:
        self.engine = engine
        self.secrets = Secrets()
        self.ssh = SshTargets(engine.store, engine.pump, self.secrets, engine.scope, client)
        self._bindings = {binding.operation.name: binding for binding in self.ssh.bindings()}
        self._calls = 0

    async def load(self) -> None:
        await self.secrets.load(self.engine.data_dir / "secrets-key", self.engine.store)
        await self.ssh.load()

    async def do(self, name: str, /, **params: Any) -> Any:
        operation = OPERATIONS[name]
        binding, caller = self._bindings[operation.name], self.engine.admin
        decoded = msgspec.convert(params, operation.params)
        located = binding.locate(caller, decoded)
        self.engine.identity.authority.require(caller, operation.verb, operation.object, located)
        act = Act(caller, operation, decoded, located, self.engine.store, Recorder(), "req_1", "", None)
        return await binding.handler(act)

    async def add(self, sshd: Sshd, mode: SshMode, *, label: str = "box", pinned: bool = True) -> Any:
        """Name a daemon; in managed mode by its login key."""
        key = ""
        if mode is SshMode.MANAGED:
            key = (await self.do("import_key", name=f"key-of-{label}", private_key=sshd.login_key.read_text())).id
        known_host = sshd.known_host if pinned else ""
        return await self.do(
            "add_target", label=label, address=sshd.address, port=sshd.port, mode=mode, key=key, known_host=known_host
        )

    def preparation(self, tool: str, args: dict[str, Any], **more: Any) -> Preparation:
        self._calls += 1
        # Another worker's calls run on the same machine, and a call that is stopped takes all that bears its id along.
        call_id = f"call_{os.getpid()}_{id(self)}_{self._calls}"
        return Preparation(call_id, tool, msgspec.Raw(msgspec.json.encode(args)), **more)

    async def start(self, target: Any, tool: str, args: dict[str, Any], deadline_s: float = 0.0, **more: Any) -> Any:
        """Begin a call; return its executor, id and sink."""
        executor = self.ssh.executor(f"ssh:{target.id}")
        assert executor is not None
        preparation = self.preparation(tool, args, **more)
        prepared = await executor.prepare(preparation)
        sink = Sink()
        sink.allow = lambda channel, upto: executor.allow(preparation.call_id, channel, upto)
        await executor.start(Start(preparation, prepared.digest, deadline_s), sink)
        return executor, preparation.call_id, sink

    async def run(self, target: Any, tool: str, args: dict[str, Any], **more: Any) -> tuple[Outcome, Sink]:
        _, _, sink = await self.start(target, tool, args, **more)
        return await sink.end(), sink

    async def shell(self, target: Any, line: str, **more: Any) -> tuple[Outcome, Sink]:
        return await self.run(target, "shell", {"command": line}, **more)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A running daemon of this module."""
    if cause := missing():
        pytest.skip(cause)
    daemon = Sshd(tmp_path_factory.mktemp("sshd"))
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture
def make_world(engine: Engine) -> Callable[..., Any]:
    """Make targets over the engine, with a client that reads no configuration of the account."""

    async def make(client: tuple[str, ...] = ("ssh", "-F", "none")) -> World:
        world = World(engine, client)
        await world.load()
        return world

    return make


@pytest.fixture
async def world(make_world: Callable[..., Any], request: pytest.FixtureRequest) -> World:
    """Targets; of a test with a daemon, with the client that may log in there."""
    daemon = request.getfixturevalue("sshd") if "sshd" in request.fixturenames else None
    return await make_world(daemon.client if daemon else ("ssh", "-F", "none"))


@pytest.fixture(params=[SshMode.SYSTEM, SshMode.MANAGED])
async def target(request: pytest.FixtureRequest, world: World, sshd: Sshd) -> Any:
    """The daemon as a pinned target, in both modes."""
    return await world.add(sshd, request.param)
