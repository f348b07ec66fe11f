"""Periodic duties go on after a failure and end with their scope."""

import asyncio

from instar.base.tasks import TaskScope
from instar.server.maintenance import Maintenance
from instar.server.metrics import Metrics

from .conftest import until


async def test_duties() -> None:
    rounds: list[str] = []

    def plain() -> None:
        rounds.append("plain")

    async def failing() -> None:
        rounds.append("failing")
        if rounds.count("failing") < 3:
            raise RuntimeError("not yet")

    metrics = Metrics()
    crashes: list[str] = []
    scope = TaskScope(lambda name, error: crashes.append(name))
    maintenance = Maintenance(scope, metrics)
    maintenance.every(0.001, "plain", plain)
    maintenance.every(0.001, "failing", failing)
    await until(lambda: rounds.count("plain") > 3 and rounds.count("failing") > 3)
    await scope.close()
    seen = len(rounds)
    await asyncio.sleep(0.005)
    assert len(rounds) == seen
    assert not crashes
    assert metrics.counter("instar_duty_failures_total", "failing").value == 2
