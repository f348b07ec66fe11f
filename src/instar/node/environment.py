"""What a process of a call finds in its environment: the account's own variables and what the caller may forward.

Nothing of the node's own process environment is passed on.
"""

import os
import pwd
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_FOLDERS = (
    "{home}/.local/bin",
    "{home}/bin",
    "/opt/homebrew/bin",
    "/opt/homebrew/sbin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
    "/snap/bin",
)
"""Where an account's programs are, in order; those that are there become its PATH."""
_DARWIN_TEMP_DIR = 65_537
"""Number of the account's own temporary folder in `confstr` of macOS."""


class Account(NamedTuple):
    """The account that the node runs as, as the system's table of accounts has it."""

    name: str
    home: str
    shell: str
    path: str
    """Of folders, with `:` between."""
    temporary: str

    def variables(self) -> dict[str, str]:
        """Return what every process of a call gets."""
        return {
            "PATH": self.path,
            "HOME": self.home,
            "USER": self.name,
            "LOGNAME": self.name,
            "SHELL": self.shell,
            "TMPDIR": self.temporary,
        }


@lru_cache(maxsize=1)
def own_account() -> Account:
    """Return the account of this process; one that the system's table does not have gets the plainest values."""
    try:
        row = pwd.getpwuid(os.getuid())
        name, home, shell = row.pw_name, row.pw_dir, row.pw_shell or "/bin/sh"
    except KeyError:
        name, home, shell = str(os.getuid()), "/", "/bin/sh"
    folders = [folder.format(home=home.rstrip("/")) for folder in _FOLDERS]
    return Account(name, home, shell, ":".join(each for each in folders if Path(each).is_dir()), _temporary())


def environment(account: Account, forwarded: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a process; what is forwarded never replaces a variable of the account."""
    return {**forwarded, **account.variables()}


def _temporary() -> str:
    if sys.platform == "darwin":
        return os.confstr(_DARWIN_TEMP_DIR) or "/tmp"  # noqa: S108 - the system's own, where the account has none
    return "/tmp"  # noqa: S108 - the system's temporary folder, not a file in it
