"""Where settings come from: flag, then environment, then file, then default; each value with its origin."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import platformdirs
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from instar.base.errors import InstarError

from .keys import ALIASES, ENV_KEYS, ENV_PREFIX, KEYS, SECTIONS, allowed, default_of, env_name
from .tree import Settings

FILE_NAME = "instar.yaml"
CONFIG_VARIABLE = "INSTAR_CONFIG"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings of a hub and where each came from."""

    settings: Settings
    origins: Mapping[str, str]
    """Key → `flag`, `env`, `file` or `default`."""
    file: Path | None = None
    """The settings file that was read."""

    def value(self, key: str) -> Any:  # noqa: ANN401 - the value of any setting
        """Return the value of a key."""
        found: Any = self.settings
        for name in key.split("."):
            found = getattr(found, name)
        return found


def load(flags: Mapping[str, object], environ: Mapping[str, str], file: str | Path | None = None) -> Loaded:
    """Return the settings of these sources.

    Args:
        flags: Key (or alias) → value, as the command line gives them; None counts as not given.
        environ: The environment.
        file: The settings file that `--config` names; None looks for one as `find_file` says.

    Raises:
        InstarError: `bad_request` for an unknown key or a value that does not fit, naming key, origin and what is
            allowed; `not_found` when the file that was named does not exist.
    """
    path = find_file(environ, file)
    values: dict[str, tuple[str, object]] = {}
    for origin, source in (("file", _from_file(path)), ("env", _from_env(environ)), ("flag", _from_flags(flags))):
        for key, value in source:
            values[key] = (origin, _fit(key, value, origin, is_text=origin == "env"))
    tree: dict[str, Any] = {}
    for key in KEYS:
        place, _, name = key.rpartition(".")
        branch = tree.setdefault(place, {}) if place else tree
        branch[name] = values[key][1] if key in values else default_of(key)
    tree["data_dir"] = _folder(cast("str", tree["data_dir"]), environ)
    origins = {key: values[key][0] if key in values else "default" for key in KEYS}
    return Loaded(msgspec.convert(tree, Settings), origins, path)


def find_file(environ: Mapping[str, str], named: str | Path | None = None) -> Path | None:
    """Return the settings file: the named one, `INSTAR_CONFIG`, `./instar.yaml`, or that of the user; None: none.

    Raises:
        InstarError: `not_found` when a named one does not exist.
    """
    if chosen := named or environ.get(CONFIG_VARIABLE):
        path = Path(chosen).expanduser()
        if not path.is_file():
            raise InstarError("not_found", f"there is no settings file {path}", hint="Correct `--config`, or omit it.")
        return path
    home = environ.get("XDG_CONFIG_HOME")
    users = Path(home) / "instar" if home else Path(platformdirs.user_config_dir("instar"))
    return next((path for path in (Path(FILE_NAME), users / FILE_NAME) if path.is_file()), None)


def _folder(named: str, environ: Mapping[str, str]) -> str:
    """Return the data folder as an absolute path."""
    if named:
        return str(Path(named).expanduser().absolute())
    home = environ.get("XDG_DATA_HOME")
    return str(Path(home) / "instar") if home else platformdirs.user_data_dir("instar")


def _from_flags(flags: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in flags.items():
        if value is not None:
            yield _known(name, "flag"), list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


def _from_env(environ: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    """Yield what the environment sets; other `INSTAR_*` variables are not ours unless they look like a section's."""
    aliases = {env_name(alias) for alias in ALIASES}
    ordered = sorted(environ.items(), key=lambda item: item[0] not in aliases)
    for name, value in ordered:
        if name in ENV_KEYS:
            yield ENV_KEYS[name], value
        elif name.startswith(tuple(f"{ENV_PREFIX}{section.upper()}_" for section in SECTIONS)):
            raise InstarError("bad_request", f"{name} (environment) is no setting", hint=_HINT)


def _from_file(path: Path | None) -> Iterator[tuple[str, object]]:
    if path is None:
        return
    try:
        content: object = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))  # pyright: ignore[reportUnknownMemberType]
    except (YAMLError, UnicodeDecodeError) as error:
        line = str(error).strip().replace("\n", " ")
        raise InstarError("bad_request", f"{path} is not YAML: {line}", hint="Correct the file.") from error
    if content is None:
        return
    if not isinstance(content, dict):
        raise InstarError("bad_request", f"{path} holds no mapping", hint="Write settings as `key: value`.")
    yield from _flatten(cast("dict[object, object]", content), "")


def _flatten(branch: dict[object, object], path: str) -> Iterator[tuple[str, object]]:
    """Yield (key, value) of a mapping that mirrors the tree."""
    for name, value in branch.items():
        key = f"{path}.{name}" if path else str(name)
        if key in SECTIONS and isinstance(value, dict):
            yield from _flatten(cast("dict[object, object]", value), key)
        elif key not in SECTIONS or key in ALIASES or value is not None:
            yield _known(key, "file"), value


def _known(name: str, origin: str) -> str:
    """Return the key that a name stands for."""
    key = ALIASES.get(name, name)
    if key not in KEYS:
        raise InstarError("bad_request", f"`{name}` ({origin}) is no setting", hint=_HINT)
    return key


def _fit(key: str, value: object, origin: str, *, is_text: bool) -> object:
    """Return the value in the key's type."""
    kind = KEYS[key].type
    if isinstance(value, str) and isinstance(default_of(key), list):
        value = [item.strip() for item in value.split(",") if item.strip()]
    try:
        return msgspec.convert(value, kind, strict=not is_text)
    except msgspec.ValidationError as error:
        shown = env_name(key) if origin == "env" else key
        raise InstarError(
            "bad_request", f"{shown} ({origin}) is {value!r}, but it takes {allowed(key)}", hint=f"Correct `{key}`."
        ) from error


_HINT = "See every setting with `instar config show`."
