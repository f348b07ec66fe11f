"""The dialect's one table of methods: every family's rows, joined."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from instar.wire.gateway.method import Method

_FAMILIES: Sequence[tuple[Method, ...]] = []

METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for family in _FAMILIES for method in family})
"""Method name → row."""
