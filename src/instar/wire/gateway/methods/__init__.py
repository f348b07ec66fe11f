"""The dialect's one table of methods: every family's rows, joined."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from instar.wire.gateway.method import Method

from . import (
    agents,
    approving,
    chat,
    config,
    cron,
    devices,
    invoking,
    messaging,
    missing,
    nodes,
    observing,
    sessions,
    subscriptions,
    system,
    tooling,
)

_SERVED: Sequence[tuple[Method, ...]] = (
    system.METHODS,
    messaging.METHODS,
    chat.METHODS,
    sessions.METHODS,
    subscriptions.METHODS,
    agents.METHODS,
    devices.METHODS,
    nodes.METHODS,
    invoking.METHODS,
    approving.METHODS,
    tooling.METHODS,
    cron.METHODS,
    config.METHODS,
    observing.METHODS,
)

SERVED: Mapping[str, Method] = MappingProxyType({method.name: method for family in _SERVED for method in family})
"""Method name → row, of those that do something: what `hello-ok` lists."""

METHODS: Mapping[str, Method] = MappingProxyType(SERVED | {method.name: method for method in missing.METHODS})
"""Method name → row. The others are answered that they are not available, and why."""
