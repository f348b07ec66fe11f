"""Who gets at the hub's files."""

import stat
from pathlib import Path

from instar.cli.checks.check import NotApplicableError, Scene
from instar.cli.checks.files import OTHERS, PRIVATE, folder, key_files, open_to_others

_SYNCED = ("dropbox", "onedrive", "google drive", "googledrive", "icloud", "mobile documents", "nextcloud", "pcloud")
_SYNC_MARKS = (".stfolder", ".dropbox", ".owncloudsync.log", ".nextcloudsync.log")


def data_dir(scene: Scene) -> str:
    """Whether only the owner gets at the data."""
    return open_to_others(folder(scene), "data directory")


def close_data_dir(scene: Scene) -> None:
    """Give the data directory its mode."""
    scene.data_dir.chmod(0o700)


def config(scene: Scene) -> str:
    """Whether only the owner reads the settings file, and nobody else writes it."""
    path = _config(scene)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o022:
        return f"the settings file {path} has mode {mode:o}: others can change what the hub runs with"
    holds_secret = any(scene.loaded().origins[key] == "file" for key in ("auth.token", "auth.password"))
    return f"the settings file {path} has mode {mode:o} and holds a secret" if mode & OTHERS and holds_secret else ""


def close_config(scene: Scene) -> None:
    """Give the settings file its mode."""
    _config(scene).chmod(PRIVATE)


def keys(scene: Scene) -> str:
    """Whether only the owner reads keys and tokens."""
    found = _every_key(scene)
    if not found:
        raise NotApplicableError("there are no keys yet")
    return "; ".join(cause for path in found if (cause := open_to_others(path, "key file")))


def close_keys(scene: Scene) -> None:
    """Give every key file its mode."""
    for path in _every_key(scene):
        if stat.S_IMODE(path.stat().st_mode) & OTHERS:
            path.chmod(PRIVATE)


def backups(scene: Scene) -> str:
    """Whether only the owner reads backups."""
    found = _open_backups(scene)
    return f"{len(found)} backups can be read by others, {found[0]} among them" if found else ""


def close_backups(scene: Scene) -> None:
    """Give every backup its mode."""
    for path in _open_backups(scene):
        path.chmod(PRIVATE)


def synced(scene: Scene) -> str:
    """Whether a program copies the data elsewhere: a live database and its keys do not belong there."""
    path = folder(scene).resolve()
    parts = [part.lower() for part in path.parts]
    if name := next((name for name in _SYNCED for part in parts if part.startswith(name)), ""):
        return f"{path} lies in a folder that looks like {name}'s"
    marked = [parent for parent in (path, *path.parents) if any((parent / mark).exists() for mark in _SYNC_MARKS)]
    return f"{marked[0]} is synchronised with other machines" if marked else ""


def secret_in_file(scene: Scene) -> str:
    """Whether a secret stands in the settings file, which is often copied, shown and kept in a repository."""
    origins = scene.loaded().origins
    named = [key for key in ("auth.token", "auth.password") if origins[key] == "file"]
    return f"{' and '.join(named)} stand in {scene.loaded().file}" if named else ""


def _config(scene: Scene) -> Path:
    path = scene.loaded().file
    if path is None or not path.exists():
        raise NotApplicableError("there is no settings file")
    return path


def _every_key(scene: Scene) -> list[Path]:
    """Return the key files, and that of the operator's own certificate."""
    named = scene.loaded().settings.tls.key
    own = [Path(named).expanduser()] if named else []
    return [*key_files(scene), *(path for path in own if path.exists())]


def _open_backups(scene: Scene) -> list[Path]:
    found = sorted((folder(scene) / "backups").glob("*"))
    return [path for path in found if path.is_file() and stat.S_IMODE(path.stat().st_mode) & OTHERS]
