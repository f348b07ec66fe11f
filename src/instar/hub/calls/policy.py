"""What the operator decided about calls (section `calls` of the settings)."""

from typing import NamedTuple

from instar.wire.limits import CALL_KEEP_S, CALL_OUTPUT_MAX_BYTES, CALL_UNWATCHED_S


class CallPolicy(NamedTuple):
    """What is kept of calls."""

    output_max_bytes: int = CALL_OUTPUT_MAX_BYTES
    """So much of each output of a call is stored; the rest is counted and thrown away."""
    keep_s: float = CALL_KEEP_S
    """Seconds for which the output of ended calls is kept."""
    unwatched_s: float = CALL_UNWATCHED_S
    """Seconds for which nobody may watch a call that asks for that, before it expires."""
