"""The keys of the settings tree: names, types, environment variables, and when a change holds."""

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

import msgspec

from instar.wire.settings import Reload

from .tree import Settings

ALIASES: Mapping[str, str] = {"listen": "listen.address"}
"""Short names of settings, in flags, environment and file."""

ENV_PREFIX = "INSTAR_"

FOREIGN_VARIABLES: Mapping[str, str] = {
    "CLAWDBOT_GATEWAY_TOKEN": "auth.token",
    "OPENCLAW_GATEWAY_TOKEN": "auth.token",
}
"""Variables of other systems that are heard when our own is not set."""

RELOADS: Mapping[str, Reload] = {
    "data_dir": Reload.HOST,
    "listen": Reload.HOST,
    "network": Reload.RESTART,
    "auth": Reload.HOST,
    "pairing": Reload.HOST,
    "tls": Reload.HOST,
    "server": Reload.HOST,
    "server.access_log": Reload.LIVE,
    "limits": Reload.LIVE,
    "uploads": Reload.LIVE,
    "delivery": Reload.LIVE,
    "loops": Reload.LIVE,
    "runs": Reload.LIVE,
    "nodes": Reload.LIVE,
    "nodes.local": Reload.HOST,
    "calls": Reload.LIVE,
    "approvals": Reload.LIVE,
    "log": Reload.RESTART,
    "log.level": Reload.LIVE,
}
"""Key, or section of keys → when a change holds and who may make it; a key's own row comes before its section's."""


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


def reload_of(key: str) -> Reload:
    """Return when a change of a key holds. What no row names only the host changes."""
    return RELOADS.get(key) or RELOADS.get(key.partition(".")[0], Reload.HOST)


def _is_secret(info: msgspec.structs.FieldInfo) -> bool:
    metas: tuple[msgspec.Meta, ...] = get_args(info.type)[1:] if get_origin(info.type) is Annotated else ()
    return any("secret" in (meta.extra or ()) for meta in metas)


SECRETS = frozenset(key for key, info in KEYS.items() if _is_secret(info))
"""Keys whose values are never shown."""
SET = "(set)"
"""What is shown of a secret that is set."""


def shown(key: str, value: Any) -> Any:  # noqa: ANN401 - the value of any setting
    """Return a value as anybody may see it."""
    return (SET if value else "") if key in SECRETS else value


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
