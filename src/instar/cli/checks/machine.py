"""Checks of this machine: interpreter, SQLite, clock, disk, console files."""

import importlib.resources
import os
import resource
import shutil
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from instar.cli.texts import size

from .check import NotApplicableError, Scene

PYTHON_MIN = (3, 11)
SQLITE_MIN = (3, 51, 3)
"""The first release without the WAL-reset bug."""
FILES_LOW = 4_096
MEMORY_LOW_BYTES = 134_217_728
INODES_LOW = 10_000
DISK_LOW_BYTES = 1_073_741_824
DISK_FULL_BYTES = 104_857_600
CLOCK_SLACK_S = 120.0
CLOCK_EARLIEST = 1_760_000_000.0
"""A clock before this (October 2025) was never set."""


def python_version(scene: Scene) -> str:  # noqa: ARG001 - the shape of a probe
    """Whether the interpreter is new enough."""
    found = sys.version_info[:2]
    return "" if found >= PYTHON_MIN else f"Python {found[0]}.{found[1]} is older than 3.11"


def sqlite_version(scene: Scene) -> str:  # noqa: ARG001 - the shape of a probe
    """Whether the SQLite that APSW carries is new enough."""
    import apsw  # noqa: PLC0415 - only this check needs it

    found = apsw.sqlite_lib_version()
    return "" if tuple(map(int, found.split("."))) >= SQLITE_MIN else f"SQLite {found} is older than 3.51.3"


def disk_space(scene: Scene) -> str:
    """Whether the disk has room."""
    free = shutil.disk_usage(_existing(scene)).free
    return "" if free >= DISK_LOW_BYTES else f"{size(free)} are free for {scene.data_dir}"


def disk_full(scene: Scene) -> str:
    """Whether the disk is about to be full."""
    free = shutil.disk_usage(_existing(scene)).free
    return "" if free >= DISK_FULL_BYTES else f"only {size(free)} are free for {scene.data_dir}"


def clock(scene: Scene) -> str:
    """Whether the clock was set and does not lie before what was written already."""
    now = time.time()
    if now < CLOCK_EARLIEST:
        return "the clock was never set"
    written = [path.stat().st_mtime for path in scene.data_dir.glob("*") if path.is_file()]
    ahead = max(written, default=now) - now
    return f"the clock is {ahead:.0f} s behind what was written last" if ahead > CLOCK_SLACK_S else ""


def console_built(scene: Scene) -> str:  # noqa: ARG001 - the shape of a probe
    """Whether the console's files are there."""
    try:
        index = importlib.resources.files("instar.server").joinpath("console_files", "index.html")
    except ModuleNotFoundError as error:
        raise NotApplicableError("the server is not installed") from error
    return "" if index.is_file() else "the console was not built into this package"


def file_limit(scene: Scene) -> str:  # noqa: ARG001 - the shape of a probe
    """Whether many connections can be open at once."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_enough = hard in (resource.RLIM_INFINITY, -1) or hard >= FILES_LOW
    return "" if is_enough else f"this user may open {hard} files: connections beyond are refused"


def fast_loop(scene: Scene) -> str:  # noqa: ARG001 - the shape of a probe
    """Whether the faster event loop is there."""
    return "" if find_spec("uvloop") else "uvloop is not installed: the hub uses Python's own event loop"


def fast_parser(scene: Scene) -> str:  # noqa: ARG001 - the shape of a probe
    """Whether the faster HTTP parser is there."""
    return "" if find_spec("httptools") else "httptools is not installed: the hub parses HTTP in Python"


def memory(scene: Scene) -> str:  # noqa: ARG001 - the shape of a probe
    """Whether there is memory left for a hub."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError as error:
        raise NotApplicableError("this system does not say") from error
    free = next((int(line.split()[1]) * 1_024 for line in lines if line.startswith("MemAvailable:")), None)
    if free is None:
        raise NotApplicableError("this system does not say")
    return "" if free >= MEMORY_LOW_BYTES else f"{size(free)} of memory are left"


def inodes(scene: Scene) -> str:
    """Whether the disk can take more files."""
    state = os.statvfs(_existing(scene))
    if not state.f_files:
        raise NotApplicableError("this file system does not count files")
    return "" if state.f_favail >= INODES_LOW else f"only {state.f_favail} more files fit where {scene.data_dir} is"


def _existing(scene: Scene) -> str:
    """Return the data directory, or the nearest folder above that exists."""
    return str(next(path for path in (scene.data_dir, *scene.data_dir.absolute().parents) if path.exists()))
