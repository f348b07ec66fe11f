"""What the operator decided about delivery (settings `delivery.*`, `loops.*` and the message rates)."""

from msgspec import Struct

from instar.wire import limits


class DeliveryPolicy(Struct, frozen=True, kw_only=True):
    """Leases, attempts, loop limits and rates; the defaults are in `wire.limits`."""

    lease_s: float = limits.INBOX_LEASE_S
    attempts: int = limits.INBOX_ATTEMPTS_MAX
    max_hops: int = limits.LOOP_HOPS_MAX
    pair_per_min: int = limits.LOOP_PAIR_RATE_PER_MIN
    """0 switches the limit off."""
    room_per_min: int = limits.LOOP_ROOM_RATE_PER_MIN
    """0 switches the limit off."""
    cool_down_s: float = limits.LOOP_COOL_DOWN_S
    agent_messages_per_s: float = limits.AGENT_RATE_PER_S
    room_messages_per_s: float = limits.ROOM_RATE_PER_S
