import msgspec
import pytest

from instar.base.errors import InstarError
from instar.hub.identity.devices.changing import Change, remove, revoke
from instar.hub.nodes import records
from instar.wire.devices import Role
from instar.wire.execution import Declaration, Ended, Outcome
from instar.wire.limits import NODE_COMMANDS_MAX, NODE_DECLARATIONS_MAX, NODE_LABELS_MAX, NODE_REPORT_MAX_BYTES
from instar.wire.nodes import LOCAL, Permit, Telemetry
from instar.wire.tools import TOOLS

BUILD = f"{'build':0<64}"


async def test_pairing_alone_permits_nothing(site):
    """S-09: every tool there is, and what a dialect's node offers besides."""
    everything = [*TOOLS, "camera.snap", "system.run"]
    await site.connect(await site.let_in(), commands=everything)
    assert [tool for tool in everything if not site.nodes.permits(BUILD, tool, "")] == []
    assert (await site.do("nodes.get", node_id="build")).commands == []
    await site.do("nodes.permit", node_id=BUILD, permit={"commands": ["read_*", "exec"], "agents": ["ada"]})
    assert {tool for tool in everything if not site.nodes.permits(BUILD, tool, "")} == {"read_file", "exec"}
    assert site.nodes.permits(BUILD, "exec", "ada") == ""
    assert "on behalf of bob" in site.nodes.permits(BUILD, "exec", "bob")
    assert site.nodes.permits("nobody", "exec", "")


async def test_what_a_node_offers_later_does_not_widen_its_permit(site):
    link = await site.permitted("build", "exec", commands=["exec"])
    link.session.declared(Declaration(commands=["exec", "shell"], labels={"gpu": "yes"}))
    await site.settle()
    node = await site.do("nodes.get", node_id="build")
    assert (node.declared, node.commands, node.permit) == (["exec", "shell"], ["exec"], Permit(["exec"]))
    assert "permit" in site.nodes.permits(BUILD, "shell", "")
    link.session.declared(Declaration(commands=["shell"]))
    await site.settle()
    assert "does not offer" in site.nodes.permits(BUILD, "exec", "")


async def test_a_permit_ends_with_the_grant_that_it_was_given_for(site):
    await site.permitted()
    assert site.nodes.permits(BUILD, "exec", "") == ""
    change = Change(BUILD, site.clock(), "operator")
    await site.engine.store.transact(lambda tx: revoke(tx, change, Role.NODE))
    assert site.nodes.permits(BUILD, "exec", "") == "there is no such node"
    await site.connect(await site.let_in())
    assert "permit" in site.nodes.permits(BUILD, "exec", "")
    await site.engine.store.transact(lambda tx: remove(tx, change))
    assert [each.id for each in site.nodes.targets()] == [LOCAL]
    await site.nodes.sweep()
    await site.connect(await site.let_in())
    assert (await site.do("nodes.get", node_id="build")).permit == Permit()


async def test_what_routing_knows_of_a_node_is_as_new_as_the_node(site):
    def facts():
        found = site.nodes.target(BUILD)
        assert found in site.nodes.targets()
        return found

    link = await site.permitted(labels={"os": "linux"})
    assert facts() is facts(), "nothing changed, and yet it was read anew"
    assert (facts().name, facts().labels, facts().is_connected, facts().aliases) == ("build", {"os": "linux"}, True, ())
    link.session.declared(Declaration(commands=["exec"], labels={"os": "plan9"}))
    await site.settle()
    assert facts().labels == {"os": "plan9"}
    await site.do("nodes.label", node_id=BUILD, labels={"os": "linux", "gpu": "yes"})
    assert facts().labels == {"gpu": "yes", "os": "linux"}
    link.session.closed("it left")
    assert not facts().is_connected
    await site.connect(await site.let_in("other"))
    change = Change(BUILD, site.clock(), "operator")
    await site.engine.store.transact(lambda tx: revoke(tx, change, Role.NODE))
    assert site.nodes.target(BUILD) is None
    await site.engine.store.transact(lambda tx: remove(tx, change))
    assert site.nodes.target(BUILD) is None
    await site.let_in()
    assert (facts().labels, facts().is_connected) == ({}, False)


async def test_only_a_node_serves(site):
    operator = await site.let_in("phone", Role.OPERATOR)
    for caller in (site.engine.admin, operator):
        with pytest.raises(InstarError) as raised:
            await site.connect(caller)
        assert raised.value.code == "forbidden"
    assert site.nodes.roster.sessions() == []


