import hashlib

import pytest

from instar.base.errors import InstarError
from instar.hub.rooms.participants import canonical_dm_id, canonical_member, canonical_members, member_fqid, member_of
from instar.wire.limits import MEMBERS_MAX
from instar.wire.messages import Actor


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ("alpha", "alpha"),
        (" alpha ", "alpha"),
        ("local:alpha", "alpha"),
        ("molt://local/agents/alpha", "alpha"),
        ("far:alpha", "far:alpha"),
        ("molt://far/agents/alpha", "far:alpha"),
    ],
)
def test_canonical(text: str, member: str) -> None:
    assert canonical_member(text, "local") == member
    assert canonical_member(member_fqid(member, "local"), "local") == member


@pytest.mark.parametrize("text", ["", "-x", "a b", "molt://local/rooms/x", "x:"])
def test_malformed(text: str) -> None:
    with pytest.raises(InstarError, match="no agent id"):
        canonical_member(text, "local")


def test_too_many() -> None:
    with pytest.raises(InstarError, match="more than"):
        canonical_members((f"a{n}" for n in range(MEMBERS_MAX + 1)), "local")


def test_the_id_of_a_direct_conversation_follows_from_its_participants() -> None:
    expected = "dm-" + hashlib.sha256(b"alpha\nbeta").hexdigest()[:16]
    assert canonical_dm_id(["beta", "alpha"]) == expected


def test_the_member_of_a_sender() -> None:
    assert member_of(Actor("agent", "a", network_id="local"), "local") == "a"
    assert member_of(Actor("agent", "a", network_id="far"), "local") == "far:a"
