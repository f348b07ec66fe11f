"""Sessions: rooms of one agent that are opened, joined, begun anew and removed by name."""

import json
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.hub.identity.authentication import Credential
from instar.hub.identity.principals import Caller
from tests.hub.conftest import Engine

MAIN = {"kind": "session", "session_id": "agent:alpha:main"}


async def person(engine: Engine, name: str, *scopes: str, **more: Any) -> Caller:
    made = await engine.do(engine.admin, "keys.create", name=name, scopes=list(scopes or ("write",)), **more)
    return engine.identity.authenticate(Credential(made.token))


async def refused(doing: Any) -> str:
    with pytest.raises(InstarError) as caught:
        await doing
    return caught.value.code


@pytest.fixture
async def alpha(engine: Engine) -> Caller:
    return await engine.agent("alpha")


async def said(engine: Engine, caller: Caller, session_id: str = "agent:alpha:main") -> list[str]:
    page = await engine.do(caller, "sessions.messages", session_id=session_id)
    return [message.parts[0].text for message in page.messages]


class TestOpening:
    async def test_agent_and_opener_are_its_members(self, engine: Engine, alpha: Caller) -> None:
        ada = await person(engine, "ada")
        opened = await engine.do(ada, "sessions.open", agent_id="alpha", name="plan:one", label="The plan")
        assert (opened.key, opened.id) == ("session:agent:alpha:plan:one", "agent:alpha:plan:one")
        assert (opened.agent_id, opened.name, opened.label) == ("alpha", "plan:one", "The plan")
        assert opened.members == sorted(["alpha", ada.principal.id])
        assert opened.created
        assert opened.generation == 1
        assert await engine.do(ada, "sessions.get", session_id=opened.id) == _stored(opened)
        assert await engine.do(alpha, "sessions.get", session_id=opened.id) == _stored(opened)

    async def test_opening_again_changes_nothing(self, engine: Engine, alpha: Caller) -> None:
        ada = await person(engine, "ada")
        first = await engine.do(ada, "sessions.open", agent_id="alpha")
        again = await engine.do(ada, "sessions.open", agent_id="alpha")
        assert again == _stored(first)
        assert len(engine.of("session.opened")) == 1
        assert engine.of("session.updated") == []

    async def test_a_reader_of_every_room_joins_others_find_none(self, engine: Engine, alpha: Caller) -> None:
        ada, eve = await person(engine, "ada"), await person(engine, "eve")
        observer = await person(engine, "observer", "observe", "write")
        await engine.do(ada, "sessions.open", agent_id="alpha")
        assert await refused(engine.do(eve, "sessions.open", agent_id="alpha")) == "not_found"
        assert await refused(engine.do(eve, "sessions.get", session_id="agent:alpha:main")) == "not_found"
        assert await refused(engine.say(eve, "let me in", target=MAIN)) == "not_found"
        joined = await engine.do(observer, "sessions.open", agent_id="alpha")
        assert observer.principal.id in joined.members
        assert not joined.created
        await engine.say(observer, "now I may", target=MAIN)

    async def test_an_unknown_agent_is_not_found(self, engine: Engine) -> None:
        assert await refused(engine.do(engine.admin, "sessions.open", agent_id="nobody")) == "not_found"

    async def test_who_may_not_write_or_is_confined_to_rooms_opens_none(self, engine: Engine, alpha: Caller) -> None:
        await engine.room("review")
        reader = await person(engine, "reader", "observe")
        confined = await person(engine, "confined", "observe", "write", rooms=["review"])
        assert await refused(engine.do(reader, "sessions.open", agent_id="alpha")) == "forbidden"
        assert await refused(engine.do(confined, "sessions.open", agent_id="alpha")) == "forbidden"
        await engine.do(engine.admin, "sessions.open", agent_id="alpha")
        assert await refused(engine.do(confined, "sessions.get", session_id="agent:alpha:main")) == "not_found"

    async def test_the_longest_form_of_its_id_is_an_id(self, engine: Engine) -> None:
        await engine.agent("a" * 60)
        opening = engine.do(engine.admin, "sessions.open", agent_id="a" * 60, name="n" * 80)
        assert await refused(opening) == "unprocessable_entity"

    async def test_an_agent_opens_one_with_another(self, engine: Engine, alpha: Caller) -> None:
        beta = await engine.agent("beta")
        opened = await engine.do(beta, "sessions.open", agent_id="alpha", name="from-beta")
        assert opened.members == ["alpha", "beta"]
        await engine.say(beta, "hello", target={"kind": "session", "session_id": opened.id})
        assert await said(engine, alpha, opened.id) == ["hello"]


