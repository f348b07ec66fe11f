"""The runtime `builtin/echo`: speaks what the rules plan, word by word, in the time that they plan for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from instar.hub.runs.work import Work
from instar.wire.messages import Message
from instar.wire.runs import RunUpdate, TextDelta

from . import rules

NAME = "builtin/echo"
"""What agents name as their runtime to be served by it."""


class Echo:
    """Answers by fixed rules; needs no key, no network and no model.

    Args:
        sleep: How to wait between words, for tests.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep

    def heeds(self, agent_fqid: str, message: Message) -> bool:
        """Whether to answer; see `rules.heeds`."""
        return rules.heeds(agent_fqid, message)

    async def run(self, work: Work) -> AsyncIterator[RunUpdate]:
        """Stream the answer in words.

        Raises:
            InstarError: What `/fail` asked for, after the first words were said.
        """
        planned = rules.plan(work.message, work.attempt)
        words = rules.chunks(planned.text)
        pause_s = planned.over_s / len(words)
        for word in words:
            yield TextDelta(word)
            await self._sleep(pause_s)
        if planned.failure is not None:
            raise planned.failure
