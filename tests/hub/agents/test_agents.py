import msgspec
import pytest

from instar.base.errors import InstarError
from instar.hub.agents.state import local_id, slug
from instar.hub.agents.summaries import wake_of
from instar.hub.identity.authentication import Credential
from instar.hub.identity.policy import AuthPolicy
from instar.wire.agents import RegisterAgent, UpdateAgent, Wake
from instar.wire.events import render
from instar.wire.names import Network

NETWORK = Network("local", "Local Net")


async def refused(code, awaitable):
    with pytest.raises(InstarError) as caught:
        await awaitable
    assert caught.value.code == code, caught.value


async def key(engine, *scopes, **more):
    made = await engine.do(engine.admin, "keys.create", name="k", scopes=list(scopes), **more)
    return engine.identity.authenticate(Credential(made.token))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Beta Bot", "beta-bot"), ("  --Ünï  ", "n"), ("", "agent"), ("***", "agent"), ("A.B_c", "a-b-c")],
)
def test_slugs(name, expected):
    assert slug(name) == expected


@pytest.mark.parametrize("text", ["beta", " beta ", "local:beta", "molt://local/agents/beta"])
def test_every_form_of_a_local_id(text):
    assert local_id(text, NETWORK) == "beta"


@pytest.mark.parametrize("text", ["far:beta", "molt://far/agents/beta", "molt://local/rooms/beta", "-x", "a b"])
def test_what_is_no_local_id(text):
    with pytest.raises(InstarError) as caught:
        local_id(text, NETWORK)
    assert caught.value.code == "unprocessable_entity"


async def test_registering_again_finds_the_claim_and_refreshes_the_name(make_engine):
    engine = await make_engine(AuthPolicy(agent_registration="token"))
    mine, other = await key(engine, "attach", "write"), await key(engine, "attach", "write")
    first = await engine.do(mine, "agents.register", requested_agent_id="molt://local/agents/beta", name="Beta")
    assert (first.created, first.actor_uri, first.agent_token) == (True, "molt://local/agents/beta", "")
    again = await engine.do(mine, "agents.register", requested_agent_id="beta", name="Beta 2")
    assert (again.created, again.display_name, again.actor_uid) == (False, "Beta 2", first.actor_uid)
    assert [event.type for event in engine.events if event.type.startswith("agent.")] == [
        "agent.registered",
        "agent.updated",
    ]
    await refused("conflict", engine.do(other, "agents.register", requested_agent_id="beta"))
    by_admin = await engine.do(engine.admin, "agents.register", requested_agent_id="beta", name="Ours")
    assert by_admin.display_name == "Ours"
    assert engine.agents.get("beta").credential == mine.grant.id
    assert engine.identity.speakers.owner("beta") == mine.grant.id


async def test_a_taken_slug_is_varied(make_engine):
    engine = await make_engine(AuthPolicy(agent_registration="token"))
    one, two = await key(engine, "attach"), await key(engine, "attach")
    assert (await engine.do(one, "agents.register", name="Beta Bot")).agent_id == "beta-bot"
    varied = (await engine.do(two, "agents.register", name="Beta Bot")).agent_id
    assert varied.startswith("beta-bot-")
    assert len(varied) == len("beta-bot-") + 8
    assert (await engine.do(one, "agents.register", name="Beta Bot")).agent_id == "beta-bot"


async def test_an_anonymous_claim_gets_a_token_shown_once(make_engine):
    engine = await make_engine(AuthPolicy(mode="open"))
    visitor = engine.identity.visitor()
    claimed = await engine.do(visitor, "agents.register", requested_agent_id="beta")
    assert claimed.agent_token.startswith("magt_v1_")
    assert len(claimed.agent_token) == 51
    await refused("conflict", engine.do(visitor, "agents.register", requested_agent_id="beta"))
    beta = engine.identity.authenticate(Credential(claimed.agent_token))
    assert beta.grant.agents == frozenset({"beta"})
    assert (await engine.do(beta, "agents.register", requested_agent_id="beta")).agent_token == ""


