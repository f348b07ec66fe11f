"""What a connection may choose to hear, and how much of it is remembered."""

from collections.abc import Callable

import pytest

from instar.base.errors import InstarError
from instar.doors.gateway.subscriptions import Subscriptions
from instar.wire.limits import GATEWAY_CHOICES_MAX


@pytest.mark.parametrize("choose", [Subscriptions.want, Subscriptions.hear, Subscriptions.join])
def test_choices_are_bounded(choose: Callable[[Subscriptions, list[str]], None]) -> None:
    choices = Subscriptions()
    choices.events = frozenset()
    choose(choices, [f"one-{number}" for number in range(GATEWAY_CHOICES_MAX)])
    choose(choices, ["one-0"])
    with pytest.raises(InstarError) as caught:
        choose(choices, ["one-more"])
    assert caught.value.code == "conflict"
    assert len(choices.events or choices.keys or choices.rooms) == GATEWAY_CHOICES_MAX


def test_all_is_all_and_nothing_of_it_is_dropped() -> None:
    choices = Subscriptions()
    choices.drop(["chat"])
    assert choices.hears("chat")
    choices.events = frozenset()
    choices.want(["chat", "agent"])
    choices.drop(["agent"])
    assert (choices.hears("chat"), choices.hears("agent")) == (True, False)
    choices.want(["*"])
    assert choices.hears("agent")
