"""What a runtime is given, and what it is: the seam between the run machine and whatever produces answers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from instar.wire.events import RoomKey
from instar.wire.messages import Message
from instar.wire.runs import RunUpdate

History = Callable[[int], Awaitable[Sequence[Message]]]
"""(limit) → the messages of the room before the one that woke the agent, oldest first, as they were said."""


@dataclass(frozen=True, slots=True)
class Work:
    """One waking, as the runtime sees it."""

    run_id: str
    agent_id: str
    agent_fqid: str
    room: RoomKey
    message: Message
    """The message that woke the agent."""
    attempt: int
    """1 for the first; each retry of the same message counts on."""
    history: History


class Runtime(Protocol):
    """Produces the updates of runs. One instance serves many agents and rooms at once, one run per room and agent.

    The text of its `TextDelta` updates, joined, becomes the agent's message; without any there is none.
    It is stopped by task cancellation and must let it pass. It fails by raising: an `InstarError` whose code is
    retryable is tried again, one whose code is not is dead-lettered at once, any other exception is tried again.
    """

    def heeds(self, agent_fqid: str, message: Message) -> bool:
        """Whether a message that wakes the agent is worth a run; one that is not is acknowledged without."""
        ...

    def run(self, work: Work) -> AsyncIterator[RunUpdate]:
        """Do the work, saying so as it goes."""
        ...
