"""The reference's clients against a running hub, in modes none and bearer."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from conformance.moltnet import shapes
from conformance.moltnet.cli import Cli, NotAttachedError, RequestRefusedError
from conformance.moltnet.node import AttachmentError, Node, PreflightError

from .running import RunningHub

WAIT_S = 10.0


def fresh(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


class Room:
    """A room with two agents, each with a client of its own."""

    def __init__(self, hub: RunningHub) -> None:
        self.hub = hub
        self.id = fresh("room")
        self.alpha_id, self.beta_id = fresh("alpha"), fresh("beta")
        members = [self.alpha_id, self.beta_id]
        hub.operator().apply([{"id": self.id, "name": "Review", "members": members}])
        self.tokens = {name: hub.agent_token(name) for name in members}
        self.alpha, self.beta = (self.cli(name) for name in members)

    def cli(self, name: str) -> Cli:
        return self.hub.cli(name, self.tokens[name], rooms=(self.id,), dms=True, agent_name=name)

    def node(self, name: str, **more: object) -> Node:
        async def nothing(event: shapes.Event) -> None:
            pass

        options: dict[str, object] = {"handle": nothing, "backoff_base_s": 0.05, "rooms": {self.id: "mentions"}} | more
        return Node(self.hub.url, "local", name, token=self.tokens.get(name, ""), dms=True, **options)  # type: ignore[arg-type]

    def messages_of(self, node: Node) -> list[str]:
        return [
            event.message.parts[0].text
            for event in node.received
            if event.message is not None and event.message.target.room_id == self.id
        ]


@pytest.fixture
def room(any_hub: RunningHub) -> Room:
    return Room(any_hub)


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[Node]:
    task = asyncio.create_task(node.run())
    try:
        async with asyncio.timeout(WAIT_S):
            await node.ready.wait()
        yield node
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: object) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 - what happens in another process
            await asyncio.sleep(0.01)


# The command


def test_connect_installs_the_hubs_own_skill(room: Room) -> None:
    room.beta.connect()
    assert not room.beta.bundled
    assert f"room:{room.id}" in room.beta.skill


def test_register_is_repeatable(room: Room) -> None:
    first, again = room.beta.register(), room.beta.register()
    assert first.agent_id == again.agent_id == room.beta_id
    assert first.actor_uid == again.actor_uid
    assert first.actor_uid.startswith("actor_")
    assert first.actor_uri == f"molt://local/agents/{room.beta_id}"


def test_send_read_participants_conversations(room: Room) -> None:
    accepted = room.alpha.send(f"room:{room.id}", f"hello @{room.beta_id}.")
    assert accepted.accepted
    page = room.beta.read(f"room:{room.id}")
    [message] = page.messages
    assert message.id == accepted.message_id
    assert message.mentions == [f"molt://local/agents/{room.beta_id}"]
    assert message.origin == shapes.Origin("local", message.id)
    assert message.from_.id == room.alpha_id
    found = room.beta.participants(f"room:{room.id}")
    assert isinstance(found, shapes.Room)
    assert set(found.members) == {room.alpha_id, room.beta_id}
    rooms, _ = room.beta.conversations()
    assert [one.id for one in rooms] == [room.id]
    assert rooms[0].access is not None
    assert rooms[0].access.can_write


def test_read_keeps_its_limit(room: Room) -> None:
    for number in range(5):
        room.alpha.send(f"room:{room.id}", f"n{number}")
    page = room.beta.read(f"room:{room.id}", limit=2)
    assert [message.parts[0].text for message in page.messages] == ["n3", "n4"]
    assert page.page.has_more
    assert page.page.next_before == page.messages[0].id


def test_direct_messages(room: Room) -> None:
    dm_id = fresh("dm")
    target = {"kind": "dm", "dm_id": dm_id, "participant_ids": [room.alpha_id, room.beta_id]}
    assert room.alpha.post_message(target, "psst").dm_created
    assert not room.beta.send(f"dm:{dm_id}", "yes?").dm_created
    assert [one.parts[0].text for one in room.alpha.read(f"dm:{dm_id}").messages] == ["psst", "yes?"]
    _, dms = room.beta.conversations()
    assert dm_id in [dm.id for dm in dms]


async def test_a_session_is_a_direct_conversation_to_an_attached_agent(room: Room) -> None:
    """It knows no sessions; it is woken by them all the same, and its answer lands there."""
    room.beta.register()
    status, session = room.hub.ask("POST", "/v1/sessions", {"agent_id": room.beta_id, "name": "plan"})
    assert status == 201
    node = room.node(room.beta_id)

    async def answer(event: shapes.Event) -> None:
        if node.wakes(event):
            assert event.message is not None
            room.beta.send(f"dm:{event.message.target.dm_id}", f"You said {event.message.parts[0].text}")

    def ask(event: shapes.Event) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(None, asyncio.run, answer(event))  # type: ignore[arg-type]

    node.handle = ask  # type: ignore[assignment]
    async with running(node):
        text = {"kind": "session", "session_id": session["id"]}, [{"kind": "text", "text": "no mention"}]
        status, _ = room.hub.ask("POST", "/v1/messages", {"target": text[0], "parts": text[1]})
        assert status == 202

        def said() -> list[str]:
            _, page = room.hub.ask("GET", f"/v1/sessions/{session['id']}/messages")
            return [message["parts"][0]["text"] for message in page["messages"]]

        await until(lambda: len(said()) == 2)
        assert said() == ["no mention", "You said no mention"]
    assert [one.parts[0].text for one in room.beta.read(f"dm:{session['key']}").messages] == said()


def test_targets_that_the_configuration_does_not_name(room: Room) -> None:
    with pytest.raises(NotAttachedError):
        room.beta.send("room:elsewhere", "hi")


def test_administration(room: Room) -> None:
    operator = room.hub.operator()
    gamma = fresh("gamma")
    assert gamma in operator.add_members(room.id, gamma).members
    assert gamma not in operator.remove_members(room.id, gamma).members
    room.beta.register()
    assert operator.remove_agent(room.beta_id) == shapes.Removed(True, "agent", room.beta_id, "soft")
    assert operator.remove_room(room.id) == shapes.Removed(True, "room", room.id, "soft")
    with pytest.raises(RequestRefusedError) as refused:
        room.alpha.send(f"room:{room.id}", "hi")
    assert refused.value.status == 404
    assert shapes.decode(refused.value.body, shapes.ErrorBody).code == "not_found"


def test_apply_again_changes_nothing(room: Room) -> None:
    declared = [{"id": room.id, "name": "Review", "members": [room.alpha_id, room.beta_id]}]
    assert room.hub.operator().apply(declared).applied


def test_update_probes_the_server(room: Room) -> None:
    assert room.beta.probe()


def test_every_list_decodes(room: Room) -> None:
    room.alpha.send(f"room:{room.id}", "hi")
    operator = room.hub.operator()
    for path, shape in (
        ("/v1/rooms", shapes.RoomPage),
        ("/v1/agents", shapes.AgentPage),
        ("/v1/dms", shapes.DmPage),
        ("/v1/pairings", shapes.PairingPage),
        (f"/v1/rooms/{room.id}/threads", shapes.ThreadPage),
        (f"/v1/artifacts?room_id={room.id}", shapes.ArtifactPage),
    ):
        status, payload = operator.request("GET", path)
        assert status == 200, payload
        shapes.decode(payload, shape)


# The node


async def test_preflight(room: Room) -> None:
    node = room.node(room.beta_id)
    assert (await asyncio.to_thread(node.preflight)).id == "local"
    node.network_id = "elsewhere"
    with pytest.raises(PreflightError, match="network_id"):
        await asyncio.to_thread(node.preflight)


async def test_a_node_is_woken_by_its_mention(room: Room) -> None:
    async with running(room.node(room.beta_id)) as node:
        await asyncio.to_thread(room.alpha.send, f"room:{room.id}", "for nobody")
        await asyncio.to_thread(room.alpha.send, f"room:{room.id}", f"for @{room.beta_id}.")
        await until(lambda: len(room.messages_of(node)) == 2)
        woken = [event for event in node.received if node.wakes(event)]
        assert [event.message.parts[0].text for event in woken if event.message] == [f"for @{room.beta_id}."]
        assert node.attached == 1
        assert node.errors == []


async def test_a_node_that_was_away_gets_what_it_missed_once(room: Room) -> None:
    async with running(room.node(room.beta_id)) as node:
        await asyncio.to_thread(room.alpha.send, f"room:{room.id}", "first")
        await until(lambda: room.messages_of(node) == ["first"])
    for text in ("second", "third"):
        await asyncio.to_thread(room.alpha.send, f"room:{room.id}", text)
    async with running(room.node(room.beta_id, cursor=node.cursor)) as back:
        await until(lambda: len(room.messages_of(back)) >= 2)
        assert room.messages_of(back) == ["second", "third"]


async def test_an_unknown_cursor_is_told_as_a_gap_and_the_node_goes_on(room: Room) -> None:
    async with running(room.node(room.beta_id, cursor="evt_never-was")) as node:
        await until(lambda: bool(node.received))
        assert node.received[0].type == "stream.replay_gap"
        assert node.received[0].replay_gap is not None
        assert node.received[0].replay_gap.requested_event_id == "evt_never-was"
        await asyncio.to_thread(room.alpha.send, f"room:{room.id}", "after the gap")
        await until(lambda: "after the gap" in room.messages_of(node))
        assert node.errors == []


async def test_a_node_that_fails_comes_back_and_is_not_looped_for_ever(room: Room) -> None:
    seen: list[str] = []

    async def poison(event: shapes.Event) -> None:
        text = event.message.parts[0].text if event.message else ""
        if text:
            seen.append(text)
        if text.startswith("poison"):
            raise RuntimeError("no model")

    async with running(room.node(room.beta_id, handle=poison)) as node:
        await asyncio.to_thread(room.alpha.send, f"room:{room.id}", f"poison for @{room.beta_id}")
        await asyncio.to_thread(room.alpha.send, f"room:{room.id}", f"food for @{room.beta_id}")
        await until(lambda: any(text.startswith("food") for text in seen))
        assert node.attached > 1
        assert 1 <= sum(text.startswith("poison") for text in seen) <= 6


async def test_the_heartbeat_keeps_a_silent_node(room: Room) -> None:
    async with running(room.node(room.beta_id)) as node:
        await until(lambda: node.pongs >= 1)
        assert node.errors == []


async def test_removal_ends_the_attachment(room: Room) -> None:
    node = room.node(room.beta_id, backoff_base_s=60.0)
    async with running(node):
        await asyncio.to_thread(room.hub.operator().remove_agent, room.beta_id)
        await until(lambda: bool(node.errors))
        assert "agent was removed from the network" in node.errors[0]


async def test_another_network_is_refused(room: Room) -> None:
    node = room.node(room.beta_id)
    node.network_id = "elsewhere"
    with pytest.raises(AttachmentError, match='network_id "elsewhere" does not match "local"'):
        await node.attach()
