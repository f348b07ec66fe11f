import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.assistant import rules
from instar.wire.messages import Actor, Message, Origin, Part, PartKind, Target, TargetKind

GUIDE = "molt://local/agents/guide"


def message(text="", *, sender="human", mentions=(), target=None, parts=None):
    return Message(
        "m1",
        "local",
        Origin("local", "m1"),
        target or Target(TargetKind.ROOM, room_id="general"),
        Actor(sender, "someone"),
        parts if parts is not None else [Part(PartKind.TEXT, text)],
        "2026-01-01T00:00:00Z",
        list(mentions),
    )


def answer(text, attempt=1):
    return rules.plan(message(text), attempt)


@pytest.mark.parametrize("text", ["/help", "hello", "Hello there", "what is this?", "Who are you", "anything", ""])
def test_it_says_plainly_that_it_is_no_model(text):
    assert rules.NOT_A_MODEL in answer(text).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/help", rules.HELP),
        ("/HELP ", rules.HELP),
        ("@guide /help", rules.HELP),
        ("<@molt://local/agents/guide> /help", rules.HELP),
        ("hi", rules.GREETING),
        ("Good morning", rules.GREETING),
        ("What is this?", rules.ABOUT),
        ("what is instar", rules.ABOUT),
        ("how do I add an agent?", rules.ADD_AGENT),
        ("How can I connect my agents", rules.ADD_AGENT),
    ],
)
def test_what_it_knows(text, expected):
    assert answer(text).text == expected


def test_how_to_add_an_agent_names_the_commands():
    for command in ("instar agents register", "instar rooms members add general", "instar inbox list --agent"):
        assert command in rules.ADD_AGENT


@pytest.mark.parametrize(
    ("text", "over_s"),
    [("/slow 3", 3), ("/slow", 10), ("/slow 100000", 120), ("/slow -1", 10), ("/slow nan", 10), ("/slow x", 10)],
)
def test_slow_is_spread_and_capped(text, over_s):
    planned = answer(text)
    assert planned.over_s == over_s
    assert planned.failure is None


def test_fail_is_final_and_typed():
    failure = answer("/fail").failure
    assert failure is not None
    assert (failure.code, "instar inbox list" in failure.hint) == ("unprocessable_entity", True)


def test_fail_n_fails_n_times():
    assert [answer("/fail 2", attempt).failure is not None for attempt in (1, 2, 3)] == [True, True, False]
    assert answer("/fail 2").failure.code == "bad_gateway"


def test_other_text_is_echoed_with_a_next_step():
    planned = answer("the cake is ready")
    assert "You said: the cake is ready" in planned.text
    assert "/help" in planned.text


def test_an_echo_mentions_nobody():
    assert "You said: tell beta and <molt://local/agents/c>, at a@b.c" in (
        answer("tell @beta and <@molt://local/agents/c>, at a@b.c").text
    )


def test_long_text_is_cut():
    assert len(answer("x" * 100_000).text) < rules.ECHO_MAX_CHARS + 200


def test_parts_that_are_no_text_are_named():
    planned = rules.plan(message(parts=[Part(PartKind.IMAGE, url="https://x/y.png")]), 1)
    assert "image" in planned.text


@pytest.mark.parametrize(
    ("sender", "mentions", "target", "heeded"),
    [
        ("human", (), None, True),
        ("human", ("molt://local/agents/beta",), None, False),
        ("human", ("molt://local/agents/beta", GUIDE), None, True),
        ("agent", (), None, False),
        ("", (), None, False),
        ("robot", (), None, False),
        ("agent", (GUIDE,), None, True),
        ("agent", ("molt://local/agents/beta",), None, False),
        ("agent", (), Target(TargetKind.DM, dm_id="d", participant_ids=["beta", "guide"]), True),
        ("agent", (), Target(TargetKind.DM, dm_id="d", participant_ids=["beta", "gamma", "guide"]), False),
    ],
)
def test_what_is_meant_for_others_is_not_echoed(sender, mentions, target, heeded):
    assert rules.heeds(GUIDE, message("x", sender=sender, mentions=mentions, target=target)) is heeded


@given(st.text())
def test_chunks_joined_are_the_text(text):
    assert "".join(rules.chunks(text)) == text


@given(st.text(max_size=200), st.integers(1, 9))
def test_it_has_an_answer_to_everything(text, attempt):
    planned = answer(text, attempt)
    assert planned.text.strip()
    assert 0 <= planned.over_s <= rules.SLOW_MAX_S
