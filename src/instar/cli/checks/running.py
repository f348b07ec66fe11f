"""Checks of the running hub, and of the address that one would take."""

import socket
from urllib.parse import urlsplit

from instar import __version__
from instar.client.access import ADDRESS_FILE
from instar.client.errors import HubError

from .check import NotApplicableError, Scene

SEARCH_LAG_MAX = 10_000


def reachable(scene: Scene) -> str:
    """Whether a hub answers."""
    try:
        scene.hub("hub.health")
    except HubError as error:
        return error.message
    return ""


def credential(scene: Scene) -> str:
    """Whether the hub takes the caller's credential."""
    try:
        scene.hub("auth.whoami")
    except HubError as error:
        if error.code == "unauthorized":
            return error.message
        raise NotApplicableError(error.message) from error
    return ""


def ready(scene: Scene) -> str:
    """Whether the hub takes work."""
    if cause := reachable(scene):
        raise NotApplicableError(cause)
    try:
        scene.hub("hub.ready")
    except HubError as error:
        return error.message
    return ""


def version(scene: Scene) -> str:
    """Whether hub and command line are of one version."""
    found = scene.status()["version"]
    return "" if found == __version__ else f"the hub is {found}, this command line is {__version__}"


def stopped(scene: Scene) -> str:
    """Whether agents are stopped."""
    return "all agents are stopped" if scene.status()["stopped"] else ""


def search_lag(scene: Scene) -> str:
    """Whether search keeps up."""
    lag = int(scene.status()["search_lag"])
    return "" if lag <= SEARCH_LAG_MAX else f"search has not seen the last {lag} events"


def port_free(scene: Scene) -> str:
    """Whether nobody but a hub sits on the address."""
    parts = urlsplit(scene.session.access.url)
    if not reachable(scene) or parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise NotApplicableError("a hub runs there, or it is another machine's address")
    try:
        with socket.create_connection((parts.hostname, parts.port or 80), timeout=1):
            return f"something that is no hub listens on {parts.netloc}"
    except OSError:
        return ""


def stale_address(scene: Scene) -> str:
    """Whether a hub that was killed left its address."""
    if not (scene.data_dir / ADDRESS_FILE).exists() or not reachable(scene):
        return ""
    return f"{scene.data_dir / ADDRESS_FILE} names a hub that is gone"


def forget_address(scene: Scene) -> None:
    """Remove the address of a hub that is gone."""
    (scene.data_dir / ADDRESS_FILE).unlink(missing_ok=True)