class TestSpeaking:
    async def test_messages_are_stored_found_counted_and_exported(self, engine: Engine, alpha: Caller) -> None:
        await engine.do(engine.admin, "sessions.open", agent_id="alpha")
        sent = await engine.say(engine.admin, "a quokka", target=MAIN, id="m-1")
        await engine.say(alpha, "an answer", target=MAIN, reply_to="m-1")
        assert await said(engine, engine.admin) == ["a quokka", "an answer"]
        session = await engine.do(engine.admin, "sessions.get", session_id="agent:alpha:main")
        assert session.messages == 2
        message = await engine.do(alpha, "messages.get", message_id="m-1")
        assert message.target.session_id == "agent:alpha:main"
        assert message.target.participant_ids == session.members
        marker = await engine.do(alpha, "rooms.mark_read", target=MAIN, message_id="m-1")
        assert (marker.room, marker.last_read_seq, marker.unread_count) == (session.key, sent.seq, 1)
        export = await engine.do(alpha, "rooms.export", session_id="agent:alpha:main")
        lines = [json.loads(line) async for chunk in export.lines for line in chunk.splitlines()]
        assert [line["type"] for line in lines[:-1]] == ["session.opened", "message.created", "message.created"]
        page = await engine.do(alpha, "events.read", session_id="agent:alpha:main")
        assert [event.type for event in page.events] == [line["type"] for line in lines[:-1]]

    async def test_mentions_are_of_its_members(self, engine: Engine, alpha: Caller) -> None:
        await engine.agent("beta")
        await engine.do(engine.admin, "sessions.open", agent_id="alpha")
        await engine.say(engine.admin, "@alpha and @beta", target=MAIN, id="m-1")
        message = await engine.do(alpha, "messages.get", message_id="m-1")
        assert message.mentions == ["molt://local/agents/alpha"]

    async def test_members_only(self, engine: Engine, alpha: Caller) -> None:
        beta = await engine.agent("beta")
        await engine.do(engine.admin, "sessions.open", agent_id="alpha")
        assert await refused(engine.say(beta, "me too", target=MAIN)) == "not_found"
        assert await refused(engine.say(alpha, "x", target={"kind": "session", "session_id": "agent:alpha:no"})) == (
            "not_found"
        )
        assert await refused(engine.say(alpha, "x", target={"kind": "session"})) == "unprocessable_entity"


class TestMoltnet:
    """Its clients know rooms, threads and direct conversations: a session is one of the last to them."""

    async def test_a_session_is_read_and_written_as_a_direct_conversation(self, engine: Engine, alpha: Caller) -> None:
        await engine.do(engine.admin, "sessions.open", agent_id="alpha")
        await engine.say(engine.admin, "hello", target=MAIN)
        key = "session:agent:alpha:main"
        dm = await engine.do(alpha, "dms.get", dm_id=key)
        assert (dm.id, dm.participant_ids) == (key, ["alpha", "operator"])
        await engine.say(alpha, "hello back", target={"kind": "dm", "dm_id": key, "participant_ids": ["operator"]})
        page = await engine.do(alpha, "dms.messages", dm_id=key)
        assert [message.parts[0].text for message in page.messages] == ["hello", "hello back"]
        assert {(message.target.kind, message.target.dm_id) for message in page.messages} == {("dm", key)}
        assert await said(engine, engine.admin) == ["hello", "hello back"]

    async def test_no_direct_conversation_takes_a_sessions_place(self, engine: Engine, alpha: Caller) -> None:
        target = {"kind": "dm", "dm_id": "session:agent:alpha:main", "participant_ids": ["alpha", "operator"]}
        assert await refused(engine.say(engine.admin, "mine", target=target)) == "not_found"


