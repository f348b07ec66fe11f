"""Configuration: the settings tree as the dialect reads and writes it, in JSON5."""

from typing import Annotated

from msgspec import UNSET, Meta

from instar.wire.gateway.method import Generation, Method, NoParams
from instar.wire.gateway.scopes import ADMIN, READ
from instar.wire.limits import SETTINGS_FILE_MAX_BYTES

from .params import Count, Params, Text, Unserved

Raw = Annotated[str, Meta(min_length=1, max_length=SETTINGS_FILE_MAX_BYTES)]


class ConfigSetParams(Params):
    """The whole file as it shall be."""

    raw: Raw
    base_hash: str = ""
    """The `hash` that `config.get` answered."""


class ConfigApplyParams(ConfigSetParams):
    """The same, with a note."""

    note: Annotated[str, Meta(max_length=200)] = ""
    session_key: str = ""
    restart_delay_ms: Count | None = None
    """Instar never restarts by itself: the answer says which keys hold only then."""
    delivery_context: Unserved = UNSET


class ConfigPatchParams(ConfigApplyParams):
    """What shall change: members merge, null removes."""

    replace_paths: Annotated[tuple[Text, ...], Meta(max_length=256)] = ()
    """Lists that may lose entries."""


class ConfigLookupParams(Params):
    """One place of the tree."""

    path: Annotated[str, Meta(min_length=1, max_length=1_024)]


METHODS = (
    Method("config.get", NoParams, "Show the settings file", READ, v3_scope=ADMIN),
    Method("config.schema", NoParams, "Show the schema of the settings file", ADMIN),
    Method(
        "config.schema.lookup", ConfigLookupParams, "Show one place of the settings tree", ADMIN,
        generations=frozenset({Generation.V4}),
    ),
    Method("config.set", ConfigSetParams, "Write the settings file", ADMIN),
    Method("config.patch", ConfigPatchParams, "Change some settings", ADMIN),
    Method("config.apply", ConfigApplyParams, "Write the settings file, with a note", ADMIN),
)  # fmt: skip
