"""What the operator decided about calls: section `calls` of the settings."""

from typing import Annotated

from msgspec import Meta, Struct

from instar.wire.limits import CALL_KEEP_S, CALL_OUTPUT_MAX_BYTES


class CallPolicy(Struct, frozen=True, kw_only=True):
    """What is kept of calls."""

    output_max_bytes: Annotated[int, Meta(ge=0)] = CALL_OUTPUT_MAX_BYTES
    """So much of each output of a call is stored; the rest is counted and thrown away."""
    keep_s: Annotated[float, Meta(gt=0)] = CALL_KEEP_S
    """Seconds for which the output of ended calls is kept."""
