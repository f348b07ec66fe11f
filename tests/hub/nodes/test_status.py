from msgspec.structs import replace

from instar.policy.routing import Choices, Listed, route
from instar.wire.nodes import CheckLevel, ExecCheck


async def findings(site):
    status = await site.do("nodes.exec_status")
    return status, {check.id: check.level for check in status.checks}


async def test_no_route_is_an_error(site):
    status, found = await findings(site)
    assert (status.backend, found["exec-host"]) == ("none", CheckLevel.ERROR)


async def test_local_by_default_is_worth_a_word(site):
    async def start():
        return

    site.nodes.local.starter = start
    site.nodes.status.default_route = lambda: route(Choices(), Listed(site.nodes.targets()))
    status, found = await findings(site)
    assert (status.backend, status.target_name, found["local-route"]) == ("local", "local", CheckLevel.WARN)
    site.nodes.obey(is_local=False, telemetry_keep_s=1.0)
    site.nodes.status.default_route = lambda: route(Choices(), Listed(site.nodes.targets()), is_local_forbidden=True)
    status, found = await findings(site)
    assert (status.backend, status.is_local_forbidden, found["exec-host"]) == ("none", True, CheckLevel.ERROR)


async def test_the_default_node_is_away_or_may_be_asked_nothing(site):
    link = await site.connect(await site.let_in())
    site.nodes.status.default_route = lambda: route(Choices(org="build"), Listed(site.nodes.targets()))
    status, found = await findings(site)
    assert (status.backend, status.nodes_paired, status.nodes_connected) == ("node", 1, 1)
    assert (found["paired-node-route"], found["node-permit"]) == (CheckLevel.OK, CheckLevel.WARN)
    link.session.closed("gone")
    status, found = await findings(site)
    assert (found["exec-host"], found["paired-node-route"]) == (CheckLevel.ERROR, CheckLevel.ERROR)
    assert "node-permit" not in found


async def test_who_knows_other_targets_adds_to_it(site):
    async def part(status):
        return replace(status, ssh_targets=2, checks=[*status.checks, ExecCheck("x", CheckLevel.OK, "t", "m")])

    site.nodes.status.parts.append(part)
    await site.let_in()
    status, found = await findings(site)
    assert (status.ssh_targets, found["x"], found["paired-node-route"]) == (2, CheckLevel.OK, CheckLevel.WARN)
