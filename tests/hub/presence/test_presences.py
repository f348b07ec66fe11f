"""Who is here, as callers and feeds are told."""

import asyncio
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.bus.fanout import Fanout, SignalOut
from instar.hub.act import Act
from instar.hub.identity.principals import Caller, Grant
from instar.hub.presence.presences import Presences, own_entry
from instar.wire import presence as wire
from instar.wire.events import PRESENCE
from instar.wire.identity import Principal, PrincipalKind, Scope
from instar.wire.limits import PRESENCE_PAUSE_S, PRESENCE_ROWS_PER_S, PRESENCE_S
from instar.wire.names import Network
from instar.wire.presence import PresenceChanged, PresenceEntry, PresenceNote
from tests.hub.conftest import Engine


def caller(name: str, *scopes: Scope) -> Caller:
    return Caller(Grant(f"g-{name}", Principal(name, PrincipalKind.DEVICE), "device", frozenset(scopes)))


ADA = caller("ada", Scope.OBSERVE, Scope.WRITE)
EVE = caller("eve")


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Listener:
    def __init__(self) -> None:
        self.heard: list[PresenceChanged] = []

    def deliver(self, delivery: object) -> None:
        raise AssertionError("presence is no event")

    def signal(self, signal: SignalOut) -> None:
        assert isinstance(signal.signal, PresenceChanged)
        self.heard.append(signal.signal)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fanout() -> Fanout:
    return Fanout()


@pytest.fixture
async def presences(fanout: Fanout, clock: Clock) -> Any:
    made = Presences(fanout, own_entry(Network("local", "Local")), clock=clock)
    yield made
    made.close()


async def note(presences: Presences, by: Caller, **said: Any) -> PresenceEntry:
    act: Act[Any, Any] = Act(by, wire.NOTE, PresenceNote(**said), None, None, None)  # type: ignore[arg-type]
    return await presences.note(act)


async def test_the_hub_itself_stands_first(presences: Presences) -> None:
    presences.open(ADA, PresenceEntry("c1", ""))
    own, _ = presences.here().entries
    assert (own.key, own.reason, own.mode) == ("local", "self", "hub")
    assert own.host
    assert own.version


async def test_who_is_the_callers_to_say_not_the_entrys(presences: Presences) -> None:
    forged = PresenceEntry("C1", "", principal="root", scopes=["admin"], role="operator", host="mac")
    presences.open(ADA, forged)
    _, row = presences.here().entries
    assert (row.key, row.principal, row.scopes) == ("c1", "ada", ["observe", "write"])
    assert (row.role, row.host, row.reason) == ("operator", "mac", "connect")
    assert row.at == row.since != ""


async def test_the_version_rises_with_each_change(presences: Presences) -> None:
    versions = [presences.version]
    here = presences.open(ADA, PresenceEntry("c1", ""))
    versions.append(presences.version)
    here.update(host="mac", idle_s=2.5)
    versions.append(presences.version)
    here.close()
    versions.append(presences.version)
    here.close()
    here.update(host="later")
    assert versions == sorted(set(versions))
    assert presences.version == versions[-1]
    row = presences.here().entries[1]
    assert (row.host, row.idle_s, row.reason) == ("mac", 2.5, "disconnect")


async def test_a_row_ends_with_the_last_connection_of_its_device(presences: Presences) -> None:
    one = presences.open(ADA, PresenceEntry("c1", "", device_id="D"))
    two = presences.open(ADA, PresenceEntry("c2", "", device_id="d", role="node"))
    assert [row.key for row in presences.here().entries[1:]] == ["d"]
    one.close()
    assert presences.here().entries[1].reason == "connect"
    two.close("read_error")
    assert presences.here().entries[1].reason == "read_error"


async def test_who_is_gone_is_forgotten_in_time(presences: Presences, clock: Clock) -> None:
    presences.open(ADA, PresenceEntry("c1", "")).close()
    presences.open(EVE, PresenceEntry("c2", ""))
    version = presences.here().version
    clock.now += PRESENCE_S
    here = presences.here()
    assert [row.key for row in here.entries] == ["local", "c2"]
    assert presences.version > version


