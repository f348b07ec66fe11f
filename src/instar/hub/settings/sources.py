"""What each source of settings says: the text of a file, environment variables, flags. IO-free."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from instar.base.errors import InstarError

from .keys import ALIASES, ENV_KEYS, ENV_PREFIX, FOREIGN_VARIABLES, KEYS, SECRETS, SECTIONS, SET, default_of, env_name
from .parsing import parsed
from .words import allowed

HINT = "See every setting with `instar config show`."


@dataclass(frozen=True, slots=True)
class Sources:
    """What overrules the file, as it was when the hub (or the command) started."""

    flags: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)
    """Key (or alias) → value; None counts as not given."""
    environ: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def from_flags(flags: Mapping[str, object]) -> dict[str, Any]:
    """Return key → value of what the command line says.

    Raises:
        InstarError: `bad_request`, as everything here: an unknown key, or a value that does not fit.
    """
    found: dict[str, Any] = {}
    for name, value in flags.items():
        if value is not None:
            key = known(name, "flag")
            plain: object = list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value
            found[key] = fit(key, plain, "flag")
    return found


def from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return key → value of what the environment says.

    A variable of another system counts where our own is not set; a full name beats an alias. Other `INSTAR_*` variables
    are not ours, unless they look like a section's.
    """
    found: dict[str, Any] = {key: fit(key, environ[name], "env") for name, key in _foreign(environ).items()}
    aliases = {env_name(alias) for alias in ALIASES}
    for name, value in sorted(environ.items(), key=lambda item: item[0] not in aliases):
        if name in ENV_KEYS:
            found[ENV_KEYS[name]] = fit(ENV_KEYS[name], value, "env")
        elif name.startswith(tuple(f"{ENV_PREFIX}{section.upper()}_" for section in SECTIONS)):
            raise InstarError("bad_request", f"{name} (environment) is no setting", hint=HINT)
    return found


def _foreign(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of other systems that count: variable → key."""
    heard = {name: key for name, key in FOREIGN_VARIABLES.items() if environ.get(name) and env_name(key) not in environ}
    for key in set(heard.values()):
        names = [name for name in heard if heard[name] == key]
        if len({environ[name] for name in names}) > 1:
            raise InstarError(
                "bad_request", f"{' and '.join(names)} differ", hint=f"Set one of them, or {env_name(key)} alone."
            )
    return heard


def overruled(environ: Mapping[str, str]) -> list[str]:
    """Return in words which variables of other systems say something else than our own, which wins."""
    return [
        f"{name} is set to something else than {env_name(key)}, which holds"
        for name, key in FOREIGN_VARIABLES.items()
        if environ.get(name) and environ.get(env_name(key), environ[name]) != environ[name]
    ]


def from_text(text: str, place: str = "the settings file") -> dict[str, Any]:
    """Return key → value of what a settings file says.

    Args:
        text: The YAML.
        place: What errors call it.
    """
    content = parsed(text, place)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InstarError("bad_request", f"{place} holds no mapping", hint="Write settings as `key: value`.")
    pairs = _flatten(cast("dict[object, object]", content), "")
    return {key: fit(key, value, "file") for key, value in pairs}


def _flatten(branch: dict[object, object], path: str) -> Iterator[tuple[str, object]]:
    """Yield (key, value) of a mapping that mirrors the tree."""
    for name, value in branch.items():
        key = f"{path}.{name}" if path else str(name)
        if key in SECTIONS and isinstance(value, dict):
            yield from _flatten(cast("dict[object, object]", value), key)
        elif key not in SECTIONS or value is not None:
            yield known(key, "file"), value


def known(name: str, origin: str) -> str:
    """Return the key that a name stands for.

    Raises:
        InstarError: `bad_request` for a name that is no setting.
    """
    key = ALIASES.get(name, name)
    if key not in KEYS:
        raise InstarError("bad_request", f"`{name}` ({origin}) is no setting", hint=HINT)
    return key


def fit(key: str, value: object, origin: str) -> Any:  # noqa: ANN401 - the value of any setting
    """Return the value in the key's type; that of the environment, and of words on the command line, is text.

    Raises:
        InstarError: `bad_request`, naming key, origin and what is allowed; of a secret the value is left out.
    """
    if isinstance(value, str) and isinstance(default_of(key), list):
        value = [item.strip() for item in value.split(",") if item.strip()]
    try:
        fitted = msgspec.convert(value, KEYS[key].type, strict=origin not in ("env", "words"))
    except msgspec.ValidationError:
        raise _unfit(key, value, origin) from None
    is_endless = isinstance(fitted, float) and not math.isfinite(fitted)
    if is_endless or (key in SECRETS and fitted == SET):
        raise _unfit(key, value, origin)
    return fitted


def _unfit(key: str, value: object, origin: str) -> InstarError:
    shown = env_name(key) if origin == "env" else key
    what = "does not fit" if key in SECRETS else f"is {value!r}, but it takes {allowed(key)}"
    return InstarError("bad_request", f"{shown} ({origin}) {what}", hint=f"Correct `{key}`.")
