"""What is rendered is what was counted, and the table is the only list of names."""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import instar.server
from instar.server.metrics import METRICS, Metrics


def test_rendered_text_parses_and_adds_up() -> None:
    metrics = Metrics()
    metrics.request("GET", "/v1/rooms", 200, 0.004)
    metrics.request("GET", "/v1/rooms", 200, 20.0)
    metrics.request("GET", "/v1/events/stream", 200, None)
    metrics.gauge("instar_streams", lambda: 7)
    metrics.gauge("instar_messages_total", lambda: 9)
    metrics.counter("instar_wakes_total", "failed").inc(2)
    metrics.histogram("instar_append_batch_events", bounds=(1.0, 10.0)).observe(3)
    families = {family.name: family for family in text_string_to_metric_families(metrics.render().decode())}
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    rooms = (("method", "GET"), ("route", "/v1/rooms"))
    assert samples[("instar_requests_total", *rooms, ("status", "200"))] == 2
    assert samples[("instar_request_seconds_count", *rooms)] == 2
    assert samples[("instar_request_seconds_bucket", ("le", "0.005"), *rooms)] == 1
    assert samples[("instar_request_seconds_bucket", ("le", "+Inf"), *rooms)] == 2
    assert samples[("instar_request_seconds_count", ("method", "GET"), ("route", "/v1/events/stream"))] == 0
    assert samples[("instar_streams",)] == 7
    assert samples[("instar_messages_total",)] == 9
    assert samples[("instar_wakes_total", ("result", "failed"))] == 2
    assert samples[("instar_append_batch_events_bucket", ("le", "10.0"))] == 1
    assert samples[("instar_process_resident_bytes",)] > 1_000_000
    assert samples[("instar_process_open_files",)] > 0
    assert samples[("instar_uptime_seconds",)] >= 0
    assert {re.sub("_total$", "", name) for name in METRICS} >= set(families)


def test_names_outside_the_table_are_refused() -> None:
    metrics = Metrics()
    with pytest.raises(KeyError):
        metrics.counter("instar_nothing_total")
    with pytest.raises(KeyError):
        metrics.counter("instar_streams")
    with pytest.raises(KeyError):
        metrics.counter("instar_wakes_total")
    with pytest.raises(KeyError):
        metrics.histogram("instar_streams")
    with pytest.raises(KeyError):
        metrics.gauge("instar_wakes_total", lambda: 1)


def test_the_table_is_well_formed() -> None:
    for name, row in METRICS.items():
        assert name.startswith("instar_")
        assert (row.kind == "counter") == name.endswith("_total")
        assert row.meaning.endswith(".")


def test_every_row_is_fed() -> None:
    """By a line of the server that counts it or says how it is read, beside the one of the table."""
    sources = [path.read_text() for path in Path(instar.server.__path__[0]).glob("*.py")]
    named = re.findall(r'"(instar_[a-z_]+)"', "".join(sources))
    assert {name for name in METRICS if named.count(name) < 2} == set()