async def test_a_node_that_comes_back_takes_the_place_of_its_own_old_connection(site):
    caller = await site.let_in()
    old, other = await site.connect(caller), await site.connect(await site.let_in("other"))
    new = await site.connect(caller)
    assert [code for code, _ in old.ends] == ["conflict"]
    assert other.ends == []
    old.session.closed("the socket ended late")
    await site.settle()
    assert site.nodes.roster.session(BUILD) is new.session
    said = [event for event in site.engine.events if event.type.startswith("node.")]
    assert [event.type for event in said] == ["node.connected"] * 3
    new.session.closed("gone")
    await site.settle()
    assert site.nodes.executor(BUILD) is None
    assert site.engine.events[-1].type == "node.disconnected"
    assert msgspec.json.decode(site.engine.events[-1].payload)["reason"] == "gone"


async def test_whoever_waits_for_a_node_hears_when_it_can_be_asked(site):
    heard = []
    site.nodes.on_connected(lambda node_id: heard.append((node_id, site.nodes.executor(node_id) is not None)))
    await site.connect(await site.let_in())
    assert heard == [(BUILD, True)]


async def test_a_connection_that_ends_while_it_is_made_is_none(site):
    caller = await site.let_in()
    entering = site.nodes.roster.entering

    def ends_at_once(session):
        entering(session)
        session.closed("gone")

    site.nodes.roster.entering = ends_at_once
    await site.connect(caller)
    assert site.nodes.roster.session(BUILD) is None
    assert site.engine.events[-1].type == "node.disconnected"


@pytest.mark.parametrize(
    "declaration",
    [
        Declaration(commands=["x"] * (NODE_COMMANDS_MAX + 1)),
        Declaration(labels={f"l{n}": "" for n in range(NODE_LABELS_MAX + 1)}),
        Declaration(details={"x": "y" * NODE_REPORT_MAX_BYTES}),
    ],
    ids=["commands", "labels", "bytes"],
)
async def test_too_long_declarations(site, declaration):
    link = await site.connect(await site.let_in())
    with pytest.raises(InstarError, match=r"declar|labels"):
        link.session.declared(declaration)


async def test_a_node_that_changes_its_mind_all_the_time(site):
    link = await site.connect(await site.let_in())
    for number in range(NODE_DECLARATIONS_MAX):
        link.session.declared(Declaration(version=str(number)))
    with pytest.raises(InstarError) as raised:
        link.session.declared(Declaration(version="one too many"))
    assert raised.value.code == "rate_limited"
    await site.settle()


async def test_words_of_a_node_are_made_fit_to_be_shown(site):
    link = await site.connect(
        await site.let_in(), name="a\u202eb\nc", commands=["exec", "exec", "e\u200bx", "x" * 200],
        labels={"gpu": "yes", "BAD": "x", "ok": "no\nline"}, concurrency=-3,
    )  # fmt: skip
    node = await site.do("nodes.get", node_id=BUILD)
    assert (node.declared, node.labels) == (["exec"], {"gpu": "yes"})
    assert link.session.executor.calls_max > 0


async def test_labels_of_operators_win(site):
    await site.connect(await site.let_in(), labels={"gpu": "yes", "os": "linux"})
    await site.do("nodes.label", node_id="build", labels={"gpu": "no", "os": "", "zone": "a"})
    assert (await site.do("nodes.get", node_id="build")).labels == {"gpu": "no", "zone": "a"}
    facts = next(each for each in site.nodes.targets() if each.id == BUILD)
    assert (facts.labels, facts.is_connected) == ({"gpu": "no", "zone": "a"}, True)


async def test_the_list_and_what_it_can_be_narrowed_to(site):
    await site.connect(await site.let_in("zeta"), labels={"gpu": "yes"})
    await site.let_in("away")
    await site.connect(await site.let_in("Alpha"))

    async def names(**query):
        return [node.name for node in (await site.do("nodes.list", **query)).nodes]

    assert await names() == ["local", "Alpha", "zeta", "away"]
    assert await names(connected=True) == ["Alpha", "zeta"]
    assert await names(select="ALPHA") == ["Alpha"]
    assert await names(select="gpu=yes") == ["zeta"]
    with pytest.raises(InstarError):
        await names(select="==")
    with pytest.raises(InstarError, match="no such node"):
        await site.do("nodes.get", node_id="nobody")


