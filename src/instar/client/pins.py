"""What this machine remembers of each hub: by which certificate and which key it knows it again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from . import private_json
from .folders import config_dir

PINS_FILE = "hubs.json"
_SECURE = {"ws": "http", "wss": "https"}
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Pin:
    """One hub, as it was when this machine was paired with it."""

    certificate: str = ""
    """Fingerprint of its TLS certificate; empty: an authority vouches for it, or there is no TLS."""
    hub_id: str = ""
    hub_key: str = ""
    """Fingerprint of the key with which the hub proves itself, whatever its certificate."""
    device_id: str = ""
    """This machine, as the hub knows it; empty: by a token without a key."""
    role: str = "operator"


def origin_of(url: str) -> str:
    """Return the address that `url` stands for, one spelling for each: `scheme://host:port`, or the Unix socket."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix:{parts.path}"
    scheme = _SECURE.get(parts.scheme, parts.scheme)
    try:
        port = parts.port or _PORTS.get(scheme, 0)
    except ValueError:
        return url
    host = (parts.hostname or "").rstrip(".")
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def pin_of(environ: Mapping[str, str], url: str) -> Pin | None:
    """Return what is remembered of the hub at `url`.

    Raises:
        HubError: `unauthorized` when the file of pins cannot be trusted.
    """
    found = private_json.read(_file(environ)).get(origin_of(url))
    known = Pin.__dataclass_fields__
    return Pin(**{name: value for name, value in found.items() if name in known}) if found else None


def keep_pin(environ: Mapping[str, str], url: str, pin: Pin) -> None:
    """Remember a hub, in place of what was remembered of it.

    Raises:
        HubError: As `pin_of`, or the file cannot be written.
    """
    path = _file(environ)
    private_json.write(path, {**private_json.read(path), origin_of(url): asdict(pin)})


def forget_pin(environ: Mapping[str, str], url: str) -> bool:
    """Forget a hub; return whether it was known.

    Raises:
        HubError: As `keep_pin`.
    """
    path = _file(environ)
    pins = private_json.read(path)
    if pins.pop(origin_of(url), None) is None:
        return False
    private_json.write(path, pins)
    return True


def _file(environ: Mapping[str, str]) -> Path:
    return config_dir(environ) / PINS_FILE
