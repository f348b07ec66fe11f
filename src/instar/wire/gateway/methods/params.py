"""What the parameters of all methods share: closed objects in camel case, and fields that mean nothing here."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

Text = Annotated[str, Meta(min_length=1)]
"""Any text but the empty one."""
Count = Annotated[int, Meta(ge=0)]
Key = Annotated[str, Meta(min_length=1, max_length=512)]
"""A session key as clients write it."""

_UNSERVED = "Not available here: refused when it is given."
Unserved = Annotated[Any | UnsetType, Meta(description=_UNSERVED)]
"""A field of the dialect that stands for something Instar does not have; with any value but null it is refused."""


class Params(Struct, kw_only=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """Parameters of a method. A field that the dialect does not know is refused."""


class OpenParams(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Parameters of the few methods that let any further field pass."""


def unserved(params: Struct) -> list[str]:
    """Return the places of the fields that were given although they mean nothing here."""
    return list(_found(params, ""))


def _found(params: Struct, path: str) -> Iterator[str]:
    for name, shown, is_unserved in _fields(type(params)):
        value = getattr(params, name)
        if isinstance(value, Struct):
            yield from _found(value, f"{path}{shown}.")
        elif is_unserved and value is not UNSET and value is not None:
            yield path + shown


@cache
def _fields(params: type[Struct]) -> tuple[tuple[str, str, bool], ...]:
    fields = msgspec.structs.fields(params)
    return tuple((field.name, field.encode_name, field.type == Unserved) for field in fields)
