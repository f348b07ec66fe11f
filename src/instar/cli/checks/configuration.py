"""Checks of the settings, and of what the hub writes and serves by them."""

import os
from pathlib import Path

from instar.client.errors import HubError
from instar.client.http import Client

from .check import PROBE_S, NotApplicableError, Scene
from .files import folder


def settings_valid(scene: Scene) -> str:
    """Whether `instar start` would take the settings as they stand here."""
    from instar.hub.settings.load import load  # noqa: PLC0415 - the hub's settings, only for this check

    load({}, scene.environ)
    return ""


def bind_safe(scene: Scene) -> str:
    """Whether the hub would listen where they say."""
    from instar.hub.settings.binding import check_bind  # noqa: PLC0415 - as above

    check_bind(scene.loaded().settings)
    return ""


def settings_pending(scene: Scene) -> str:
    """Whether changes wait for a restart."""
    listed = scene.told("settings.list")["settings"]
    waiting = [str(each["key"]) for each in listed if each.get("is_pending")]
    return f"{', '.join(waiting)} will hold with the next start" if waiting else ""


def log_writable(scene: Scene) -> str:
    """Whether the hub can keep its log."""
    if not scene.setting("log.file"):
        raise NotApplicableError("`log.file` is off")
    logs = folder(scene) / "logs"
    if not logs.exists():
        raise NotApplicableError("there is no log yet")
    locked = [path for path in (logs, *logs.iterdir()) if not os.access(path, os.W_OK)]
    return f"{locked[0]} cannot be written" if locked else ""


def compat_served(scene: Scene) -> str:
    """Whether the further addresses answer."""
    if not scene.setting("listen.compat"):
        raise NotApplicableError("`listen.compat` names no address")
    scene.status()
    silent: list[str] = []
    for address in scene.addresses()[1:]:
        scheme = "https" if _is_encrypted(scene, address.is_loopback) else "http"
        try:
            Client(address.reached_by(scheme), timeout_s=PROBE_S).invoke("hub.health")
        except HubError as error:
            # That its certificate is not known here is no fault of the address: it answered.
            if error.code in ("unreachable", "timeout"):
                silent.append(str(address))
    return f"nothing answers at {', '.join(silent)}" if silent else ""


def backup_age(scene: Scene) -> str:
    """Whether there is a backup that is worth restoring."""
    from time import time  # noqa: PLC0415 - only this check needs it

    from instar.store.sqlite import DATABASE  # noqa: PLC0415

    database = folder(scene) / DATABASE
    if not database.exists():
        raise NotApplicableError("there is no database yet")
    made = [path.stat().st_mtime for path in (scene.data_dir / "backups").glob("*") if path.is_file()]
    born = _born(database)
    age_days = (time() - max(made, default=born)) / 86_400
    if age_days <= BACKUP_MAX_DAYS:
        return ""
    return f"the last backup is {age_days:.0f} days old" if made else f"{age_days:.0f} days of data have no backup"


BACKUP_MAX_DAYS = 7.0


def _born(database: Path) -> float:
    """Return since when there is data: the oldest file that the first start leaves and nothing rewrites."""
    marks = [database.parent / name for name in ("local-grant", "hub-key")]
    return min((path.stat().st_mtime for path in (database, *marks) if path.exists()), default=0.0)


def _is_encrypted(scene: Scene, is_loopback: bool) -> bool:
    mode = scene.setting("tls.mode")
    return mode == "on" or (mode == "auto" and not is_loopback and not scene.setting("server.trusted_proxies"))
