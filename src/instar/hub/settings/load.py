"""Where settings come from: flag, then environment, then file, then default; each value with its origin."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from instar.base.errors import InstarError
from instar.wire.limits import SETTINGS_FILE_MAX_BYTES

from .keys import KEYS, default_of
from .sources import Sources, from_environ, from_flags, from_text
from .tree import Settings

FILE_NAME = "instar.yaml"
CONFIG_VARIABLE = "INSTAR_CONFIG"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings of a hub and where each came from."""

    settings: Settings = field(repr=False)
    origins: Mapping[str, str]
    """Key → `flag`, `env`, `file` or `default`."""
    file: Path | None = None
    """The settings file that was read."""
    sources: Sources = field(default_factory=Sources)
    """What overruled it."""
    written: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """Key → value as the file says it."""

    def value(self, key: str) -> Any:  # noqa: ANN401 - the value of any setting
        """Return the value of a key."""
        return value_of(self.settings, key)

    @property
    def data_dir(self) -> Path:
        """The folder that holds everything the hub remembers."""
        return Path(self.settings.data_dir)

    @property
    def path(self) -> Path:
        """The settings file, or where one would be made."""
        return self.file or self.data_dir / FILE_NAME


def value_of(settings: Settings, key: str) -> Any:  # noqa: ANN401 - the value of any setting
    """Return the value of a key."""
    found: Any = settings
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
    path = find_file(environ, file, flags)
    return assemble(Sources(flags, environ), text_of(read_bytes(path)) if path else "", path)


def assemble(sources: Sources, text: str, path: Path | None = None) -> Loaded:
    """Return the settings of these sources and a file with this text.

    Raises:
        InstarError: As `load`.
    """
    written = from_text(text, str(path) if path is not None else "the settings file")
    origins = dict.fromkeys(KEYS, "default")
    values = {key: default_of(key) for key in KEYS}
    environ, flags = from_environ(sources.environ), from_flags(sources.flags)
    for origin, source in (("file", written), ("env", environ), ("flag", flags)):
        values.update(source)
        origins.update(dict.fromkeys(source, origin))
    values["data_dir"] = str(_folder(values["data_dir"], sources.environ))
    return Loaded(tree_of(values), origins, path, sources, written)


def tree_of(values: Mapping[str, Any]) -> Settings:
    """Return the tree with these values, one for every key."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        place, _, name = key.rpartition(".")
        branch = tree.setdefault(place, {}) if place else tree
        branch[name] = value
    return msgspec.convert(tree, Settings)


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a settings file, as many as one may have and one more.

    Raises:
        InstarError: `bad_request` when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(SETTINGS_FILE_MAX_BYTES + 1)
    except OSError as error:
        raise InstarError("bad_request", f"{path} cannot be read: {error.strerror}", hint="Correct the file.") from None


def text_of(content: bytes) -> str:
    """Return the text of a settings file.

    Raises:
        InstarError: `bad_request` when it is no UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise InstarError("bad_request", "the settings file is not UTF-8", hint="Correct the file.") from None


def find_file(
    environ: Mapping[str, str], named: str | Path | None = None, flags: Mapping[str, object] | None = None
) -> Path | None:
    """Return the settings file as an absolute path; None: there is none.

    The named one, `INSTAR_CONFIG`, `./instar.yaml`, that of the user, or that of the data folder, in this order.

    Raises:
        InstarError: `not_found` when a named one does not exist.
    """
    if chosen := named or environ.get(CONFIG_VARIABLE):
        path = Path(chosen).expanduser()
        if not path.is_file():
            raise InstarError("not_found", f"there is no settings file {path}", hint="Correct `--config`, or omit it.")
        return path.absolute()
    home = environ.get("XDG_CONFIG_HOME")
    users = Path(home) / "instar" if home else Path(platformdirs.user_config_dir("instar"))
    folder = _folder(str((flags or {}).get("data_dir") or environ.get("INSTAR_DATA_DIR", "")), environ)
    places = (Path(FILE_NAME).absolute(), users / FILE_NAME, folder / FILE_NAME)
    return next((path for path in places if path.is_file()), None)


def _folder(named: str, environ: Mapping[str, str]) -> Path:
    """Return the data folder as an absolute path."""
    if named:
        return Path(named).expanduser().absolute()
    home = environ.get("XDG_DATA_HOME")
    return Path(home) / "instar" if home else Path(platformdirs.user_data_dir("instar"))