class TestLists:
    async def test_newest_first_by_agent_words_and_activity(self, engine: Engine, alpha: Caller) -> None:
        await engine.agent("beta")
        for agent, name, label in (("alpha", "one", "Gardens"), ("alpha", "two", ""), ("beta", "one", "Boats")):
            await engine.do(engine.admin, "sessions.open", agent_id=agent, name=name, label=label)
        await engine.say(engine.admin, "x", target={"kind": "session", "session_id": "agent:alpha:one"})

        async def ids(**query: Any) -> list[str]:
            return [one.id for one in (await engine.do(engine.admin, "sessions.list", **query)).sessions]

        assert await ids() == ["agent:alpha:one", "agent:beta:one", "agent:alpha:two"]
        assert await ids(agent_id="beta") == ["agent:beta:one"]
        assert await ids(search="GARD") == ["agent:alpha:one"]
        assert await ids(active_s=60) == ["agent:alpha:one"]
        assert await ids(active_s=0) == []
        listed = await engine.do(engine.admin, "sessions.list", limit=1)
        assert (len(listed.sessions), listed.total) == (1, 3)
        mine = await engine.do(alpha, "sessions.list")
        assert [one.agent_id for one in mine.sessions] == ["alpha", "alpha"]


class TestChanging:
    async def test_a_member_labels_it(self, engine: Engine, alpha: Caller) -> None:
        ada = await person(engine, "ada")
        await engine.do(ada, "sessions.open", agent_id="alpha")
        changed = await engine.do(ada, "sessions.update", session_id="agent:alpha:main", label="Ours")
        assert changed.label == "Ours"
        assert (await engine.do(alpha, "sessions.get", session_id="agent:alpha:main")).label == "Ours"

    async def test_an_observer_does_not(self, engine: Engine, alpha: Caller) -> None:
        observer = await person(engine, "observer", "observe", "write")
        await engine.do(engine.admin, "sessions.open", agent_id="alpha")
        for operation in ("sessions.reset", "sessions.remove"):
            assert await refused(engine.do(observer, operation, session_id="agent:alpha:main")) == "forbidden"

    async def test_an_agent_that_is_removed_leaves_its_sessions(self, engine: Engine, alpha: Caller) -> None:
        await engine.do(engine.admin, "sessions.open", agent_id="alpha")
        await engine.say(engine.admin, "a secret", target=MAIN)
        await engine.do(engine.admin, "agents.remove", agent_id="alpha")
        successor = await engine.agent("alpha")
        assert await refused(engine.do(successor, "sessions.messages", session_id="agent:alpha:main")) == "not_found"
        again = await engine.do(engine.admin, "sessions.open", agent_id="alpha")
        assert again.members == ["alpha", "operator"]


