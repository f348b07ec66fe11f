"""Checks of what hub and machine are known by: their keys, and what this machine remembers of hubs."""

import stat
from pathlib import Path

from instar.client import device, pins, private_json
from instar.client.errors import HubError
from instar.client.folders import config_dir
from instar.client.http import Client
from instar.wire.signatures import SEED_BYTES

from .check import PROBE_S, NotApplicableError, Scene
from .files import OTHERS, PRIVATE, folder

HUB_KEY = "hub-key"


def hub_key(scene: Scene) -> str:
    """Whether the hub's own key is whole and private: without it every device sees another hub."""
    from instar.store.sqlite import DATABASE  # noqa: PLC0415 - only where there is data

    path = folder(scene) / HUB_KEY
    if path.exists():
        return _wrong(path, SEED_BYTES)
    if not (scene.data_dir / DATABASE).exists():
        raise NotApplicableError("there is no hub yet")
    return f"{path} is missing: the next start makes another one, and devices will not know the hub again"


def close_hub_key(scene: Scene) -> None:
    """Give the hub's key its mode; a lost one cannot be mended."""
    _close(scene.data_dir / HUB_KEY)


def device_key(scene: Scene) -> str:
    """Whether this machine's key is whole and private."""
    path = config_dir(scene.environ) / device.KEY_FILE
    if not path.exists():
        raise NotApplicableError("this machine is paired with no hub")
    return _wrong(path, SEED_BYTES)


def close_device_key(scene: Scene) -> None:
    """Give this machine's key its mode."""
    _close(config_dir(scene.environ) / device.KEY_FILE)


def remembered(scene: Scene) -> str:
    """Whether what this machine remembers of hubs can be trusted."""
    for path in _memory(scene):
        private_json.read(path)
    return ""


def close_memory(scene: Scene) -> None:
    """Give the files their modes."""
    for path in _memory(scene):
        _close(path)


def pinned_hub(scene: Scene) -> str:
    """Whether the hub is the one that this machine was paired with."""
    url = scene.session.access.url
    pin = pins.pin_of(scene.environ, url)
    if pin is None:
        raise NotApplicableError("this machine is not paired with this hub")
    try:
        device.begin(
            Client(url, timeout_s=PROBE_S, trust=scene.session.trust), device.own_seed(scene.environ), pin
        )  # fmt: skip
    except HubError as error:
        if error.code in ("unreachable", "timeout"):
            raise NotApplicableError(error.message) from error
        return error.message
    return ""


def _wrong(path: Path, size: int) -> str:
    state = path.stat()
    if stat.S_IMODE(state.st_mode) & OTHERS:
        return f"{path} has mode {stat.S_IMODE(state.st_mode):o}: others can read it"
    return "" if state.st_size == size else f"{path} holds {state.st_size} bytes, and not {size}: it is no key"


def _close(path: Path) -> None:
    if path.exists():
        path.chmod(PRIVATE)


def _memory(scene: Scene) -> list[Path]:
    named = (config_dir(scene.environ) / name for name in (pins.PINS_FILE, device.SESSIONS_FILE))
    found = [path for path in named if path.exists()]
    if not found:
        raise NotApplicableError("this machine is paired with no hub")
    return found
