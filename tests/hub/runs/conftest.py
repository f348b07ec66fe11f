"""A hub without doors: real store, delivery and rooms; the runtime is a puppet whose strings the test pulls."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from instar.base.clock import now
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.base.tasks import TaskScope
from instar.bus.fanout import Delivery as Batch
from instar.bus.fanout import Fanout, Pump, SignalOut
from instar.hub.act import Act
from instar.hub.agents.agents import Agents
from instar.hub.agents.state import AgentState, put
from instar.hub.delivery.delivery import Delivery
from instar.hub.delivery.guard import LoopGuard
from instar.hub.delivery.policy import DeliveryPolicy
from instar.hub.identity.identity import Identity
from instar.hub.identity.policy import AuthPolicy
from instar.hub.identity.principals import Caller
from instar.hub.identity.roots import local_root
from instar.hub.rooms.applying import Applying
from instar.hub.rooms.directory import Directory
from instar.hub.rooms.governing import set_members, standing_room
from instar.hub.rooms.load import load
from instar.hub.rooms.messages import Messages
from instar.hub.runs import records
from instar.hub.runs.runs import Runs
from instar.hub.runs.work import Work
from instar.store.sqlite import open_store
from instar.wire.agents import Wake
from instar.wire.events import Event, RoomKey
from instar.wire.messages import Part, PartKind, SendMessage, Target, TargetKind
from instar.wire.names import Network, fqid
from instar.wire.rooms import ApplyRoom
from instar.wire.runs import Signal, TextDelta

NETWORK = Network("local", "Local")
RUNTIME = "test/puppet"
OPERATOR = Caller(local_root(), is_local=True)


class Strings:
    """One run of the puppet."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._updates: asyncio.Queue = asyncio.Queue()
        self.was_cancelled = False

    def say(self, update) -> None:
        self._updates.put_nowait(TextDelta(update) if isinstance(update, str) else update)

    def end(self, error: Exception | None = None) -> None:
        self._updates.put_nowait(error or StopAsyncIteration())

    async def updates(self):
        try:
            while True:
                update = await self._updates.get()
                if isinstance(update, StopAsyncIteration):
                    return
                if isinstance(update, Exception):
                    raise update
                yield update
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


class Puppet:
    """A runtime that does what the test says."""

    def __init__(self) -> None:
        self.runs: asyncio.Queue[Strings] = asyncio.Queue()
        self.unheeded = "ignore me"

    def heeds(self, agent_fqid, message) -> bool:
        return message.parts[0].text != self.unheeded

    def run(self, work):
        strings = Strings(work)
        self.runs.put_nowait(strings)
        return strings.updates()


class Listener:
    """A feed that keeps what it hears, in order."""

    def __init__(self) -> None:
        self.heard: list[Event | Signal] = []
        self._news = asyncio.Event()

    def deliver(self, delivery: Batch) -> None:
        self.heard.extend(delivery.events)
        self._news.set()

    def signal(self, signal: SignalOut) -> None:
        self.heard.append(signal.signal)
        self._news.set()

    def of(self, kind: str) -> list[Event]:
        return [one for one in self.heard if isinstance(one, Event) and one.type == kind]

    async def until(self, is_there: Callable[[], object]):
        while not (found := is_there()):
            self._news.clear()
            await self._news.wait()
        return found


class Recorder:
    """No ledger, no audit: they are the operations' own."""

    async def replay(self, tx, act):
        return None

    async def record(self, tx, act, result):
        return None


