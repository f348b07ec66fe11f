"""Keeping a call from the machine it runs on, by bubblewrap; where it does not work, nothing pretends to."""

import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from instar.base.errors import InstarError
from instar.wire.execution import Sandbox

from .environment import Account

_TRY_S = 5.0
_RANK = {Sandbox.NONE: 0, Sandbox.NETWORK: 1, Sandbox.STRICT: 2}


def available() -> list[Sandbox]:
    """Return what this machine has, tried once: a bubblewrap that may not make namespaces is none."""
    return [Sandbox.NONE, Sandbox.STRICT, Sandbox.NETWORK] if bubblewrap() else [Sandbox.NONE]


@lru_cache(maxsize=1)
def bubblewrap() -> str:
    """Return where a bubblewrap is that works; empty when there is none."""
    found = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    if not found:
        return ""
    words = [found, "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--die-with-parent"]
    try:
        tried = subprocess.run(  # noqa: S603 - fixed words, no shell
            [*words, "/bin/true"], env={}, capture_output=True, timeout=_TRY_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found if tried.returncode == 0 else ""


def strictest(asked: Sandbox, floor: Sandbox) -> Sandbox:
    """Return the stricter of two: what the node asks for at least is never undercut."""
    return max(asked, floor, key=_RANK.__getitem__)


def check(sandbox: Sandbox) -> None:
    """Refuse a sandbox that this machine does not have.

    Raises:
        InstarError: `sandbox_unavailable`.
    """
    if not bubblewrap():
        raise InstarError("sandbox_unavailable", f"this machine has no sandbox `{sandbox}`: bubblewrap does not work")


def wrapped(sandbox: Sandbox, *, roots: Sequence[str], hidden: Sequence[str], cwd: str, account: Account) -> list[str]:
    """Return the words that go before a program's own.

    The system is there to read, the granted roots to write; `/tmp`, `/run`, processes and (unless `network`) the
    network are its own. The account's home and the folders in `hidden` (the node's key and ledger) are not there at
    all, save for the programs on its PATH and what is granted.
    """
    words = [bubblewrap(), "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/"]
    words += ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run"]  # noqa: S108 - inside
    if sandbox is Sandbox.NETWORK:
        words += ["--share-net"]
        if Path("/run/systemd/resolve").exists():
            words += ["--ro-bind", "/run/systemd/resolve", "/run/systemd/resolve"]
    for folder in _outermost([account.home, "/root", "/home"]):
        if Path(folder).is_dir() and folder != "/":
            words += ["--tmpfs", folder]
    for folder in account.path.split(":"):
        if _is_within(folder, account.home):
            words += ["--ro-bind", folder, folder]
    for root in sorted(roots):
        words += ["--bind", root, root]
    for folder in sorted(hidden):
        if any(_is_within(folder, root) for root in roots) or not _is_within(folder, account.home):
            words += ["--tmpfs", folder]
    return [*words, "--chdir", cwd, "--"]


def _outermost(folders: Sequence[str]) -> list[str]:
    return [each for each in folders if not any(_is_within(each, other) for other in folders if other != each)]


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
