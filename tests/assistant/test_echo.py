import pytest

from instar.assistant.echo import NAME, Echo
from instar.base.errors import InstarError
from instar.hub.runs.work import Work
from instar.wire.events import RoomKey
from instar.wire.messages import Actor, Message, Origin, Part, PartKind, Target, TargetKind


def work(text, attempt=1):
    message = Message(
        "m1",
        "local",
        Origin("local", "m1"),
        Target(TargetKind.ROOM, room_id="general"),
        Actor("human", "someone"),
        [Part(PartKind.TEXT, text)],
        "2026-01-01T00:00:00Z",
    )

    async def history(limit):
        return []

    return Work("run_1", "guide", "molt://local/agents/guide", RoomKey("room:general"), message, attempt, history)


class Sleeps:
    def __init__(self):
        self.slept = []

    async def __call__(self, seconds):
        self.slept.append(seconds)


async def test_an_answer_comes_word_by_word():
    updates = [update.text async for update in Echo(Sleeps()).run(work("the cake"))]
    assert updates[:4] == ["You ", "said: ", "the ", "cake\n\n"]


async def test_slow_takes_its_time_in_small_steps():
    sleeps = Sleeps()
    updates = [update async for update in Echo(sleeps).run(work("/slow 60"))]
    assert sum(sleeps.slept) == pytest.approx(60)
    assert len(updates) > 60


async def test_fail_says_something_and_then_raises():
    updates = Echo(Sleeps()).run(work("/fail"))
    assert await anext(updates)
    with pytest.raises(InstarError):
        [update async for update in updates]


async def test_it_heeds_by_rule():
    assert Echo().heeds("molt://local/agents/guide", work("hi").message)
    assert NAME == "builtin/echo"
