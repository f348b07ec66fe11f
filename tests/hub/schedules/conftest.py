"""A hub with schedules whose clock the test sets; nothing fires but when the test looks."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from instar.base.clock import MICROS_PER_S, Micros, from_rfc3339
from instar.hub.schedules.schedules import Schedules
from instar.wire.schedules import Slot
from tests.hub.conftest import NETWORK, Engine

BEGIN = "2026-03-02T08:00:00Z"


class Clock:
    """Wall-clock time that goes where the test says."""

    def __init__(self, at: str = BEGIN) -> None:
        self.at = from_rfc3339(at)

    def __call__(self) -> Micros:
        return self.at

    def set(self, at: str) -> None:
        self.at = from_rfc3339(at)

    def forward(self, seconds: float) -> None:
        self.at = Micros(self.at + round(seconds * MICROS_PER_S))


class World:
    """An engine with schedules: `look` is one turn of the scheduler."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.admin = engine.admin
        self.do = engine.do
        self.schedules = Schedules(
            engine.store, engine.pump, engine.identity, engine.rooms, engine.agents, engine.delivery.switch, NETWORK,
            engine.scope, clock=clock,
        )  # fmt: skip
        self.look = self.schedules.scheduler.look
        engine.bindings.update({binding.operation.name: binding for binding in self.schedules.bindings()})

    async def schedule(self, timing: dict[str, Any] | None = None, **more: Any) -> Any:
        """Make a schedule in `room:review`, each minute unless told otherwise."""
        body = {"name": "Minute", "timing": timing or each(60), "room": "room:review", "text": "tick"}
        return await self.do(self.admin, "schedules.create", **(body | more))

    async def pass_time(self, seconds: int, step_s: int = 1) -> None:
        """Let time pass as it does: a look at each step."""
        for _ in range(0, seconds, step_s):
            self.clock.forward(step_s)
            await self.look()

    async def settle(self) -> None:
        """Look until nothing more is due."""
        while await self.look() == 0:
            pass

    def ended(self, *states: str) -> list[Slot]:
        """The slots that ended since the engine's start, in order."""
        kinds = {f"schedule.{state}" for state in states or ("fired", "missed")}
        return [msgspec.json.decode(each.payload, type=Slot) for each in self.engine.events if each.type in kinds]

    def times(self, *states: str) -> list[str]:
        """When they were due, minutes and seconds only."""
        return [slot.at[11:19] for slot in self.ended(*states)]

    def said(self) -> list[dict[str, Any]]:
        """The messages of schedules."""
        found = [msgspec.json.decode(event.payload) for event in self.engine.of("message.created")]
        return [message for message in found if message["from"]["type"] == "schedule"]


def each(seconds: float) -> dict[str, Any]:
    return {"kind": "every", "seconds": seconds}


def cron(expression: str, zone: str = "UTC") -> dict[str, Any]:
    return {"kind": "cron", "expression": expression, "time_zone": zone}


def at(time: str) -> dict[str, Any]:
    return {"kind": "at", "time": time}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def begin(make_engine: Callable[..., Any], clock: Clock) -> Callable[..., Any]:
    """Start a hub; starting it again is a restart: what it had in memory is gone."""

    async def start(**auth: Any) -> World:
        world = World(await make_engine(**auth), clock)
        await world.schedules.load()
        return world

    return start


@pytest.fixture
async def world(begin: Callable[..., Any]) -> World:
    """A running hub with an agent `beta` and a room `review` that it is in."""
    world = await begin()
    await world.engine.agent("beta")
    await world.engine.room("review", "beta")
    return world
