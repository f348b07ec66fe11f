"""What happens in the hub's parts is what the metrics say."""

from types import SimpleNamespace
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from instar.base.clock import now
from instar.base.ids import new_id
from instar.bus.fanout import Fanout, Pump
from instar.server.measuring import count_commits, read_parts
from instar.server.metrics import Metrics
from instar.store.seam import Draft
from instar.store.sqlite import SqliteStore
from instar.wire.events import RoomKey
from instar.wire.runs import Run, RunState


def samples(metrics: Metrics) -> dict[str, float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        "_".join([sample.name, *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


def draft(kind: str, payload: bytes = b"{}") -> Draft:
    return Draft(RoomKey("room:a"), new_id("evt"), kind, payload, now())


async def test_commits_are_counted(store: SqliteStore) -> None:
    metrics = Metrics()
    pump = Pump(Fanout())
    store.on_commit(lambda committed: pump(committed.events))
    count_commits(metrics, pump)
    run = Run("run_1", "beta", "room:a", RunState.FAILED, "")
    await store.append(
        [
            draft("message.created"),
            draft("agent.wake.delivered"),
            draft("agent.wake.failed"),
            draft("run.finished", msgspec.json.encode(run)),
        ]
    )
    found = samples(metrics)
    assert found["instar_events_total"] == 4
    assert found["instar_messages_total"] == 1
    assert found["instar_append_batch_events_count"] == 1
    assert found["instar_wakes_total_delivered"] == found["instar_wakes_total_failed"] == 1
    assert found["instar_runs_total_failed"] == 1
    assert found["instar_runs_total_done"] == found["instar_runs_total_cancelled"] == 0


async def test_the_parts_are_asked(store: SqliteStore) -> None:
    metrics, fanout = Metrics(), Fanout()
    pump = Pump(fanout)
    delivery: Any = SimpleNamespace(feeds=SimpleNamespace(lag_closes=2), cursors=SimpleNamespace(gaps=3))
    read_parts(metrics, store, pump, fanout, delivery, lambda: 5, lambda: 6, lambda: 7)
    fanout.deliveries, pump.last_seq = 7, 8
    found = samples(metrics)
    assert found["instar_store_healthy"] == 1
    assert found["instar_lag_closes_total"] == 2
    assert found["instar_feed_gaps_total"] == 3
    assert found["instar_search_lag_events"] == 5
    assert found["instar_attachments"] == 6
    assert found["instar_deliveries_total"] == 7
    assert found["instar_last_seq"] == 8