class TestBeginningAnew:
    @pytest.fixture
    async def ada(self, engine: Engine, alpha: Caller) -> Caller:
        """A member who said two things in the first generation."""
        ada = await person(engine, "ada")
        await engine.do(ada, "sessions.open", agent_id="alpha")
        await engine.say(ada, "old quokka", target=MAIN, id="old")
        await engine.say(alpha, "old answer", target=MAIN)
        return ada

    async def test_a_reset_leaves_what_was_said_behind(self, engine: Engine, alpha: Caller, ada: Caller) -> None:
        reset = await engine.do(ada, "sessions.reset", session_id="agent:alpha:main")
        assert (reset.generation, reset.messages, reset.members) == (2, 0, sorted(["alpha", ada.principal.id]))
        assert await said(engine, ada) == []
        await engine.say(ada, "new", target=MAIN)
        assert await said(engine, alpha) == ["new"]
        assert (await engine.do(ada, "sessions.get", session_id="agent:alpha:main")).messages == 1
        marker = await engine.do(alpha, "rooms.mark_read", target=MAIN)
        assert marker.unread_count == 1

    async def test_no_way_leads_back_for_a_member(self, engine: Engine, alpha: Caller, ada: Caller) -> None:
        await engine.do(ada, "sessions.reset", session_id="agent:alpha:main")
        await engine.say(ada, "new", target=MAIN, id="new")
        assert await refused(engine.do(ada, "messages.get", message_id="old")) == "not_found"
        assert await refused(engine.do(ada, "messages.redact", message_id="old")) == "not_found"
        assert await refused(engine.say(ada, "re", target=MAIN, reply_to="old")) == "unprocessable_entity"
        for cursor in ({"before": "new"}, {"after": "old"}, {"after": "1"}):
            page = await engine.do(ada, "sessions.messages", session_id="agent:alpha:main", **cursor)
            assert [message.id for message in page.messages if message.id != "new"] == []
            assert not page.page.has_more
        export = await engine.do(ada, "rooms.export", session_id="agent:alpha:main")
        assert b"old" not in b"".join([chunk async for chunk in export.lines])
        for query in ({"session_id": "agent:alpha:main"}, {}):
            page = await engine.do(ada, "events.read", **query)
            told = [event.type for event in page.events if event.room_key == "session:agent:alpha:main"]
            assert told == ["session.reset", "message.created"]
        feed, socket = await engine.feed(ada, cursor="0")
        await engine.until(lambda: "new" in socket.texts)
        assert socket.texts == ["new"]
        assert [event["type"] for event in socket.events if event["type"].startswith("session.")] == ["session.reset"]
        engine.delivery.close_feed(feed)

    async def test_who_observes_every_room_still_reads_the_log(self, engine: Engine, ada: Caller) -> None:
        await engine.do(ada, "sessions.reset", session_id="agent:alpha:main")
        assert (await engine.do(engine.admin, "messages.get", message_id="old")).parts[0].text == "old quokka"
        erased = await engine.do(engine.admin, "messages.redact", message_id="old")
        assert erased.redaction is not None

    async def test_search_forgets_it(self, engine: Engine, alpha: Caller, ada: Caller) -> None:
        search = engine.rooms.search
        engine.scope.start("search", search.run())
        await engine.until(lambda: search.follower.lag() == 0)
        assert len((await engine.do(ada, "messages.search", q="quokka")).hits) == 1
        await engine.do(ada, "sessions.reset", session_id="agent:alpha:main")
        assert (await engine.do(ada, "messages.search", q="quokka")).hits == []
        await engine.say(ada, "new quokka", target=MAIN)
        await engine.until(lambda: search.follower.lag() == 0)
        for query in ({}, {"session_id": "agent:alpha:main"}):
            hits = (await engine.do(ada, "messages.search", q="quokka", **query)).hits
            assert [hit.message.parts[0].text for hit in hits] == ["new quokka"]

    async def test_its_inbox_begins_anew(self, engine: Engine, alpha: Caller, ada: Caller) -> None:
        before = await engine.do(alpha, "inbox.read", agent_id="alpha", lease=False)
        assert len(before.items) == 1
        await engine.do(ada, "sessions.reset", session_id="agent:alpha:main")
        await engine.say(ada, "new", target=MAIN)
        items = (await engine.do(alpha, "inbox.read", agent_id="alpha")).items
        assert [item.event.message["parts"][0]["text"] for item in items] == ["new"]

    async def test_a_removed_name_is_opened_anew_by_somebody_else(
        self, engine: Engine, alpha: Caller, ada: Caller
    ) -> None:
        await engine.do(ada, "sessions.remove", session_id="agent:alpha:main")
        assert await refused(engine.do(ada, "sessions.get", session_id="agent:alpha:main")) == "not_found"
        assert await refused(engine.say(ada, "anyone?", target=MAIN)) == "not_found"
        eve = await person(engine, "eve")
        feed, socket = await engine.feed(ada)
        opened = await engine.do(eve, "sessions.open", agent_id="alpha")
        assert (opened.created, opened.generation, opened.messages) == (True, 2, 0)
        assert opened.members == sorted(["alpha", eve.principal.id])
        await engine.say(eve, "mine now", target=MAIN)
        assert await said(engine, eve) == ["mine now"]
        assert await refused(engine.do(eve, "messages.get", message_id="old")) == "not_found"
        assert await refused(engine.do(ada, "sessions.messages", session_id="agent:alpha:main")) == "not_found"
        assert "mine now" not in socket.texts
        engine.delivery.close_feed(feed)

    async def test_it_survives_a_restart(self, make_engine: Any) -> None:
        engine = await make_engine()
        await engine.agent("alpha")
        await engine.do(engine.admin, "sessions.open", agent_id="alpha", label="L")
        await engine.say(engine.admin, "old", target=MAIN)
        await engine.do(engine.admin, "sessions.reset", session_id="agent:alpha:main")
        await engine.say(engine.admin, "new", target=MAIN)
        before = await engine.do(engine.admin, "sessions.get", session_id="agent:alpha:main")
        state = engine.rooms.directory.get("session:agent:alpha:main").own
        engine = await make_engine()
        assert await engine.do(engine.admin, "sessions.get", session_id="agent:alpha:main") == before
        assert engine.rooms.directory.get("session:agent:alpha:main").own == state
        assert await said(engine, engine.admin) == ["new"]
        await engine.say(engine.admin, "newer", target=MAIN)
        assert await said(engine, engine.admin) == ["new", "newer"]