async def test_rotation_ends_the_old_token(engine):
    await engine.agent("beta")
    old = await engine.agents.register(engine.admin, RegisterAgent("beta", issue_token=True))
    new = await engine.do(engine.admin, "agents.rotate_token", agent_id="beta")
    with pytest.raises(InstarError):
        engine.identity.authenticate(Credential(old.agent_token))
    caller = engine.identity.authenticate(Credential(new.agent_token))
    assert engine.identity.speakers.owner("beta") == caller.grant.id


async def test_removal_ends_memberships_and_tokens_and_the_id_may_be_claimed_anew(make_engine):
    engine = await make_engine()
    before = await engine.agents.register(engine.admin, RegisterAgent("beta", issue_token=True))
    await engine.room("review", "beta", "far:beta")
    await engine.say(engine.admin, "for the old beta")
    removed = await engine.do(engine.admin, "agents.remove", agent_id="beta")
    assert (removed.removed, removed.kind, removed.id, removed.mode) == (True, "agent", "beta", "soft")
    [event] = engine.of("room.members.updated")
    assert msgspec.json.decode(event.payload)["members"] == ["far:beta"]
    with pytest.raises(InstarError):
        engine.identity.authenticate(Credential(before.agent_token))
    await refused("not_found", engine.do(engine.admin, "agents.get", agent_id="beta"))

    engine = await make_engine()
    assert engine.agents.get("beta") is None
    after = await engine.agents.register(engine.admin, RegisterAgent("beta"))
    assert after.created
    assert after.actor_uid != before.actor_uid
    await engine.do(engine.admin, "rooms.members", room_id="review", add=["beta"])
    assert (await engine.do(engine.admin, "inbox.read", agent_id="beta")).items == []


async def test_what_is_changed_outlives_a_restart(make_engine):
    engine = await make_engine()
    await engine.agent("beta")
    await engine.do(engine.admin, "agents.update", agent_id="beta", name="B", reply="never", wake_rooms={"a": "all"})
    await engine.do(engine.admin, "agents.update", agent_id="beta", wake_rooms={"a": "", "b": "mentions"})
    await engine.do(engine.admin, "agents.pause", agent_id="beta")
    await refused(
        "unprocessable_entity", engine.do(engine.admin, "agents.update", agent_id="beta", wake_rooms={"a": "loud"})
    )
    known = engine.agents.get("beta")
    engine = await make_engine()
    for agent in (known, engine.agents.get("beta")):
        assert (agent.name, agent.wake, agent.wake_rooms, agent.paused) == ("B", Wake.NEVER, {"b": Wake.MENTIONS}, True)
    summary = await engine.do(engine.admin, "agents.resume", agent_id="beta")
    assert summary.activity == "offline"


@pytest.mark.parametrize(
    ("params", "wake"),
    [
        ({}, None),
        ({"read": Wake.MENTIONS}, Wake.MENTIONS),
        ({"wake": Wake.ALL, "read": Wake.NEVER}, Wake.ALL),
        ({"reply": "never"}, Wake.NEVER),
        ({"reply": "auto"}, None),
        ({"reply": "never", "read": Wake.ALL}, Wake.ALL),
    ],
)
def test_the_older_spelling(params, wake):
    assert wake_of(UpdateAgent("beta", **params)) is wake


async def test_the_list_merges_members_and_registered_agents_and_pages(engine):
    await engine.agent("beta", name="Beta")
    await engine.room("review", "alpha", "beta", "far:gamma")
    page = await engine.do(engine.admin, "agents.list", limit="2")
    assert [(each.id, each.registered, each.rooms) for each in page.agents] == [
        ("alpha", False, ["review"]),
        ("beta", True, ["review"]),
    ]
    assert (page.page.has_more, page.page.next_after) == (True, "beta")
    rest = await engine.do(engine.admin, "agents.list", after="beta")
    [far] = rest.agents
    single = await engine.do(engine.admin, "agents.get", agent_id="far:gamma")
    assert far == single
    assert (far.fqid, far.network_id) == ("molt://far/agents/gamma", "far")
    await refused("not_found", engine.do(engine.admin, "agents.pause", agent_id="alpha"))


