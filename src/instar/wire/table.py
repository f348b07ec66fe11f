"""The one operation table: every noun's declarations, joined."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from . import (
    agents,
    audit,
    delivery,
    devices,
    hub,
    identity,
    messages,
    people,
    presence,
    rooms,
    runs,
    schedules,
    sessions,
    settings,
)
from .operation import Operation

AnyOperation = Operation[Any, Any]

_NOUNS = (
    hub, audit, identity, people, devices, presence, rooms, sessions, messages, agents, delivery, runs, schedules,
    settings,
)  # fmt: skip

TABLE: Mapping[str, AnyOperation] = MappingProxyType(
    {operation.name: operation for noun in _NOUNS for operation in noun.OPERATIONS}
)
"""Operation name → declaration."""
