from typing import Any

import pytest

from instar.hub.rooms.reactions import with_reaction, without_reaction
from instar.wire.limits import REACTIONS_PER_MESSAGE_MAX
from instar.wire.messages import Reaction
from tests.hub.rooms.conftest import Bench, refused


async def test_sets_of_reactions(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "x", id="m1")

    async def change(caller: Any, verb: str, reaction: str) -> list[tuple[str, list[str]]]:
        message = await bench.do(caller, f"messages.{verb}", message_id="m1", reaction=reaction)
        return [(each.reaction, each.by) for each in message.reactions]

    assert await change(bench.alpha, "react", "+1") == [("+1", ["alpha"])]
    assert await change(bench.beta, "react", "+1") == [("+1", ["alpha", "beta"])]
    assert await change(bench.beta, "react", "+1") == [("+1", ["alpha", "beta"])]
    assert await change(bench.beta, "react", "ok") == [("+1", ["alpha", "beta"]), ("ok", ["beta"])]
    assert await change(bench.alpha, "unreact", "+1") == [("+1", ["beta"]), ("ok", ["beta"])]
    assert await change(bench.alpha, "unreact", "+1") == [("+1", ["beta"]), ("ok", ["beta"])]
    assert await change(bench.beta, "unreact", "+1") == [("ok", ["beta"])]
    assert bench.types()[2:] == ["reaction.added"] * 3 + ["reaction.removed"] * 2
    (message,) = (await bench.do(bench.beta, "rooms.messages", room_id="review")).messages
    assert message.reactions == [Reaction("ok", ["beta"])]


async def test_who_may_react(bench: Bench) -> None:
    await bench.room("review", "alpha", visibility="public")
    await bench.say(bench.alpha, "x", id="m1")
    await refused("forbidden", bench.do(bench.beta, "messages.react", message_id="m1", reaction="+1"))
    await refused("conflict", bench.do(bench.beta, "messages.react", message_id="m1", reaction="+1", **{"as": "alpha"}))
    message = await bench.do(bench.admin, "messages.react", message_id="m1", reaction="+1", **{"as": "gamma"})
    assert message.reactions == [Reaction("+1", ["gamma"])]


async def test_an_edit_keeps_reactions(bench: Bench) -> None:
    await bench.room()
    await bench.say(bench.alpha, "x", id="m1")
    await bench.do(bench.alpha, "messages.react", message_id="m1", reaction="+1")
    message = await bench.do(bench.alpha, "messages.edit", message_id="m1", parts=[{"kind": "text", "text": "y"}])
    assert (message.parts[0].text, message.reactions) == ("y", [Reaction("+1", ["alpha"])])


async def test_the_number_of_distinct_reactions_is_limited() -> None:
    full = [Reaction(str(n), ["a"]) for n in range(REACTIONS_PER_MESSAGE_MAX)]
    assert with_reaction(full, "0", "b")[0].by == ["a", "b"]

    async def attempt() -> None:
        with_reaction(full, "new", "a")

    await refused("conflict", attempt())


@pytest.mark.parametrize(("by", "left"), [("a", []), ("b", [Reaction("x", ["a"])])])
def test_a_reaction_that_nobody_has_is_gone(by: str, left: list[Reaction]) -> None:
    assert without_reaction([Reaction("x", ["a"])], "x", by) == left
