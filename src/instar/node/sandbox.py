"""Keeping a call from the machine it runs on, by bubblewrap; where it does not work, nothing pretends to."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from instar.base.errors import InstarError
from instar.wire.execution import Sandbox

from .environment import Account

_TRY_S = 5.0
_RUNS_LATER = (
    ".bash_profile", ".ssh/authorized_keys", ".bashrc", ".profile", ".zshenv", ".config/systemd", ".config/autostart",
    ".local/bin", "bin", ".bash_login", ".zprofile", ".zshrc", ".pam_environment", ".xprofile", ".gitconfig",
)  # fmt: skip
"""In a home: what runs at login, at boot or with common programs."""
_TOLD_MAX = 4
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
    all, save for the programs on its PATH and what is granted. Of a home that is granted itself, what is hidden in it
    (keys, settings, what runs at login) is empty, and what is written there is gone with the program; `~/bin` is there
    to read. What is hidden and not there yet can be made: `exposure` says so. Where the node runs as root it has no
    capability there: with those it would take the mounts away again.
    """
    home, roots, hidden = os.path.realpath(account.home), sorted(_real(roots)), sorted(_real(hidden))
    words = [bubblewrap(), "--unshare-all", "--cap-drop", "ALL", "--die-with-parent", "--ro-bind", "/", "/"]
    words += ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run"]  # noqa: S108 - inside
    if sandbox is Sandbox.NETWORK:
        words += ["--share-net"]
        if Path("/run/systemd/resolve").exists():
            words += ["--ro-bind", "/run/systemd/resolve", "/run/systemd/resolve"]
    for folder in _outermost(_real([home, "/root", "/home"])):
        if Path(folder).is_dir() and folder != "/":
            words += ["--tmpfs", folder]
    words += _bound("--bind", roots)
    if home != "/" and any(_is_within(home, root) for root in roots):
        words += _emptied(home)
        words += _bound("--bind", [root for root in roots if _is_within(root, home) and root != home])
    programs = [*account.path.split(":"), *([f"{home}/bin"] if Path(home, "bin").is_dir() else [])]
    words += _bound("--ro-bind", [each for each in _real(programs) if _is_within(each, home)])
    for folder in hidden:
        if any(_is_within(folder, root) for root in roots) or not _is_within(folder, home):
            words += ["--tmpfs", folder]
    return [*words, "--chdir", cwd, "--"]


def exposure(*, roots: Sequence[str], account: Account) -> str:
    """Return, as a sentence for an approver, what a sandboxed program may leave behind that runs later; empty: nothing.

    A mount needs something to lie over, and an empty file in its place would stay on the machine: so what is not there
    cannot be covered, unless nothing at all could be made beside it.
    """
    home = os.path.realpath(account.home)
    if home == "/" or not any(_is_within(home, root) for root in _real(roots)):
        return ""
    missing = [name for name in _RUNS_LATER if not os.path.lexists(f"{home}/{name.partition('/')[0]}")]
    if not missing:
        return ""
    return (
        f"The sandbox lets it write in the home {home}: it can make what is not there yet and runs later, such as "
        f"{', '.join(missing[:_TOLD_MAX])}."
    )


def _bound(kind: str, folders: Sequence[str]) -> list[str]:
    return [word for folder in folders for word in (kind, folder, folder)]


def _emptied(home: str) -> list[str]:
    """Return the words that put nothing in the place of each hidden folder and file of a home."""
    words: list[str] = []
    with os.scandir(home) as entries:
        for path in sorted({os.path.realpath(entry.path) for entry in entries if entry.name.startswith(".")}):
            if Path(path).is_dir():
                words += ["--tmpfs", path]
            elif Path(path).is_file():
                words += ["--ro-bind", os.devnull, path]
    return words


def _real(folders: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(os.path.realpath(folder) for folder in folders))


def _outermost(folders: Sequence[str]) -> list[str]:
    return [each for each in folders if not any(_is_within(each, other) for other in folders if other != each)]


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
