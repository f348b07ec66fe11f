"""The keys of the settings tree: their names, types, environment variables and allowed values."""

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from .tree import Settings

ALIASES: Mapping[str, str] = {"listen": "listen.address"}
"""Short names of settings, in flags, environment and file."""

ENV_PREFIX = "INSTAR_"


def _leaves(struct: type[msgspec.Struct], path: str) -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    """Yield (key, field) of each setting below `path`."""
    for info in msgspec.structs.fields(struct):
        key = f"{path}.{info.name}" if path else info.name
        if isinstance(info.type, type) and issubclass(info.type, msgspec.Struct):
            yield from _leaves(info.type, key)
        else:
            yield key, info


KEYS: Mapping[str, msgspec.structs.FieldInfo] = types.MappingProxyType(dict(_leaves(Settings, "")))
"""Key (`auth.public_read`) → its field, in the order of the tree."""

SECTIONS = frozenset(key.partition(".")[0] for key in KEYS if "." in key)
"""Keys that hold other keys."""


def env_name(key: str) -> str:
    """Return the environment variable of a key: `auth.public_read` is `INSTAR_AUTH_PUBLIC_READ`."""
    return ENV_PREFIX + key.replace(".", "_").upper()


ENV_KEYS: Mapping[str, str] = types.MappingProxyType(
    {env_name(key): key for key in KEYS} | {env_name(alias): key for alias, key in ALIASES.items()}
)
"""Environment variable → key."""


def default_of(key: str) -> Any:  # noqa: ANN401 - the value of any setting
    """Return a key's default."""
    info = KEYS[key]
    return info.default_factory() if info.default is msgspec.NODEFAULT else info.default


def allowed(key: str) -> str:
    """Return in words which values a key takes."""
    return _words(KEYS[key].type)


def _words(kind: Any) -> str:  # noqa: ANN401 - a type expression
    if get_origin(kind) is Annotated:
        base, *metas = get_args(kind)
        return _words(base) + "".join(_bounds(meta) for meta in metas)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if get_origin(kind) is list:
        return "a list of texts (comma-separated in the environment)"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]


def _bounds(meta: msgspec.Meta) -> str:
    """Return in words what a constraint demands."""
    parts = {
        " of at least ": meta.ge,
        " greater than ": meta.gt,
        " of at most ": meta.le,
        " matching ": meta.pattern,
        " with at most this many characters: ": meta.max_length,
    }
    return "".join(f"{words}{bound}" for words, bound in parts.items() if bound is not None)