async def test_presence_begins_with_the_first_attachment_and_ends_with_the_last(engine):
    await engine.agent("beta")
    for attachment in ("one", "two"):
        await engine.agents.attached("beta", attachment)
    await engine.do(engine.admin, "agents.set_presence", agent_id="beta", activity="busy", task="reading")
    summary = await engine.do(engine.admin, "agents.get", agent_id="beta")
    assert (summary.connected, summary.activity, summary.task) == (True, "busy", "reading")
    assert engine.agents.connected_count() == 1
    await engine.agents.detached("beta", "one")
    assert engine.agents.is_connected("beta")
    await engine.agents.detached("beta", "two", reason="client_closed")
    await engine.agents.detached("beta", "two")
    summary = await engine.do(engine.admin, "agents.get", agent_id="beta")
    assert (summary.connected, summary.activity, bool(summary.last_seen_at)) == (False, "offline", True)
    assert [event.type for event in engine.events if event.type.endswith("connected")] == [
        "agent.connected",
        "agent.disconnected",
    ]


async def test_agents_are_declared_by_apply(engine):
    wanted = [{"id": "beta", "name": "Beta", "wake": "mentions", "runtime": "builtin/echo"}]
    plan = await engine.do(engine.admin, "hub.apply", agents=wanted, dry_run=True)
    assert [(each.id, each.action) for each in plan.changes] == [("beta", "create")]
    assert engine.agents.get("beta") is None
    await engine.do(engine.admin, "hub.apply", agents=wanted)
    assert (engine.agents.get("beta").wake, engine.agents.get("beta").runtime) == (Wake.MENTIONS, "builtin/echo")
    again = await engine.do(engine.admin, "hub.apply", agents=wanted)
    assert [each.action for each in again.changes] == ["unchanged"]
    wanted[0]["name"] = "Other"
    changed = await engine.do(engine.admin, "hub.apply", agents=wanted)
    assert [(each.action, each.fields) for each in changed.changes] == [("update", ["name"])]
    for older, wake in (({"read": "thread_only"}, Wake.THREAD_ONLY), ({"reply": "never"}, Wake.NEVER)):
        await engine.do(engine.admin, "hub.apply", agents=[{"id": "beta", **older}])
        assert engine.agents.get("beta").wake is wake
    await engine.do(engine.admin, "hub.apply", agents=[{"id": "beta", "reply": "auto"}])
    assert engine.agents.get("beta").wake is Wake.NEVER
    for bad in (
        {"id": "beta", "wake": "loud"},
        {"id": "beta", "read": "loud"},
        {"id": "operator"},
        {"id": "beta", "credential_key": "token:nope"},
    ):
        await refused("unprocessable_entity", engine.do(engine.admin, "hub.apply", agents=[bad]))


async def test_policies_for_rooms_name_no_room_that_the_reader_may_not_know(make_engine):
    engine = await make_engine()
    await engine.do(engine.admin, "rooms.create", id="hidden", members=["beta"])
    await engine.do(engine.admin, "agents.register", requested_agent_id="beta")
    rooms = {"hidden": "never", "missing": "never"}
    assert (await engine.do(engine.admin, "agents.update", agent_id="beta", wake_rooms=rooms)).wake_rooms == rooms
    mine = await key(engine, "attach", agents=["beta"])
    other = await key(engine, "attach", agents=["gamma"])
    assert (await engine.do(mine, "agents.get", agent_id="beta")).wake_rooms == rooms
    assert (await engine.do(other, "agents.get", agent_id="beta")).wake_rooms == {}
    assert all(agent.wake_rooms == {} for agent in (await engine.do(other, "agents.list")).agents)
    shown = [render(event, "local") for event in engine.events if event.type.startswith("agent.")]
    assert shown
    assert not any(b"hidden" in one or b"credential" in one for one in shown)
