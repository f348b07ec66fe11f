"""One publisher, send to acknowledged: the latency of a durable message without company."""

from typing import Any

from .fanout import load


def measure() -> dict[str, Any]:
    """Return the latency figures with no readers and with one."""
    return {f"{subs}_readers": load(subs, 1, 5.0) for subs in (0, 1)}
