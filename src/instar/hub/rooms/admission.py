"""What the send path asks before it stores a message; `hub.delivery` answers (loop guard, rates, pause, stop)."""

from typing import NamedTuple, Protocol

from instar.wire.messages import Actor

from .state import RoomState


class Admitted(NamedTuple):
    """The place of a message in a chain of answers."""

    hops: int
    """How many agents answered each other before it; 0 for a person's."""
    cause: str
    """Id of the event that it answers; empty: none."""


class Admission(Protocol):
    """Judges each message once, just before it is appended. Its methods must not block."""

    def admit(self, sender: Actor, is_agent: bool, room: RoomState, cause: str) -> Admitted:
        """Return the message's hops and cause.

        Raises:
            InstarError: `rate_limited`, `loop_stopped` (both with `retry_after_s`) or `paused`.
        """
        ...