async def test_a_connection_that_gave_way_comes_back_when_it_speaks(presences: Presences) -> None:
    first = presences.open(ADA, PresenceEntry("first", ""))
    for number in range(250):
        presences.open(EVE, PresenceEntry(f"c{number}", ""))
    assert "first" not in [row.key for row in presences.here().entries]
    first.close()
    assert "first" not in [row.key for row in presences.here().entries]
    again = presences.open(ADA, PresenceEntry("again", ""))
    for number in range(250):
        presences.open(EVE, PresenceEntry(f"d{number}", ""))
    again.update(text="still here")
    assert presences.here().entries[-1].text == "still here"


async def test_a_note_is_added_to_a_row_of_ones_own_and_else_stands_alone(presences: Presences) -> None:
    presences.open(ADA, PresenceEntry("c1", "", instance_id="Mac", host="mac"))
    added = await note(presences, ADA, text="Node: mac (1.2)", key="mac", version="1.2", tags=["laptop"], idle_s=3.0)
    assert (added.key, added.host, added.version, added.tags, added.principal) == (
        "mac",
        "mac",
        "1.2",
        ["laptop"],
        "ada",
    )
    foreign = await note(presences, EVE, text="I am mac", key="mac")
    assert foreign.principal == "eve"
    rows = {(row.key, row.principal): row.text for row in presences.here().entries[1:]}
    assert rows == {("mac", "ada"): "Node: mac (1.2)", ("mac", "eve"): "I am mac"}
    await note(presences, EVE, text="again", key="MAC")
    assert len(presences.here().entries) == 3


async def test_changes_are_told_together_and_in_time(presences: Presences, fanout: Fanout, clock: Clock) -> None:
    listener = Listener()
    fanout.subscribe(listener, [PRESENCE], signals=True)
    for number in range(5):
        presences.open(ADA, PresenceEntry(f"c{number}", ""))
    assert listener.heard == []
    await asyncio.sleep(0.01)
    (told,) = listener.heard
    assert told.version == presences.version
    assert len(told.entries) == 6
    presences.open(ADA, PresenceEntry("next", ""))
    timer = presences._telling
    assert timer is not None
    assert timer.when() - asyncio.get_running_loop().time() == pytest.approx(PRESENCE_PAUSE_S, abs=0.05)


async def test_where_many_listen_changes_are_told_less_often(presences: Presences, fanout: Fanout) -> None:
    for _ in range(2_000):
        fanout.subscribe(Listener(), [PRESENCE], signals=True)
    for number in range(99):
        presences.open(ADA, PresenceEntry(f"c{number}", ""))
    assert presences._pause_s() == 100 * 2_000 / PRESENCE_ROWS_PER_S


class TestOperations:
    """Through the authority, on a real hub without doors."""

    async def test_only_observers_hear_of_it(self, engine: Engine) -> None:
        beta = await engine.agent("beta")
        presences = Presences(engine.fanout, own_entry(Network("local", "Local")))
        _, told = await engine.feed(engine.admin, signals=True)
        _, untold = await engine.feed(beta, signals=True)
        presences.open(beta, PresenceEntry("c1", ""))
        await engine.until(lambda: told.signals)
        assert [signal["signal"] for signal in told.signals] == ["presence.changed"]
        assert untold.signals == []
        presences.close()

    async def test_who_may_read_and_write_it(self, engine: Engine) -> None:
        beta = await engine.agent("beta")
        presences = Presences(engine.fanout, own_entry(Network("local", "Local")))
        engine.bindings |= {binding.operation.name: binding for binding in presences.bindings()}
        with pytest.raises(InstarError, match="scope observe"):
            await engine.do(beta, "presence.list")
        with pytest.raises(InstarError, match="scopes admin and operate"):
            await engine.do(beta, "presence.note", text="x")
        left = await engine.do(engine.admin, "presence.note", text="x", key="k")
        listed = await engine.do(engine.admin, "presence.list")
        assert listed.entries[1:] == [left]
        presences.close()
