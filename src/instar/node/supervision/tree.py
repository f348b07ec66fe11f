"""The processes below one process, and how to reach them all."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_FREEZE_ROUNDS = 20
"""A tree that still grows after so many rounds of stopping it is killed as it stands, and looked at again."""
IS_LINUX = sys.platform == "linux"


def become_subreaper() -> bool:
    """Become the parent of every orphan below this process; return whether the system can do that."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> bool:
    """Have this process killed when its parent ends; return whether the system can do that."""
    return _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def outlive_parent() -> None:
    """Take `die_with_parent` back."""
    _prctl(_PR_SET_PDEATHSIG, 0)


def _prctl(option: int, value: int) -> bool:
    return IS_LINUX and _libc().prctl(option, value, 0, 0, 0) == 0


def _libc() -> ctypes.CDLL:
    global _loaded  # noqa: PLW0603 - loaded once in the zygote, shared by all that it forks
    if _loaded is None:
        _loaded = ctypes.CDLL(None, use_errno=True)
    return _loaded


_loaded: ctypes.CDLL | None = None


def children(pid: int) -> list[int]:
    """Return the processes that this one is the parent of; of one that is gone, none."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found.extend(int(word) for word in (task / "children").read_bytes().split())
    except FileNotFoundError:
        return found or _children_by_scan(pid)
    except OSError:
        return found
    return found


def _children_by_scan(pid: int) -> list[int]:
    """As `children`, where the kernel lists none by parent."""
    return [int(name) for name in _processes() if parent(int(name)) == pid]


def _processes() -> list[str]:
    try:
        return [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]
    except OSError:
        return []


def parent(pid: int) -> int:
    """Return the parent of a process; 0 of one that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    return int(stat[stat.rindex(b")") + 2 :].split(None, 2)[1])


def command(pid: int) -> str:
    """Return the short name of a process's program; empty of one that is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def descendants(pid: int) -> Iterator[tuple[int, int]]:
    """Yield (process, its parent) of everything below a process, parents first."""
    waiting = [(child, pid) for child in children(pid)]
    seen = {pid}
    while waiting:
        found, above = waiting.pop()
        if found in seen:
            continue
        seen.add(found)
        yield found, above
        waiting.extend((child, found) for child in children(found))


def send(pid: int, above: int, number: int) -> bool:
    """Send a signal to a process as long as it is still that child of its parent: numbers are used again.

    Returns False for a process that may not be signalled.
    """
    try:
        handle = os.pidfd_open(pid)
    except (OSError, AttributeError):
        return _send_by_number(pid, number)
    try:
        if parent(pid) == above:
            signal.pidfd_send_signal(handle, number)
    except PermissionError:
        return False
    except ProcessLookupError:
        return True
    finally:
        os.close(handle)
    return True


def _send_by_number(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except PermissionError:
        return False
    except ProcessLookupError:
        return True
    return True


def signal_all(pid: int, number: int, *, wanted: Callable[[int], bool] = lambda _pid: True) -> None:
    """Send a signal to everything below a process that is wanted."""
    for found, above in list(descendants(pid)):
        if wanted(found):
            send(found, above, number)


def kill_all(pid: int) -> None:
    """Kill everything below a process: first all is stopped until nothing new appears, so that nothing forks away."""
    stopped: set[int] = set()
    for _ in range(_FREEZE_ROUNDS):
        fresh = [(found, above) for found, above in descendants(pid) if found not in stopped]
        if not fresh:
            break
        for found, above in fresh:
            send(found, above, signal.SIGSTOP)
            stopped.add(found)
    for found, above in list(descendants(pid)):
        send(found, above, signal.SIGKILL)
