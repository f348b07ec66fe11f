import pytest

from instar.hub.delivery.wake import Said, addressed, policy_for, why
from instar.wire.agents import Wake
from instar.wire.messages import Actor, Target, TargetKind

ME = "molt://local/agents/beta"
ROOM = Target(TargetKind.ROOM, room_id="review")
THREAD = Target(TargetKind.THREAD, room_id="review", thread_id="t")
DM = Target(TargetKind.DM, dm_id="d", participant_ids=["alpha", "beta"])


def message(target=ROOM, sender="alpha", network="local", mentions=()):
    return Said("m1", target, Actor("agent", sender, "", network, f"molt://{network}/agents/{sender}"), list(mentions))


@pytest.mark.parametrize(
    ("wake", "room", "mention", "thread", "thread_mention", "dm"),
    [
        (Wake.ALL, "room", "mention", "thread", "mention", "dm"),
        (Wake.MENTIONS, "", "mention", "", "mention", "dm"),
        (Wake.THREAD_ONLY, "", "", "thread", "mention", ""),
        (Wake.NEVER, "", "", "", "", ""),
    ],
)
def test_the_truth_table(wake, room, mention, thread, thread_mention, dm):
    assert why(message(), ME, wake) == room
    assert why(message(mentions=[ME]), ME, wake) == mention
    assert why(message(THREAD), ME, wake) == thread
    assert why(message(THREAD, mentions=[ME]), ME, wake) == thread_mention
    assert why(message(DM), ME, wake) == dm


@pytest.mark.parametrize("wake", list(Wake))
@pytest.mark.parametrize("target", [ROOM, THREAD, DM])
def test_own_messages_never_wake(wake, target):
    assert why(message(target, "beta", mentions=[ME]), ME, wake) == ""


def test_a_namesake_of_another_network_wakes():
    assert why(message(sender="beta", network="far"), ME, Wake.ALL) == "room"


def test_a_rooms_own_policy_goes_before_the_agents_and_threads_have_it_too():
    rooms = {"review": Wake.NEVER}
    assert policy_for(message(), Wake.ALL, rooms) is Wake.NEVER
    assert policy_for(message(THREAD), Wake.ALL, rooms) is Wake.NEVER
    assert policy_for(message(DM), Wake.ALL, rooms) is Wake.ALL


def test_whom_a_message_addresses():
    far = "molt://far/agents/gamma"
    assert addressed(message(mentions=[ME, far, "molt://local/agents/alpha"]), "local") == {"beta": "mention"}
    assert addressed(message(DM), "local") == {"beta": "dm"}
    scoped = Target(TargetKind.DM, dm_id="d", participant_ids=["local:beta", "far:gamma"])
    assert addressed(message(scoped, "gamma", "far"), "local") == {"beta": "dm", "far:gamma": "dm"}
