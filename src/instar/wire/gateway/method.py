"""How a method of the gateway's dialect is declared: one row, from which decoding, features and the schema come."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec


class Generation(enum.StrEnum):
    """Which of the three the client of a connection speaks. They share the envelope and most names."""

    V3 = "v3"
    """OpenClaw's of January 2026."""
    V4 = "v4"
    """OpenClaw's of September 2026."""
    MOLTIS = "moltis"
    """Moltis's own, which calls itself protocol 3 to 4."""


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A method that takes none; a member too many is refused as everywhere."""


NODE = "node"
"""The scope of methods that are a node's alone."""


def _no_shapes() -> Mapping[Generation, type[msgspec.Struct]]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """One row of the dialect's table. The row says nothing of who may: that is `hub.invoke`'s.

    Args:
        name: As clients write it.
        params: Struct of its parameters; the generated schema is this struct, so it forbids unknown fields.
        summary: One sentence for the reference, without a period.
        scope: The dialect's scope in features and in the details of a refusal: `operator.read`, `operator.admin`, …,
            `node` for a node's own methods, empty for what every connection may.
        v3_scope: The scope where generation 3 differs; empty: the same.
        params_by: Other shapes of the parameters in other generations.
        needs_key: `idempotencyKey` is required: it has a side effect that must not happen twice.
        generations: Who knows it; to the others it is an unknown method.
    """

    name: str
    params: type[msgspec.Struct]
    summary: str
    scope: str
    v3_scope: str = ""
    params_by: Mapping[Generation, type[msgspec.Struct]] = field(default_factory=_no_shapes)
    needs_key: bool = False
    generations: frozenset[Generation] = frozenset(Generation)

    def scope_for(self, generation: Generation) -> str:
        """Return the dialect's scope for this generation."""
        return self.v3_scope if generation is Generation.V3 and self.v3_scope else self.scope

    def params_for(self, generation: Generation) -> type[msgspec.Struct]:
        """Return the shape of the parameters for this generation."""
        return self.params_by.get(generation, self.params)
