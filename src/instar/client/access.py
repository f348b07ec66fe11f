"""Which hub to talk to, and with which token. A token never comes from argv and never goes into a URL."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from .errors import HubError

DEFAULT_URL = "http://127.0.0.1:8787"
GRANT_FILE = "local-grant"
"""The local operator's token in the data directory, mode 0600."""
ADDRESS_FILE = "hub-address"
"""The URL of the hub that runs on the data directory; written at start, gone after a clean stop."""
_STDIN = "-"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Access(NamedTuple):
    """An address with the credential for it."""

    url: str
    token: str
    """Empty: come without a credential."""
    token_source: str
    """Where the token came from, for messages: a file name, `INSTAR_TOKEN`, or empty."""


def data_dir(environ: Mapping[str, str]) -> Path:
    """Return the data directory: INSTAR_DATA_DIR, else the platform's own place for it."""
    if chosen := environ.get("INSTAR_DATA_DIR"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "instar"
    return Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "instar"


def find(environ: Mapping[str, str], *, url: str = "", token_file: str = "") -> Access:
    """Return the address and the token to use.

    Address: `url`, INSTAR_URL, the address that the hub on the data directory left there, `DEFAULT_URL`.
    Token: `token_file` (`-` is standard input), INSTAR_TOKEN, the local grant; the grant goes to loopback only.

    Raises:
        HubError: `unauthorized` when a token file cannot be read or others can read it too.
    """
    folder = data_dir(environ)
    address = url or environ.get("INSTAR_URL", "") or _left_address(folder) or DEFAULT_URL
    if token_file == _STDIN:
        return Access(address, sys.stdin.readline().strip(), "standard input")
    if token_file:
        return Access(address, read_secret(Path(token_file)), token_file)
    if token := environ.get("INSTAR_TOKEN", ""):
        return Access(address, token, "INSTAR_TOKEN")
    grant = folder / GRANT_FILE
    if is_loopback(address) and grant.exists():
        return Access(address, read_secret(grant), str(grant))
    return Access(address, "", "")


def is_loopback(url: str) -> bool:
    """Whether `url` leads to this machine and no further."""
    parts = urlsplit(url)
    return parts.scheme == "unix" or parts.hostname in _LOOPBACK


def read_secret(path: Path) -> str:
    """Return the one line of a file that only its owner may read.

    Raises:
        HubError: `unauthorized`, naming what is wrong with the file and the command that mends it.
    """
    try:
        with path.open() as file:
            state = os.fstat(file.fileno())
            if state.st_mode & 0o077:
                raise HubError(
                    "unauthorized", f"the token file {path} can be read by others", hint=f"Run: chmod 600 {path}"
                )
            if state.st_uid not in (os.geteuid(), 0):
                raise HubError("unauthorized", f"the token file {path} belongs to somebody else")
            return file.readline().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise HubError(
            "unauthorized",
            f"the token file {path} cannot be read: {getattr(error, 'strerror', None) or error}",
            hint="Name a readable file, or set INSTAR_TOKEN.",
        ) from error


def _left_address(folder: Path) -> str:
    """Return the address that a running hub left in its data directory, or nothing."""
    try:
        return (folder / ADDRESS_FILE).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
