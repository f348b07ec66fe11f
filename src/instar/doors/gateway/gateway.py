"""What all connections of the gateway share."""

import time

from instar.hub.operations.hub import Hub

from .health import HealthCache


class Gateway:
    """The state of the door itself, none of which is the hub's.

    Args:
        hub: What the door translates to.
    """

    __slots__ = ("health", "hub", "started_at")

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.health = HealthCache()
        self.started_at = time.monotonic()

    @property
    def uptime_ms(self) -> int:
        """How long the door has been open."""
        return int((time.monotonic() - self.started_at) * 1_000)
