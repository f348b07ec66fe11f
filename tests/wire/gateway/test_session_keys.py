import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.base.errors import InstarError
from instar.wire.gateway.session_keys import SessionKey, parse_session_key, session_key_of
from instar.wire.messages import Target, TargetKind
from instar.wire.rooms import RoomKind

AGENTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
KINDS = st.sampled_from([RoomKind.SESSION, RoomKind.ROOM, RoomKind.THREAD, RoomKind.DM])


@given(AGENTS, KINDS, NAMES)
def test_a_key_is_read_as_it_was_written(agent_id: str, kind: RoomKind, name: str) -> None:
    key = SessionKey(agent_id, kind, name)
    assert parse_session_key(str(key), "guide") == key
    assert session_key_of(key.room, agent_id) == key


@pytest.mark.parametrize(
    ("text", "room", "target"),
    [
        ("main", "session:agent:guide:main", Target(TargetKind.SESSION, session_id="agent:guide:main")),
        (
            "agent:beta:cron:j1",
            "session:agent:beta:cron:j1",
            Target(TargetKind.SESSION, session_id="agent:beta:cron:j1"),
        ),
        ("agent:beta:instar:channel:general", "room:general", Target(TargetKind.ROOM, room_id="general")),
        ("instar:thread:t1", "thread:t1", Target(TargetKind.THREAD, thread_id="t1")),
        ("agent:beta:instar:dm:d1", "dm:d1", Target(TargetKind.DM, dm_id="d1")),
    ],
)
def test_what_a_key_means(text: str, room: str, target: Target) -> None:
    key = parse_session_key(text, "guide")
    assert key.room == room
    assert key.target == target


@pytest.mark.parametrize(
    "text", ["", "  ", "agent:", "agent:beta", "agent:beta:", "../x", "agent:be ta:main", "a/b", "x" * 99]
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(InstarError) as refused:
        parse_session_key(text, "guide")
    assert refused.value.code == "bad_request"


def test_only_the_agents_own_first_session_is_main() -> None:
    assert parse_session_key("main", "guide").is_main
    assert not parse_session_key("agent:guide:instar:channel:main", "guide").is_main
    assert not parse_session_key("agent:guide:other", "guide").is_main


def test_system_rooms_are_no_conversations() -> None:
    assert session_key_of("system:audit", "guide") is None
