import pytest

from instar.base.errors import InstarError
from instar.wire.limits import (
    TELEMETRY_DENSE_S,
    TELEMETRY_KEEP_S,
    TELEMETRY_MIN_S,
    TELEMETRY_S,
    TELEMETRY_SPARSE_S,
    TELEMETRY_STALE_S,
)
from instar.wire.nodes import Disk, Telemetry
from tests.hub.conftest import LINES, FakeSocket

BUILD = f"{'build':0<64}"


async def test_who_never_reported_is_stale(site):
    link = await site.connect(await site.let_in())
    assert (await site.do("nodes.get", node_id="build")).is_stale
    link.session.reported(Telemetry("2001-01-01T00:00:00Z", cpu_count=4, disks=[Disk("/", 9, 3)]))
    node = await site.do("nodes.get", node_id="build")
    assert (node.is_stale, node.telemetry.cpu_count, node.telemetry.disks) == (False, 4, [Disk("/", 9, 3)])
    assert node.telemetry.taken_at > "2026"
    assert node.last_seen_at == node.telemetry.taken_at
    site.later(TELEMETRY_STALE_S + 1)
    assert (await site.do("nodes.get", node_id="build")).is_stale


async def test_a_node_speaks_for_itself_alone(site):
    """D18: it cannot forge what another one says: the connection says whose word it is."""
    link = await site.connect(await site.let_in())
    await site.connect(await site.let_in("other"))
    link.session.told("telemetry", b'{"nodeId":"other","node_id":"other","cpu_count":1}')
    assert (await site.do("nodes.get", node_id="other")).telemetry is None
    assert (await site.do("nodes.get", node_id="build")).telemetry.cpu_count == 1


async def test_listeners_hear_of_it_and_a_chatterer_is_passed_over(site):
    socket = FakeSocket()
    await site.engine.delivery.open_feed(site.engine.admin, socket, LINES, signals=True)
    link = await site.connect(await site.let_in())
    for count in range(5):
        link.session.reported(Telemetry(cpu_count=count))
    site.later(TELEMETRY_MIN_S)
    link.session.reported(Telemetry(cpu_count=9))
    heard = [each for each in socket.signals if each["signal"] == "node.telemetry"]
    assert [(each["node_id"], each["telemetry"].get("cpu_count", 0)) for each in heard] == [(BUILD, 0), (BUILD, 9)]
    link.session.closed("gone")
    link.session.reported(Telemetry(cpu_count=10))
    assert len([each for each in socket.signals if each["signal"] == "node.telemetry"]) == 2


async def test_history_newest_first_and_in_pages(site, restart):
    link = await site.connect(await site.let_in())
    for count in range(1, 6):
        link.session.reported(Telemetry(cpu_count=count))
        site.later(TELEMETRY_S)
    first = await site.do("nodes.history", node_id="build", limit=3)
    assert ([each.cpu_count for each in first.reports], first.has_more) == ([5, 4, 3], True)
    rest = await site.do("nodes.history", node_id="build", limit=3, before=first.reports[-1].taken_at)
    assert ([each.cpu_count for each in rest.reports], rest.has_more) == ([2, 1], False)
    with pytest.raises(InstarError, match="no time"):
        await site.do("nodes.history", node_id="build", before="yesterday")
    again = await restart()
    assert (await again.do("nodes.get", node_id="build")).telemetry.cpu_count == 5


async def test_old_reports_thin_out_and_go(site):
    link = await site.connect(await site.let_in())
    spans = 6
    for _ in range(int(spans * TELEMETRY_SPARSE_S / TELEMETRY_S)):
        link.session.reported(Telemetry(cpu_count=1))
        site.later(TELEMETRY_S)

    async def kept():
        return len((await site.do("nodes.history", node_id="build", limit=200)).reports)

    assert await kept() == spans * TELEMETRY_SPARSE_S / TELEMETRY_S
    site.later(TELEMETRY_DENSE_S)
    await site.nodes.sweep()
    assert spans <= await kept() <= spans + 1
    site.nodes.obey(is_local=True, telemetry_keep_s=TELEMETRY_KEEP_S / 7)
    site.later(TELEMETRY_KEEP_S / 7)
    await site.nodes.sweep()
    assert await kept() == 0


async def test_what_could_not_be_written_waits_until_it_can(site, monkeypatch):
    link = await site.connect(await site.let_in())
    await site.connect(await site.let_in("other"))
    transact, tries = site.engine.store.transact, []

    async def fails_once(work):
        tries.append(work)
        if len(tries) == 1:
            link.session.reported(Telemetry(cpu_count=2))
            raise InstarError("storage_full", "the disk is full")
        return await transact(work)

    link.session.reported(Telemetry(cpu_count=1))
    site.later(TELEMETRY_S)
    monkeypatch.setattr(site.engine.store, "transact", fails_once)
    with pytest.raises(InstarError, match="disk is full"):
        await site.nodes.flush()
    await site.nodes.flush()
    assert [each.cpu_count for each in (await site.do("nodes.history", node_id="build")).reports] == [2, 1]
    await site.nodes.flush()
    assert len(tries) == 2
