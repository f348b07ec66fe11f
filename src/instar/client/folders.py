"""Where this user's files are."""

import sys
from collections.abc import Mapping
from pathlib import Path

_MAC = ("Library", "Application Support", "instar")


def data_dir(environ: Mapping[str, str]) -> Path:
    """Return the data directory of a hub: INSTAR_DATA_DIR, else the platform's own place for it."""
    if chosen := environ.get("INSTAR_DATA_DIR"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return _home(environ).joinpath(*_MAC)
    return Path(environ.get("XDG_DATA_HOME") or _home(environ) / ".local" / "share") / "instar"


def config_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder of what the client remembers: this machine's key, the hubs that it knows."""
    if home := environ.get("XDG_CONFIG_HOME"):
        return Path(home) / "instar"
    return _home(environ).joinpath(*_MAC) if sys.platform == "darwin" else _home(environ) / ".config" / "instar"


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()
