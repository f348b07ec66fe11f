"""What all connections of the gateway share, as handlers see it."""

import time
import uuid
from dataclasses import dataclass

from instar.base.buckets import Buckets
from instar.hub.operations.hub import Hub
from instar.wire.limits import GATEWAY_WRITES_PER_MIN

from .health import HealthCache


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the hub lives; told to admins alone."""

    config_path: str = ""
    data_dir: str = ""
    auth_mode: str = ""
    """As the dialect says it: none, token or password."""


class Gateway:
    """The state of the door itself, none of which is the hub's.

    Args:
        hub: What the door translates to.
        installation: Where it lives.
    """

    __slots__ = ("boot_id", "health", "health_version", "hub", "installation", "started_at", "writes")

    def __init__(self, hub: Hub, installation: Installation | None = None) -> None:
        self.hub = hub
        self.installation = installation or Installation()
        self.health = HealthCache()
        self.health_version = 1
        """Rises each time that health was looked at anew for everybody."""
        self.started_at = time.monotonic()
        self.writes = Buckets(GATEWAY_WRITES_PER_MIN / 60, GATEWAY_WRITES_PER_MIN)
        """How often a method that writes settings may be called."""
        self.boot_id = str(uuid.uuid4())

    @property
    def uptime_ms(self) -> int:
        """How long the door has been open."""
        return int((time.monotonic() - self.started_at) * 1_000)
