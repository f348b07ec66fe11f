"""`guide` in a real hub: what it declares, what it answers, and what it leaves alone."""

import msgspec
import pytest

from instar.assistant import guide, rules
from instar.assistant.echo import NAME, Echo
from instar.hub.agents.declaring import Declaring
from instar.hub.rooms import session_changes
from instar.hub.rooms.applying import Applying
from instar.hub.rooms.load import read_room
from instar.wire.agents import Wake
from instar.wire.messages import Part, PartKind, SendMessage, Target, TargetKind
from instar.wire.runs import CancelRun, DeltaSignal

from ..hub.runs.conftest import NETWORK, OPERATOR, World  # noqa: TID252 - tests are no installed package


@pytest.fixture
async def hub(tmp_path):
    world = await World(tmp_path / "hub").open()
    world.runs.serve(NAME, Echo())
    await Applying(world.store, NETWORK).ensure(guide.ROOMS)
    await world.store.transact(lambda tx: Declaring(NETWORK).apply(tx, OPERATOR, guide.AGENTS))
    await world.runs.open()
    yield world
    await world.close()


async def test_first_start_declares_an_agent_that_is_served(hub):
    agent = hub.agents.get("guide")
    assert (agent.runtime, agent.wake, agent.name) == (NAME, Wake.ALL, "Guide")
    await hub.listener.until(lambda: hub.listener.of("agent.connected"))


async def test_it_answers_a_person(hub):
    await hub.send("hello")
    await hub.finished()
    assert await hub.said() == ["hello", rules.GREETING]
    deltas = [one.text for one in hub.listener.heard if isinstance(one, DeltaSignal)]
    assert "".join(deltas) == rules.GREETING
    assert len(deltas) > 20


async def test_it_answers_whatever_is_said_in_its_session(hub):
    """A person who mentions somebody else, and another agent, too."""
    await hub.register("beta", runtime="")
    await hub.store.transact(
        lambda tx: session_changes.create(
            tx, NETWORK, "agent:guide:main", "", ["guide", "operator", "beta"], "operator"
        )
    )
    target = Target(TargetKind.SESSION, session_id="agent:guide:main")
    await hub.messages.deliver(OPERATOR, SendMessage(target, [Part(PartKind.TEXT, "@beta hello")]))
    await hub.finished(1)
    key = "session:agent:guide:main"
    answer = {"message_id": "from-beta", "cause": ""}
    await hub.store.transact(
        lambda tx: hub.messages.append_as(tx, "beta", key, [Part(PartKind.TEXT, "/help")], **answer)
    )
    await hub.finished(2)
    texts = [msgspec.json.decode(event.payload)["parts"][0]["text"] for event in hub.listener.of("message.created")]
    assert texts[-1] == rules.HELP
    assert len(texts) == 4


async def test_a_reset_ends_the_run_that_answers_what_was_said_before(hub):
    await hub.store.transact(
        lambda tx: session_changes.create(tx, NETWORK, "agent:guide:main", "", ["guide", "operator"], "operator")
    )
    target = Target(TargetKind.SESSION, session_id="agent:guide:main")
    await hub.messages.deliver(OPERATOR, SendMessage(target, [Part(PartKind.TEXT, "/slow 60")]))
    await hub.listener.until(lambda: [one for one in hub.listener.heard if isinstance(one, DeltaSignal)])

    async def reset(tx):
        session = await read_room(tx, "session:agent:guide:main", NETWORK)
        await session_changes.begin_anew(tx, session, "", list(session.members), "operator", kind="session.reset")

    await hub.store.transact(reset)
    (ended,) = await hub.finished(1)
    assert (ended["state"], ended["error"]) == ("cancelled", "the session was reset")
    assert await hub.unsettled() == 0


async def test_agents_are_answered_only_when_they_mention_it(hub):
    for room in ("beta",):
        await hub.register(room, runtime="")
    await hub.store.transact(
        lambda tx: tx.execute(
            "INSERT INTO members (org, room, member, since_seq) VALUES ('home', 'room:general', 'beta', 0)"
        )
    )

    async def say(text):
        await hub.store.transact(
            lambda tx: hub.messages.append_as(
                tx, "beta", "room:general", [Part(PartKind.TEXT, text)], message_id=f"msg-{len(text)}"
            )
        )

    await say("gamma, did you see this?")
    await say("@guide /help")
    await hub.finished()
    assert await hub.said() == ["gamma, did you see this?", "@guide /help", rules.HELP]


async def test_fail_is_visible_and_final(hub):
    await hub.send("/fail")
    (failed,) = await hub.finished()
    assert failed["state"] == "failed"
    assert failed["error"].startswith("unprocessable_entity")
    assert failed["partial"]
    await hub.listener.until(lambda: hub.listener.of("agent.wake.failed"))


async def test_slow_can_be_cancelled_in_the_middle(hub):
    await hub.send("/slow 100")
    await hub.listener.until(lambda: any(isinstance(one, DeltaSignal) for one in hub.listener.heard))
    (record,) = await hub.all_runs()
    ended = await hub.invoke("runs.cancel", CancelRun(record.id))
    assert ended.partial.startswith("This ")
    assert await hub.said() == ["/slow 100"]


async def test_it_answers_a_direct_message(hub):
    target = Target(TargetKind.DM, participant_ids=["operator", "guide"], dm_id="d1")
    sent = await hub.messages.deliver(OPERATOR, SendMessage(target, [Part(PartKind.TEXT, "what is this?")]))
    assert sent.dm_created
    await hub.finished()
    answer = msgspec.json.decode(hub.listener.of("message.created")[1].payload)
    assert answer["parts"][0]["text"] == rules.ABOUT
    assert answer["target"]["dm_id"] == "d1"
