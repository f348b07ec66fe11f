"""Checks of the running hub, and of the address that one would take."""

import asyncio
import socket
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from instar import __version__
from instar.client.access import ADDRESS_FILE
from instar.client.errors import HubError

from .check import PROBE_S, NotApplicableError, Scene

SEARCH_LAG_MAX = 10_000
SKEW_MAX_S = 60.0


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


def locked(scene: Scene) -> str:
    """Whether too many wrong credentials came from here."""
    try:
        scene.hub("auth.whoami")
    except HubError as error:
        if error.code == "rate_limited":
            return f"{error.message}; it ends in {error.retry_after_s or 0:.0f} s"
        raise NotApplicableError(error.message) from error
    return ""


def clock_skew(scene: Scene) -> str:
    """Whether hub and this machine agree on the time: signatures and sessions depend on it."""
    try:
        with scene.session.client_within(PROBE_S).open("GET", "/healthz") as answer:
            told = parsedate_to_datetime(answer.header("Date"))
    except (HubError, ValueError) as error:
        raise NotApplicableError(str(error)) from error
    apart = (told - datetime.now(UTC)).total_seconds()
    if abs(apart) <= SKEW_MAX_S:
        return ""
    return f"the hub's clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} this machine's"


def gateway_health(scene: Scene) -> str:
    """Whether the gateway answers on a WebSocket, as its own clients ask."""
    from instar.client.gateway import Gateway  # noqa: PLC0415 - asyncio and msgspec, only for this check

    if cause := reachable(scene):
        raise NotApplicableError(cause)
    session = scene.session

    async def ask() -> None:
        token, _ = session.credential
        async with asyncio.timeout(PROBE_S), Gateway(session.access.url, token, trust=session.trust) as gateway:
            await gateway.call("health")

    try:
        asyncio.run(ask())
    except HubError as error:
        return error.message
    except TimeoutError:
        return f"the gateway did not answer within {PROBE_S:.0f} s"
    return ""


def schedules_missed(scene: Scene) -> str:
    """Whether schedules could not speak when they should have."""
    named: list[str] = []
    for each in scene.told("schedules.list")["schedules"]:
        last: dict[str, str] = each.get("last") or {}
        if cause := each.get("fault") or (last.get("reason", "missed") if last.get("state") == "missed" else ""):
            named.append(f"{each['name']} ({cause})")
    return ", ".join(named)
