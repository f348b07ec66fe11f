"""Which hub to talk to, and with which token. A token never comes from argv and never goes into a URL."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from .errors import HubError
from .folders import data_dir
from .pins import origin_of, pin_of
from .trust import Trust

DEFAULT_URL = "http://127.0.0.1:8787"
GRANT_FILE = "local-grant"
"""The local operator's token in the data directory, mode 0600."""
ADDRESS_FILE = "hub-address"
"""The URL of the hub that runs on the data directory, and the fingerprint of its certificate if it has one; written
at start, gone after a clean stop."""
_STDIN = "-"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Access(NamedTuple):
    """An address with the credential for it."""

    url: str
    token: str
    """Empty: come without a credential."""
    token_source: str
    """Where the token came from, for messages: a file name, `INSTAR_TOKEN`, or empty."""


class Left(NamedTuple):
    """What a running hub left in its data directory."""

    url: str = ""
    certificate: str = ""


def find(environ: Mapping[str, str], *, url: str = "", token_file: str = "") -> Access:
    """Return the address and the token to use.

    Address: `url`, INSTAR_URL, the address that the hub on the data directory left there, `DEFAULT_URL`.
    Token: `token_file` (`-` is standard input), INSTAR_TOKEN, the local grant. INSTAR_TOKEN belongs to INSTAR_URL where
    that is set, the local grant to the hub on its data directory: neither goes to any other address.

    Raises:
        HubError: `unauthorized` when a token file cannot be read or others can read it too.
    """
    folder = data_dir(environ)
    left = left_by_hub(folder)
    named = environ.get("INSTAR_URL", "")
    address = url or named or left.url or DEFAULT_URL
    if token_file == _STDIN:
        return Access(address, sys.stdin.readline().strip(), "standard input")
    if token_file:
        return Access(address, read_secret(Path(token_file)), token_file)
    token = environ.get("INSTAR_TOKEN", "")
    if token and (not url or not named or origin_of(url) == origin_of(named)):
        return Access(address, token, "INSTAR_TOKEN")
    grant = folder / GRANT_FILE
    if _is_of(address, left) and grant.exists():
        return Access(address, read_secret(grant), str(grant))
    return Access(address, "", "")


def trust_of(environ: Mapping[str, str], url: str) -> Trust:
    """Return what makes the certificate at `url` good: INSTAR_TLS_FINGERPRINT, what pairing pinned, what the hub on
    the data directory left there, else the authorities of INSTAR_CA_FILE or the system.

    Raises:
        HubError: `unauthorized` when the file of pins cannot be trusted.
    """
    ca_file = environ.get("INSTAR_CA_FILE", "")
    if urlsplit(url).scheme not in ("https", "wss"):
        return Trust(ca_file)
    if named := environ.get("INSTAR_TLS_FINGERPRINT", ""):
        return Trust(ca_file, named, "INSTAR_TLS_FINGERPRINT")
    if (pin := pin_of(environ, url)) is not None and pin.certificate:
        return Trust(ca_file, pin.certificate, "the pairing with it")
    left = left_by_hub(data_dir(environ))
    if left.certificate and _is_of(url, left):
        return Trust(ca_file, left.certificate, str(data_dir(environ) / ADDRESS_FILE))
    return Trust(ca_file)


def left_by_hub(folder: Path) -> Left:
    """Return the address that a running hub left in its data directory, if any."""
    try:
        return Left(*(folder / ADDRESS_FILE).read_text().split()[:2])
    except (OSError, UnicodeDecodeError):
        return Left()


def _is_of(url: str, left: Left) -> bool:
    """Whether `url` leads to the hub that left its address: the same address, or another name of this machine."""
    if not left.url:
        return False
    mine, theirs = urlsplit(origin_of(url)), urlsplit(origin_of(left.url))
    return mine == theirs or (is_loopback(url) and is_loopback(left.url) and mine.port == theirs.port)


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
            hint="Name a file that you can read.",
        ) from error
