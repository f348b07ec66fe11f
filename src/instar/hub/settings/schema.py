"""JSON Schema of the settings file, for editors and forms."""

from typing import Any

import msgspec

from .keys import ALIASES, KEYS, SECRETS, default_of, env_name, reload_of
from .words import meanings


def file_schema() -> dict[str, Any]:
    """Return the schema; `x-instar-*` members say when a change holds, which variable sets a key, and what is secret.

    It says what fits one key. Rules over several (an unsafe bind) the hub checks besides.
    """
    root = _section()
    for key in KEYS:
        section, _, name = key.rpartition(".")
        branch = root["properties"].setdefault(section, _section()) if section else root
        branch["properties"][name] = _property(key)
    for alias, key in ALIASES.items():
        root["properties"][alias] = {"anyOf": [_property(key), root["properties"][alias]]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Instar settings", **root}


def _section() -> dict[str, Any]:
    return {"type": ["object", "null"], "additionalProperties": False, "properties": {}}


def _property(key: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        **msgspec.json.schema(KEYS[key].type),
        "description": meanings()[key],
        "default": default_of(key),
        "x-instar-reload": str(reload_of(key)),
        "x-instar-env": env_name(key),
    }
    if key in SECRETS:
        found["x-instar-secret"] = True
    return found
