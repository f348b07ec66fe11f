"""What the hub's parts tell the metrics: counted in the pump's watchers, read when they are asked for."""

from collections.abc import Callable, Sequence

import msgspec

from instar.base.clock import MICROS_PER_S
from instar.bus.fanout import Fanout, Pump
from instar.hub.calls.calls import Calls
from instar.hub.calls.machine import ENDED
from instar.hub.calls.records import CallRecord
from instar.hub.delivery.delivery import Delivery
from instar.store.sqlite import SqliteStore
from instar.wire.events import Event

from .metrics import Metrics

_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
_WAKES = {"agent.wake.delivered": "delivered", "agent.wake.failed": "failed"}
_SLOT_ENDS = {"schedule.fired": "fired", "schedule.missed": "missed"}
_RUN_ENDS = ("done", "failed", "cancelled")


class _Ended(msgspec.Struct):
    """What counts of a run's last event."""

    state: str


_ended = msgspec.json.Decoder(_Ended).decode


def count_commits(metrics: Metrics, pump: Pump) -> None:
    """Count what is committed from now on."""
    messages = metrics.counter("instar_messages_total")
    events = metrics.counter("instar_events_total")
    batches = metrics.histogram("instar_append_batch_events", bounds=_BATCH_SIZES)
    wakes = {kind: metrics.counter("instar_wakes_total", result) for kind, result in _WAKES.items()}
    slots = {kind: metrics.counter("instar_schedule_slots_total", state) for kind, state in _SLOT_ENDS.items()}
    runs = {state: metrics.counter("instar_runs_total", state) for state in _RUN_ENDS}

    def committed(batch: Sequence[Event]) -> None:
        events.inc(len(batch))
        batches.observe(len(batch))
        for event in batch:
            if event.type == "message.created":
                messages.inc()
            elif event.type in wakes:
                wakes[event.type].inc()
            elif event.type in slots:
                slots[event.type].inc()
            elif event.type == "run.finished":
                runs[_ended(event.payload).state].inc()

    pump.watch(committed)


def count_calls(metrics: Metrics, calls: Calls) -> None:
    """Count how calls end from now on."""
    ends = {state: metrics.counter("instar_calls_total", str(state)) for state in ENDED}
    seconds = metrics.histogram("instar_call_seconds")
    metrics.gauge("instar_calls_live", calls.live_count)

    def ended(call: CallRecord) -> None:
        ends[call.state].inc()
        if call.course.dispatched_at and call.ended_at:
            seconds.observe((call.ended_at - call.course.dispatched_at) / MICROS_PER_S)

    calls.on_ended(ended)


def read_parts(
    metrics: Metrics,
    store: SqliteStore,
    pump: Pump,
    fanout: Fanout,
    delivery: Delivery,
    search_lag: Callable[[], int],
    attachments: Callable[[], int],
    scheduler_restarts: Callable[[], int],
) -> None:
    """Ask the parts for what they know or count themselves, whenever the metrics are rendered."""
    metrics.gauge("instar_store_healthy", lambda: store.is_healthy)
    metrics.gauge("instar_last_seq", lambda: pump.last_seq)
    metrics.gauge("instar_deliveries_total", lambda: fanout.deliveries)
    metrics.gauge("instar_lag_closes_total", lambda: delivery.feeds.lag_closes)
    metrics.gauge("instar_feed_gaps_total", lambda: delivery.cursors.gaps)
    metrics.gauge("instar_search_lag_events", search_lag)
    metrics.gauge("instar_attachments", attachments)
    metrics.gauge("instar_scheduler_restarts_total", scheduler_restarts)
