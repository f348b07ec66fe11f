"""A real store, identity and rooms; only the loop guard is a stand-in."""

import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.bus.fanout import Fanout, Pump
from instar.hub.act import Act
from instar.hub.identity.identity import Identity
from instar.hub.identity.policy import AuthPolicy
from instar.hub.identity.principals import ANONYMOUS, Caller, Grant
from instar.hub.operations.recorder import Recorder
from instar.hub.rooms import Admitted, RoomPolicy, Rooms
from instar.store.blobs import Blobs
from instar.store.seam import HOME, Store
from instar.store.sqlite import SqliteStore
from instar.wire import messages as m
from instar.wire import rooms as r
from instar.wire.events import Event
from instar.wire.identity import Principal, PrincipalKind, Scope
from instar.wire.names import Network
from instar.wire.table import TABLE

NETWORK = Network("local", "Local Net")


class FreeAdmission:
    """Admits everything, or raises what a test puts in `refusal`."""

    def __init__(self) -> None:
        self.refusal: InstarError | None = None
        self.asked: list[tuple[str, bool, str, str]] = []

    def admit(self, sender: m.Actor, is_agent: bool, room: Any, cause: str) -> Admitted:
        self.asked.append((sender.id, is_agent, room.key, cause))
        if self.refusal is not None:
            raise self.refusal
        return Admitted(1 if cause else 0, cause)


class Bench:
    """Rooms with what they stand on, and `do`: an operation as `hub.operations` does it."""

    def __init__(self, store: Store, data_dir: Path, policy: AuthPolicy, uploads: RoomPolicy) -> None:
        self.store = store
        self.data_dir = data_dir
        self.fanout = Fanout()
        self.pump = Pump(self.fanout)
        self.events: list[Event] = []
        self.pump.watch(self.events.extend)
        store.on_commit(lambda committed: self.pump(committed.events))
        self.identity = Identity(store, self.pump, policy, NETWORK)
        self.admission = FreeAdmission()
        self.blobs = Blobs(data_dir / "blobs")
        self.rooms = Rooms(store, self.pump, self.identity, NETWORK, self.admission, self.blobs, uploads, data_dir)
        self.bindings = {binding.operation.name: binding for binding in self.rooms.bindings()}
        self.admin = person("operator", *Scope)
        self.alpha = self.agent("alpha")
        self.beta = self.agent("beta")
        self.gamma = self.agent("gamma")
        self.observer = person("watcher", Scope.OBSERVE)
        self.anonymous = Caller(Grant("", ANONYMOUS, "anonymous", frozenset()))

    def agent(self, agent_id: str) -> Caller:
        principal = Principal(agent_id, PrincipalKind.AGENT)
        grant = Grant(
            f"g-{agent_id}", principal, "agent", frozenset((Scope.WRITE, Scope.ATTACH)), frozenset((agent_id,))
        )
        self.identity.speakers.claim(agent_id, grant.id)
        return Caller(grant)

    async def do(
        self, caller: Caller, operation_name: str, /, *, key: str = "", body: Any = None, **params: Any
    ) -> Any:
        decoded = msgspec.convert(params, TABLE[operation_name].params)
        return await self.call(caller, operation_name, decoded, key=key, body=body)

    async def call(self, caller: Caller, name: str, params: Any, *, key: str = "", body: Any = None) -> Any:
        binding, operation = self.bindings[name], TABLE[name]
        located = binding.locate(caller, params)
        if inspect.isawaitable(located):
            located = await located
        self.identity.authority.require(caller, operation.verb, operation.object, located)
        act = Act(caller, operation, params, located, self.store, Recorder(), "req_1", key, body)
        return await binding.handler(act)

    async def room(self, room_id: str = "review", *members: str, **more: Any) -> r.Room:
        return await self.do(self.admin, "rooms.create", id=room_id, members=list(members or ("alpha", "beta")), **more)

    async def say(
        self, caller: Caller, text: str, target: dict[str, Any] | None = None, **more: Any
    ) -> m.MessageAccepted:
        parts = more.pop("parts", [{"kind": "text", "text": text}])
        target = target or {"kind": "room", "room_id": "review"}
        return await self.do(caller, "messages.send", target=target, parts=parts, **more)

    def types(self, *, since: int = 0) -> list[str]:
        return [event.type for event in self.events if event.seq > since and event.type != "audit.recorded"]

    async def indexed(self) -> None:
        while await self.rooms.search.follower.step():
            pass


def person(name: str, *scopes: Scope) -> Caller:
    return Caller(Grant(f"g-{name}", Principal(name, PrincipalKind.OPERATOR, name.title()), "key", frozenset(scopes)))


@pytest.fixture
async def make(store: SqliteStore, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Make a bench with settings of the test's own."""
    made: list[Bench] = []

    async def build(uploads: RoomPolicy | None = None, *, on: Store | None = None, **policy: Any) -> Bench:
        bench = Bench(on or store, tmp_path, AuthPolicy(**policy), uploads or RoomPolicy())
        await bench.rooms.load()
        made.append(bench)
        return bench

    yield build
    for bench in made:
        await bench.rooms.close()


@pytest.fixture
async def bench(make: Callable[..., Any]) -> Bench:
    return await make()


async def refused(code: str, awaitable: Any) -> InstarError:
    """Expect an InstarError with this code and return it."""
    with pytest.raises(InstarError) as caught:
        await awaitable
    assert caught.value.code == code, caught.value
    return caught.value


async def count(store: Store, table: str) -> int:
    row = await store.read(lambda reader: reader.row(f"SELECT COUNT(*) FROM {table} WHERE org = ?1", HOME))
    assert row is not None
    return row[0]
