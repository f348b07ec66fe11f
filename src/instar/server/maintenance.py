"""Periodic duties, each a child of one task scope; a round that fails is logged, the next still comes."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

import structlog

from instar.base.tasks import TaskScope

from .metrics import Metrics

_log = structlog.get_logger("instar.maintenance")
Duty = Callable[[], Awaitable[object] | object]


class Maintenance:
    """The duties.

    Args:
        scope: Their parent; closing it ends them.
        metrics: Where failed rounds are counted.
    """

    def __init__(self, scope: TaskScope, metrics: Metrics) -> None:
        self._scope = scope
        self._metrics = metrics

    def every(self, seconds: float, name: str, duty: Duty) -> None:
        """Run `duty` each `seconds`, first after that time; rounds of one duty never overlap.

        A duty that keeps failing is logged when it begins to fail and when it works again, and counted each time.
        """
        self._scope.start(f"duty:{name}", self._rounds(seconds, name, duty))

    async def _rounds(self, seconds: float, name: str, duty: Duty) -> None:
        failures = self._metrics.counter("instar_duty_failures_total", name)
        is_failing = False
        while True:
            await asyncio.sleep(seconds)
            try:
                result = duty()
                if inspect.isawaitable(result):
                    await result
            except Exception:  # noqa: BLE001 - one failed round must not end the duty
                failures.inc()
                if not is_failing:
                    _log.exception("a duty fails", duty=name)
                is_failing = True
            else:
                if is_failing:
                    _log.info("a duty works again", duty=name)
                is_failing = False
