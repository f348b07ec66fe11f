"""What the hub's parts tell the metrics: counted in the pump's watchers, read when they are asked for."""

from collections.abc import Callable, Sequence

from instar.bus.fanout import Pump
from instar.wire.events import Event

from .metrics import Metrics

_WAKES = {"agent.wake.delivered": "delivered", "agent.wake.failed": "failed"}


def measure(metrics: Metrics, pump: Pump, search_lag: Callable[[], int], attachments: Callable[[], int]) -> None:
    """Count what is committed from now on, and read the gauges of the parts."""
    messages = metrics.counter("instar_messages_total")
    events = metrics.counter("instar_events_total")
    batches = metrics.histogram(
        "instar_append_batch_events", bounds=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
    )
    wakes = {kind: metrics.counter("instar_wakes_total", result) for kind, result in _WAKES.items()}

    def committed(batch: Sequence[Event]) -> None:
        events.inc(len(batch))
        batches.observe(len(batch))
        for event in batch:
            if event.type == "message.created":
                messages.inc()
            elif event.type in wakes:
                wakes[event.type].inc()

    pump.watch(committed)
    metrics.gauge("instar_last_seq", lambda: pump.last_seq)
    metrics.gauge("instar_search_lag_events", search_lag)
    metrics.gauge("instar_attachments", attachments)
