"""Prometheus metrics: one table says what there is; counting is a plain addition, work is done when asked.

No client library runs on the hot path: requests are counted in slots found by one dictionary look-up.
"""

import os
import resource
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Row(NamedTuple):
    """One row of the metric table."""

    kind: str
    """counter, gauge or histogram."""
    labels: tuple[str, ...]
    meaning: str


METRICS: dict[str, Row] = {
    "instar_requests_total": Row("counter", ("method", "route", "status"), "HTTP requests answered, streams included."),
    "instar_request_seconds": Row("histogram", ("method", "route"), "Time to answer; streams are left out."),
    "instar_bad_requests_total": Row("counter", (), "Connections answered 400, 408 or 431 before any door saw them."),
    "instar_refused_connections_total": Row("counter", (), "Connections answered 503 for want of file descriptors."),
    "instar_peer_losses_total": Row("counter", (), "Sockets and streams whose client vanished without closing."),
    "instar_lag_closes_total": Row("counter", (), "Sockets and streams ended because their reader took nothing."),
    "instar_faults_total": Row("counter", ("part",), "Exceptions nobody expected; each is logged with its traceback."),
    "instar_streams": Row("gauge", (), "Live sockets and streams."),
    "instar_connections": Row("gauge", (), "Open HTTP connections, without sockets that were upgraded."),
    "instar_attachments": Row("gauge", (), "Attachments of agents."),
    "instar_messages_total": Row("counter", (), "Messages stored."),
    "instar_events_total": Row("counter", (), "Events committed."),
    "instar_deliveries_total": Row(
        "counter", (), "Events handed to feeds as they happened, once for each; not those read from the log."
    ),
    "instar_feed_gaps_total": Row("counter", (), "Feeds and reads that could not resume where they were asked to."),
    "instar_wakes_total": Row("counter", ("result",), "Wakes of agents: delivered or failed."),
    "instar_runs_total": Row("counter", ("state",), "Runs ended: done, failed or cancelled."),
    "instar_calls_total": Row("counter", ("state",), "Calls that ended: done, failed, cancelled, expired or lost."),
    "instar_calls_live": Row("gauge", (), "Calls that have not ended."),
    "instar_call_seconds": Row("histogram", (), "Time from a call's dispatch to its end, of those sent."),
    "instar_schedule_slots_total": Row("counter", ("state",), "Slots of schedules that ended: fired or missed."),
    "instar_scheduler_restarts_total": Row("counter", (), "Times the scheduler was started anew: a crash or a stall."),
    "instar_append_batch_events": Row("histogram", (), "Events in one commit."),
    "instar_search_lag_events": Row("gauge", (), "Events that the search index has not seen yet."),
    "instar_store_healthy": Row(
        "gauge", (), "1 while the store takes writes: the last one that was tried came to disk."
    ),
    "instar_last_seq": Row("gauge", (), "Greatest committed seq."),
    "instar_duty_failures_total": Row("counter", ("duty",), "Failed rounds of periodic duties."),
    "instar_process_resident_bytes": Row("gauge", (), "Resident memory."),
    "instar_process_cpu_seconds_total": Row("counter", (), "CPU time, user and system."),
    "instar_process_open_files": Row("gauge", (), "Open file descriptors."),
    "instar_uptime_seconds": Row("gauge", (), "Time since start."),
}


class Histogram:
    """Observations in buckets. `observe` costs one bisection."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = BUCKETS_S) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Counter:
    """A number that grows; pre-resolve it once and add to it."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, by: float = 1.0) -> None:
        """Add `by`."""
        self.value += by


class Metrics:
    """The metrics of one hub. Names and labels must stand in `METRICS`."""

    def __init__(self) -> None:
        self._counters: dict[str, dict[tuple[str, ...], Counter]] = {}
        self._histograms: dict[str, dict[tuple[str, ...], Histogram]] = {}
        self._gauges: dict[str, Callable[[], float]] = {}
        self._requests: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        started = time.monotonic()
        self.gauge("instar_uptime_seconds", lambda: time.monotonic() - started)
        for name, read in _PROCESS.items():
            self.gauge(name, read)

    def counter(self, name: str, *labels: str) -> Counter:
        """Return the counter with these label values, made at the first call."""
        _check(name, "counter", len(labels))
        return self._counters.setdefault(name, {}).setdefault(labels, Counter())

    def histogram(self, name: str, *labels: str, bounds: tuple[float, ...] = BUCKETS_S) -> Histogram:
        """Return the histogram with these label values, made at the first call."""
        _check(name, "histogram", len(labels))
        return self._histograms.setdefault(name, {}).setdefault(labels, Histogram(bounds))

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Ask `read` for the value whenever the metrics are rendered; also for counters that others keep."""
        if name not in METRICS or METRICS[name].labels:
            raise KeyError(name)
        self._gauges[name] = read

    def request(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """Count one answered request; `seconds` is None for a stream."""
        slot = self._requests.get((method, route, status))
        if slot is None:
            slot = (
                self.counter("instar_requests_total", method, route, str(status)),
                self.histogram("instar_request_seconds", method, route),
            )
            self._requests[(method, route, status)] = slot
        slot[0].value += 1
        if seconds is not None:
            slot[1].observe(seconds)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family (the registry's interface)."""
        for name, row in METRICS.items():
            if (read := self._gauges.get(name)) is not None:
                family = (CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily)(name, row.meaning)
                family.add_metric((), read())
                yield family
            elif (counters := self._counters.get(name)) is not None:
                family = CounterMetricFamily(name, row.meaning, labels=row.labels)
                for labels, counter in counters.items():
                    family.add_metric(labels, counter.value)
                yield family
            elif (histograms := self._histograms.get(name)) is not None:
                yield _histogram_family(name, row, histograms.items())


def _check(name: str, kind: str, labels: int) -> None:
    row = METRICS[name]
    if row.kind != kind or len(row.labels) != labels:
        raise KeyError(f"{name} is a {row.kind} with the labels {row.labels}")


def _histogram_family(
    name: str, row: Row, histograms: Iterable[tuple[tuple[str, ...], Histogram]]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, row.meaning, labels=row.labels)
    for labels, histogram in histograms:
        reached = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
            reached += count
            buckets.append((bound, reached))
        family.add_metric(labels, buckets, histogram.total)
    return family


def _resident_bytes() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return float(pages * resource.getpagesize())


def _open_files() -> float:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return float(len(os.listdir(folder)))  # noqa: PTH208 - a plain count
        except OSError:
            continue
    return 0.0


_PROCESS: dict[str, Callable[[], float]] = {
    "instar_process_resident_bytes": _resident_bytes,
    "instar_process_cpu_seconds_total": time.process_time,
    "instar_process_open_files": _open_files,
}
