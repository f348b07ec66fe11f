"""Full-jitter exponential back-off."""

import random
from collections.abc import Iterator


def full_jitter(base_s: float, cap_s: float) -> Iterator[float]:
    """Yield for ever a delay in seconds, uniform in [0, min(cap_s, base_s * 2**attempt)]."""
    ceiling = base_s
    while True:
        yield random.uniform(0, min(ceiling, cap_s))  # noqa: S311 - jitter is no secret
        ceiling = min(ceiling * 2, cap_s)
