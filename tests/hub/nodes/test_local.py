import asyncio

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.hub.identity.attenuation import Wanted
from instar.hub.identity.authentication import Credential
from instar.hub.nodes import local
from instar.wire.execution import CallOrder, LedgerEntry, LedgerState, Plan, Preparation, Prepared, Recalled, Start
from instar.wire.identity import Scope
from instar.wire.nodes import LOCAL
from instar.wire.tools import TOOLS

from .conftest import FakeLink, Sink

ARGS = msgspec.Raw(b"{}")


def lent(site):
    """Return the caller that the child of the hub is."""
    grant, token = site.engine.identity.loans.lend(Wanted("key", "local", frozenset({Scope.NODE})))
    site.nodes.roster.local_grant = grant.id
    return site.engine.identity.authenticate(Credential(token))


async def test_it_shows_before_it_is_started(site):
    node = await site.do("nodes.get", node_id="local")
    assert (node.is_connected, node.commands) == (False, sorted(TOOLS))
    site.nodes.local.starter = lambda: asyncio.sleep(0)
    assert (await site.do("nodes.get", node_id="local")).is_connected
    assert site.nodes.permits(LOCAL, "shell", "ada") == ""


async def test_the_first_call_starts_it_and_all_wait_for_it(site):
    starts = []

    async def start():
        starts.append(1)
        if len(starts) == 1:
            link = FakeLink()
            link.answers["prepare"] = lambda *_: Prepared(Plan(LOCAL, "exec", ARGS), "sha256:0")
            link.answers["recall"] = lambda *_: Recalled([LedgerEntry("c", LedgerState.UNKNOWN)])
            starts.append(await site.connect(lent(site), link))

    site.nodes.local.starter = start
    executor = site.nodes.executor(LOCAL)
    executor.write("c", 0, b"x")
    executor.settle("c")
    asked = [executor.prepare(Preparation(f"call_{n}", "exec", ARGS)) for n in range(3)]
    assert [each.plan.target_id for each in await asyncio.gather(*asked)] == [LOCAL] * 3
    [link] = [each for each in starts if isinstance(each, FakeLink)]
    sink = Sink()
    await executor.start(Start(Preparation("c", "exec", ARGS), "sha256:0"), sink)
    await executor.resume("c", {}, sink)
    await executor.order("cancel", CallOrder("c"))
    assert (await executor.recall(["c"]))[0].state is LedgerState.UNKNOWN
    executor.write("c", 0, b"in")
    executor.allow("c", 1, 2**40)
    executor.settle("c")
    assert link.chunks == [(2, 0, 0, b"in")]
    assert link.told == [("settled", {"call_id": "c"})]
    assert executor.calls_max == link.session.executor.calls_max


async def test_it_can_be_forbidden(site):
    async def start():
        raise AssertionError

    site.nodes.local.starter = start
    site.nodes.obey(is_local=False, telemetry_keep_s=1.0)
    assert site.nodes.executor(LOCAL) is None
    assert not next(each for each in site.nodes.targets() if each.id == LOCAL).is_connected
    with pytest.raises(InstarError, match=r"nodes\.local"):
        await site.nodes.local.recall([])


async def test_one_that_does_not_come_up(site, monkeypatch):
    starts = []

    async def start():
        starts.append(1)
        asyncio.get_running_loop().call_soon(site.nodes.local.gave_up, "it ended with status 2")

    site.nodes.local.starter = start
    with pytest.raises(InstarError, match="status 2"):
        await site.nodes.local.recall([])
    assert len(starts) == 2
    monkeypatch.setattr(local, "LOCAL_NODE_START_S", 0.01)
    site.nodes.local.starter = lambda: asyncio.sleep(0)
    with pytest.raises(InstarError, match="within") as raised:
        await site.nodes.local.recall([])
    assert raised.value.code == "node_away"


async def test_an_operator_may_narrow_it(site):
    await site.do("nodes.permit", node_id="local", permit={"commands": ["read_file"]})
    assert site.nodes.permits(LOCAL, "shell", "")
    assert site.nodes.permits(LOCAL, "read_file", "") == ""
    await site.do("nodes.permit", node_id="local", permit={})
    assert site.nodes.permits(LOCAL, "read_file", "")


async def test_a_lent_grant_ends_when_it_is_taken_back(site):
    caller = lent(site)
    link = await site.connect(caller)
    ended = []
    site.engine.identity.watch(caller.grant, ended.append)
    site.engine.identity.loans.take_back(caller.grant.id)
    site.engine.identity.loans.take_back(caller.grant.id)
    assert ended == ["taken back"]
    assert not site.engine.identity.holds(caller.grant)
    link.session.closed("its credential ended")
    await site.settle()
    site.nodes.roster.local_grant = ""
    with pytest.raises(InstarError, match="no node's"):
        await site.connect(caller)