class World:
    """Everything below the operations."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.crashes: list[BaseException] = []

    async def open(self, *, budget_s: float = 60.0, **delivery) -> "World":
        self.store = await open_store(self.folder)
        self.fanout = Fanout()
        self.pump = Pump(self.fanout)
        self.store.on_commit(lambda committed: self.pump(committed.events))
        self.scope = TaskScope(lambda name, error: self.crashes.append(error))
        policy = DeliveryPolicy(**delivery)
        self.identity = Identity(self.store, self.pump, AuthPolicy(), NETWORK)
        self.directory = Directory(NETWORK, self.identity.authority)
        self.directory.connect(self.pump)
        self.guard = LoopGuard(self.store, self.pump, NETWORK, policy, self.scope)
        self.messages = Messages(self.store, self.directory, self.identity.authority, NETWORK, self.guard)
        self.agents = Agents(self.store, self.pump, self.fanout, self.identity.authority, self.directory, NETWORK)
        self.delivery = Delivery(
            self.store, self.pump, self.fanout, self.identity, self.directory, self.agents, NETWORK, policy,
            scope=self.scope, guard=self.guard,
        )  # fmt: skip
        self.runs = Runs(
            self.store, self.pump, self.fanout, self.delivery, self.messages, self.directory, self.agents, self.guard,
            self.scope, budget_s=budget_s,
        )  # fmt: skip
        self.stage = self.runs._hosting._stage
        self.puppet = Puppet()
        self.runs.serve(RUNTIME, self.puppet)
        await self.store.read(lambda reader: load(reader, self.directory, NETWORK))
        await self.agents.load()
        await self.delivery.load()
        self.listener = Listener()
        self.fanout.subscribe_everywhere(self.listener, frozenset(), signals=True)
        return self

    async def begin(self, *rooms: str) -> "World":
        """Declare what the tests need, then open the runs."""
        await Applying(self.store, NETWORK).ensure(
            [ApplyRoom(room, members=["guide", "operator"]) for room in rooms or ("general",)]
        )
        await self.register("guide")
        await self.runs.open()
        return self

    async def register(self, agent_id: str, runtime: str = RUNTIME) -> None:
        at = now()
        agent = AgentState(
            agent_id, agent_id.title(), f"actor_{agent_id}", "", runtime, Wake.ALL, {}, False, at, at,
            fqid=fqid("local", "agents", agent_id),
        )  # fmt: skip

        async def register(tx):
            await put(tx, agent)
            await tx.append(agent.draft("agent.registered", new_id("evt"), NETWORK, ""))

        await self.store.transact(register)

    async def change(self, kind: str, **fields) -> None:
        """Pause, resume or remove the agent as its operations do."""
        agent = self.agents.get("guide")
        assert agent is not None
        for name, value in fields.items():
            setattr(agent, name, value)

        async def change(tx):
            await put(tx, agent)
            await tx.append(agent.draft(kind, new_id("evt"), NETWORK, ""))

        await self.store.transact(change)

    async def send(self, text: str, room: str = "general", message_id: str = ""):
        target = Target(TargetKind.ROOM, room_id=room)
        return await self.messages.deliver(OPERATOR, SendMessage(target, [Part(PartKind.TEXT, text)], message_id))

    async def join(self, agent_id: str, room: str = "general") -> None:
        """Make an agent a member of a room, beside those who are."""

        async def join(tx):
            state = await standing_room(tx, RoomKey(f"room:{room}"), NETWORK)
            await set_members(tx, state, [*state.members, agent_id], "")

        await self.store.transact(join)

    async def invoke(self, name: str, params, caller: Caller = OPERATOR):
        binding = next(each for each in self.runs.bindings() if each.operation.name == name)
        found = binding.locate(caller, params)
        if asyncio.iscoroutine(found):
            found = await found
        return await binding.handler(self.act(binding, params, caller, found))

    async def all_runs(self) -> list[records.RunRecord]:
        return await self.store.read(
            lambda reader: records.page(reader, agent_id="", state="", created_before=2**62, before="", limit=500)
        )

    async def stored_partial(self) -> records.RunRecord:
        """Wait until the newest run has stored what it said."""
        while True:
            if (newest := (await self.all_runs())[0]).partial:
                return newest

    async def said(self, room: str = "general") -> list[str]:
        rows = await self.store.read(
            lambda reader: reader.rows(
                "SELECT payload FROM events WHERE room = ?1 AND type = 'message.created' ORDER BY seq", f"room:{room}"
            )
        )
        return [msgspec.json.decode(row[0])["parts"][0]["text"] for row in rows]

    async def finished(self, count: int = 1) -> list[dict]:
        """Wait for so many ends of runs, and return them."""
        events = await self.listener.until(
            lambda: len(self.listener.of("run.finished")) >= count and self.listener.of("run.finished")
        )
        return [msgspec.json.decode(event.payload) for event in events]

    async def idle(self) -> None:
        """Wait until no run is under way."""
        await self.listener.until(lambda: not self.runs.open_runs())

    async def remove(self) -> None:
        agent = self.agents.get("guide")
        assert agent is not None
        draft = agent.draft("agent.removed", new_id("evt"), NETWORK, "")

        async def remove(tx):
            await tx.execute("UPDATE agents SET removed_at = 1 WHERE id = 'guide'")
            await tx.append(draft)

        await self.store.transact(remove)

    async def unsettled(self) -> int:
        await asyncio.sleep(0)  # what is known needs no wait; whoever asks in a loop must let the others work
        return await self.delivery.inboxes.count("guide")

    async def image(self) -> Path:
        """Return an image of the disk as a power cut would leave it now; this world goes on."""
        image = self.folder.with_name(self.folder.name + "+")
        await asyncio.to_thread(shutil.copytree, self.folder, image)
        return image

    def act(self, binding, params, caller: Caller = OPERATOR, found=None) -> Act:
        return Act(caller, binding.operation, params, found, self.store, Recorder())

    async def close(self) -> None:
        await self.scope.close()
        await self.delivery.close()
        await self.store.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World(tmp_path / "hub").open()
    yield await opened.begin()
    await opened.close()
    assert [error for error in opened.crashes if not isinstance(error, InstarError)] == []


def room_key(room: str = "general") -> RoomKey:
    return RoomKey(f"room:{room}")
