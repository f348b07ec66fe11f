"""The one operation table: every noun's declarations, joined."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from . import (
    agent_tools,
    agents,
    approvals,
    audit,
    calls,
    delivery,
    devices,
    hub,
    identity,
    messages,
    nodes,
    people,
    presence,
    rooms,
    runs,
    schedules,
    sessions,
    settings,
    ssh,
)
from .operation import Operation

AnyOperation = Operation[Any, Any]

_NOUNS = (
    hub, audit, identity, people, devices, presence, rooms, sessions, messages, agents, delivery, runs, schedules,
    settings, nodes, ssh, calls, agent_tools, approvals,
)  # fmt: skip

TABLE: Mapping[str, AnyOperation] = MappingProxyType(
    {operation.name: operation for noun in _NOUNS for operation in noun.OPERATIONS}
)
"""Operation name → declaration."""