class TestWaking:
    @pytest.mark.parametrize(
        ("policy", "is_woken"), [("all", True), ("mentions", True), ("thread_only", True), ("never", False)]
    )
    async def test_everything_wakes_its_agent_unless_never(self, engine: Engine, policy: str, is_woken: bool) -> None:
        alpha = await engine.agent("alpha", wake=policy)
        await engine.do(engine.admin, "sessions.open", agent_id="alpha")
        await engine.say(engine.admin, "no mention", target=MAIN)
        await engine.say(alpha, "my own", target=MAIN)
        items = (await engine.do(alpha, "inbox.read", agent_id="alpha")).items
        assert [item.reason for item in items] == (["session"] if is_woken else [])

    async def test_another_agent_in_it_keeps_its_policy(self, engine: Engine, alpha: Caller) -> None:
        await engine.do(engine.admin, "sessions.open", agent_id="alpha")
        reasons: dict[str, list[str]] = {}
        for name, policy in (("beta", "mentions"), ("gamma", "all")):
            await engine.agent(name, wake=policy)
            caller = await person(engine, name, "observe", "write", "attach", agents=[name])
            assert name in (await engine.do(caller, "sessions.open", agent_id="alpha")).members
            await engine.say(engine.admin, "for all", target=MAIN)
            await engine.say(engine.admin, f"for @{name}", target=MAIN)
            items = (await engine.do(caller, "inbox.read", agent_id=name)).items
            reasons[name] = [item.reason for item in items]
        assert reasons == {"beta": ["mention"], "gamma": ["room", "mention"]}


def _stored(opened: Any) -> Any:
    """Return a session as it is read after it was opened."""
    return type(opened)(**{name: getattr(opened, name) for name in opened.__struct_fields__ if name != "created"})
