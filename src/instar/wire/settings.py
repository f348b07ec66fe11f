"""Settings over the wire: read with origin, changed with the hash of what was read, rolled back."""

import enum
from typing import Annotated, Any

from msgspec import Meta, Struct

from .limits import SETTINGS_FILE_MAX_BYTES, SETTINGS_VERSIONS_MAX
from .operation import Nothing, ObjectKind, Operation, Route, Verb


class Reload(enum.StrEnum):
    """When a change of a setting takes effect, and who may make it."""

    LIVE = "live"
    """At once."""
    RESTART = "restart"
    """With the next start."""
    HOST = "host"
    """With the next start; only by who can write the file on the hub's own machine. No door changes it."""


class Setting(Struct, frozen=True, omit_defaults=True):
    """One setting. The value of a secret one is `(set)` or empty, never itself."""

    key: str
    value: Any
    origin: str
    """`flag`, `env`, `file` or `default`."""
    reload: Reload
    default: Any = None
    allowed: str = ""
    """In words, which values it takes."""
    meaning: str = ""
    env: str = ""
    is_secret: bool = False
    is_pending: bool = False
    """Whether the file holds another value that the next start will use."""


class SettingList(Struct, frozen=True):
    """Every setting in the order of the tree."""

    settings: list[Setting]
    hash: str
    """Of the file as it stands; what a change names as its base. Empty: there is no file yet."""
    path: str


class SettingsFile(Struct, frozen=True):
    """The settings file as text; secret values are replaced by `(set)`."""

    path: str
    exists: bool
    text: str
    hash: str
    issues: list[str]
    """What is wrong with it; a hub that runs goes on with what it started with."""


class ChangeSettings(Struct, omit_defaults=True):
    """Change some keys of the file; None removes one, so that its default holds. All or none."""

    changes: Annotated[dict[str, Any], Meta(min_length=1, max_length=256)]
    base_hash: str
    """The `hash` that was read; another one now is a conflict."""
    comment: Annotated[str, Meta(max_length=200)] = ""


class ReplaceSettings(Struct, omit_defaults=True):
    """Replace the whole file by this text."""

    text: Annotated[str, Meta(max_length=SETTINGS_FILE_MAX_BYTES)]
    base_hash: str
    comment: Annotated[str, Meta(max_length=200)] = ""


class SettingsChanged(Struct, frozen=True):
    """A change that is on disk."""

    version: int
    hash: str
    path: str
    applied: list[str]
    """Keys that hold already."""
    needs_restart: list[str]
    """Keys that hold with the next start."""
    shadowed: list[str]
    """Keys that the environment or a flag overrules, so that the file's value does not hold."""


class SettingsVersion(Struct, frozen=True, omit_defaults=True):
    """One of the last versions of the file."""

    version: int
    hash: str
    saved_at: str
    changed: list[str]
    by: str = ""
    comment: str = ""


class SettingsHistory(Struct, frozen=True):
    """The last versions, newest first."""

    versions: list[SettingsVersion]


class RollbackSettings(Struct):
    """Make an earlier version the current one; that is a new version."""

    version: int
    base_hash: str


class SettingsSchema(Struct, frozen=True):
    """JSON Schema of the settings file."""

    schema: dict[str, Any]
    version: str


LIST = Operation(
    "settings.list", Nothing, SettingList, Verb.OPERATE, ObjectKind.HUB,
    "Show every setting and its origin", Route("GET", "/v1/settings"),
)  # fmt: skip
FILE = Operation(
    "settings.file", Nothing, SettingsFile, Verb.OPERATE, ObjectKind.HUB,
    "Show the settings file", Route("GET", "/v1/settings/file"),
)  # fmt: skip
CHANGE = Operation(
    "settings.change", ChangeSettings, SettingsChanged, Verb.CONFIGURE, ObjectKind.HUB,
    "Change settings in the file", Route("PATCH", "/v1/settings"), audited=True,
)  # fmt: skip
REPLACE = Operation(
    "settings.replace", ReplaceSettings, SettingsChanged, Verb.CONFIGURE, ObjectKind.HUB,
    "Replace the settings file", Route("PUT", "/v1/settings/file"), audited=True,
)  # fmt: skip
HISTORY = Operation(
    "settings.history", Nothing, SettingsHistory, Verb.OPERATE, ObjectKind.HUB,
    f"List the last {SETTINGS_VERSIONS_MAX} versions of the settings file", Route("GET", "/v1/settings/history"),
)  # fmt: skip
ROLLBACK = Operation(
    "settings.rollback", RollbackSettings, SettingsChanged, Verb.CONFIGURE, ObjectKind.HUB,
    "Go back to an earlier version of the settings file", Route("POST", "/v1/settings/rollback"), audited=True,
)  # fmt: skip
SCHEMA = Operation(
    "settings.schema", Nothing, SettingsSchema, Verb.OPERATE, ObjectKind.HUB,
    "Show the schema of the settings file", Route("GET", "/v1/settings/schema"),
)  # fmt: skip

OPERATIONS = (LIST, FILE, CHANGE, REPLACE, HISTORY, ROLLBACK, SCHEMA)
