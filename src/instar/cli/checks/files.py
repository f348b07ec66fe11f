"""What every check of a file asks: who can get at it."""

import stat
from pathlib import Path

from instar.client.folders import config_dir

from .check import NotApplicableError, Scene

PRIVATE = 0o600
OTHERS = 0o077


def open_to_others(path: Path, what: str) -> str:
    """Return what is wrong when others get at a file or folder, or nothing."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"the {what} {path} has mode {mode:o}: others get at it" if mode & OTHERS else ""


def folder(scene: Scene) -> Path:
    """Return the data directory.

    Raises:
        NotApplicableError: There is none yet.
    """
    if not scene.data_dir.is_dir():
        raise NotApplicableError(f"no hub was started on {scene.data_dir} yet")
    return scene.data_dir


def key_files(scene: Scene) -> list[Path]:
    """Return every file of hub and client that holds a key, a token or what is trusted, as far as there are any."""
    from instar.client import device, pins  # noqa: PLC0415 - only where files are looked for
    from instar.client.access import GRANT_FILE  # noqa: PLC0415

    own = scene.data_dir
    named = [own / name for name in (GRANT_FILE, "hub-key", "secrets-key", "tls/key.pem")]
    named += [config_dir(scene.environ) / name for name in (device.KEY_FILE, device.SESSIONS_FILE, pins.PINS_FILE)]
    return [path for path in named if path.exists()]