async def test_names_are_operators_or_the_nodes_own(site):
    await site.let_in("twin", device_id="1" * 64)
    await site.let_in("twin", device_id="2" * 64)
    assert site.nodes.roster.find("TWIN") is None
    assert site.nodes.roster.find("1" * 64).name == "twin"


@pytest.mark.parametrize("name", ["local", "SSH", "ssh:web", "gpu=yes", "!gpu", "os in (linux)"])
async def test_no_name_means_what_is_no_node(site, name):
    await site.let_in(name, device_id=BUILD)
    assert site.nodes.roster.get(BUILD).name == BUILD[:12]
    assert [each.name for each in site.nodes.targets()] == ["local", BUILD[:12]]


async def test_variables_that_no_permit_may_list(site):
    await site.connect(await site.let_in())
    for name in ("LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "GITHUB_TOKEN", "PATH"):
        with pytest.raises(InstarError, match=name):
            await site.do("nodes.permit", node_id=BUILD, permit={"commands": ["*"], "env": [name]})
    await site.do("nodes.permit", node_id=BUILD, permit={"commands": ["*"], "env": ["CI"]})
    assert site.nodes.env_allowed(BUILD) == ["CI"]
    assert site.nodes.env_allowed("nobody") == site.nodes.sandboxes("nobody") == ()


async def test_the_end_of_a_call_that_nobody_follows_is_handed_on(site):
    heard = []
    link = await site.connect(await site.let_in())
    outcome = Outcome("call_1", Ended.DONE)
    link.session.told("ended", msgspec.json.encode(outcome))
    site.nodes.on_stray(lambda node_id, outcome: heard.append((node_id, outcome)))
    link.session.told("ended", msgspec.json.encode(outcome))
    link.session.told("no such word", b"{}")
    assert heard == [(BUILD, outcome)]
    with pytest.raises(InstarError, match="cannot be read"):
        link.session.told("ended", b"[]")
    with pytest.raises(InstarError, match="larger"):
        link.session.told("telemetry", b" " * (NODE_REPORT_MAX_BYTES + 1))
    link.session.closed("gone")
    link.session.told("ended", b"[]")


async def test_all_is_there_again_after_a_restart(site, restart):
    await site.permitted(labels={"gpu": "yes"})
    await site.do("nodes.label", node_id="build", labels={"zone": "a"})
    again = await restart()
    node = await again.do("nodes.get", node_id="build")
    assert (node.is_connected, node.permit.commands, node.labels) == (False, ["*"], {"gpu": "yes", "zone": "a"})
    assert again.nodes.permits(BUILD, "exec", "") == ""
    assert again.nodes.executor(BUILD) is None


async def test_connections_that_end_while_the_hub_stops_leave_no_event(site):
    link = await site.connect(await site.let_in())
    await site.nodes.close()
    before = len(site.engine.events)
    link.session.closed("the hub stops")
    await site.settle()
    assert len(site.engine.events) == before


async def test_of_a_node_that_was_removed_nothing_stays(site):
    link = await site.connect(await site.let_in())
    change = Change(BUILD, site.clock(), "operator")
    await site.engine.store.transact(lambda tx: revoke(tx, change, Role.NODE))
    await site.engine.store.transact(lambda tx: remove(tx, change))
    link.session.reported(Telemetry(cpu_count=1))
    await site.nodes.flush()
    link.session.closed("it was removed")
    await site.settle()
    assert BUILD in {record.id for record in await site.engine.store.read(records.everyone)}
    await site.nodes.sweep()
    await site.nodes.sweep()
    assert BUILD not in {record.id for record in await site.engine.store.read(records.everyone)}
    assert site.nodes.reports.newest(BUILD) is None
    assert (await site.nodes.reports.history(BUILD, 10, site.clock())).reports == []


async def test_a_report_of_a_node_that_is_forgotten_is_not_written(site):
    link = await site.connect(await site.let_in())
    change = Change(BUILD, site.clock(), "operator")
    await site.engine.store.transact(lambda tx: revoke(tx, change, Role.NODE))
    await site.engine.store.transact(lambda tx: remove(tx, change))
    await site.settle()
    await site.nodes.sweep()
    link.session.reported(Telemetry(cpu_count=1))
    await site.nodes.flush()
    written = "SELECT node FROM telemetry WHERE node = ?1"
    assert await site.engine.store.read(lambda reader: reader.rows(written, BUILD)) == []
