"""What each method of the dialect does: every family's handlers, joined."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from instar.doors.gateway.call import Handler

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
    reporting,
    sessions,
    subscriptions,
    system,
    tooling,
)

_FAMILIES: Sequence[Mapping[str, Handler]] = (
    system.HANDLERS,
    messaging.HANDLERS,
    chat.HANDLERS,
    sessions.HANDLERS,
    subscriptions.HANDLERS,
    agents.HANDLERS,
    devices.HANDLERS,
    nodes.HANDLERS,
    invoking.HANDLERS,
    reporting.HANDLERS,
    approving.HANDLERS,
    tooling.HANDLERS,
    cron.HANDLERS,
    config.HANDLERS,
    observing.HANDLERS,
    missing.HANDLERS,
)

HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {name: handler for family in _FAMILIES for name, handler in family.items()}
)
"""Method name → handler; the same names as `wire.gateway.methods.METHODS`, as a test says."""
