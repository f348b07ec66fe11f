"""The folders that this machine grants, as opened directory handles: no path leads out of them.

Every path is walked component by component from a root's handle, and no symbolic link is ever left to the system to
follow: its text is read and walked in the same way. So a link that is swapped while a path is walked, a `..` too many
or a magic link of `/proc` cannot lead elsewhere; a link that ends within a root works. (`openat2` with RESOLVE_BENEATH
would refuse absolute links that stay inside, and is Linux alone; this walk needs the same trust and runs everywhere.)

What is opened is a regular file or a folder: devices, FIFOs and sockets are refused, and so are the kernel's own file
systems and the folder that holds the node's key and its allow list.
"""

import enum
import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

from instar.base.errors import InstarError

LINKS_MAX = 40
"""Symbolic links in one path, as of Linux."""
_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HANDLE = _FOLDER | getattr(os, "O_PATH", os.O_RDONLY)
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_KERNEL = (Path("/proc"), Path("/sys"))
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
}


class Place(NamedTuple):
    """Where a path ends: a name in a folder that is held open. `name` is `.` for a root itself."""

    folder: int
    """Handle; valid while the place is open."""
    name: str
    path: str
    """Absolute, without symbolic links."""
    state: os.stat_result | None
    """What stood there when it was looked at; None: nothing."""


class Opened(NamedTuple):
    """A file that is open for reading."""

    descriptor: int
    path: str
    state: os.stat_result


class _Root(NamedTuple):
    handle: int
    path: str
    spelt: tuple[str, ...]
    """Both ways to write it: as it was granted, and without links."""


class _Step(NamedTuple):
    handle: int
    path: str


class _Missing(enum.Enum):
    """What is done about a folder on the way that is missing."""

    REFUSE = enum.auto()
    MAKE = enum.auto()
    NAME = enum.auto()
    """The rest of the path is taken as it is written."""


_Refused = Callable[[os.stat_result], str]
"""Says why what was found may not be touched; empty when it may."""


class Roots:
    """Granted folders. Close it when they are granted no more.

    Args:
        paths: The folders; each must be there.
        hidden: Folders that are never entered although they lie within.

    Raises:
        InstarError: `unprocessable_entity` for a root that cannot be opened.
    """

    def __init__(self, paths: Sequence[Path], *, hidden: Sequence[Path] = ()) -> None:
        self._roots: list[_Root] = []
        self._hidden = {_identity(path.stat()) for path in hidden if path.is_dir()}
        self._kernel = {path.stat().st_dev for path in _KERNEL if path.is_dir()}
        try:
            for path in paths:
                self._roots.append(_open_root(path))
        except InstarError:
            self.close()
            raise

    @property
    def paths(self) -> list[str]:
        """The roots, absolute and without links."""
        return [root.path for root in self._roots]

    @property
    def closed_to(self) -> tuple[list[tuple[int, int]], list[int]]:
        """What lies within and is never entered: folders by device and inode, and whole file systems by device."""
        return sorted(self._hidden), sorted(self._kernel)

    def close(self) -> None:
        """Give the handles back."""
        for root in self._roots:
            os.close(root.handle)
        self._roots = []

    @contextmanager
    def place(self, path: str, cwd: str = "", *, make_folders: bool = False) -> Generator[Place]:
        """Walk to a path and hold the folder in which it ends.

        Args:
            path: Absolute, or from `cwd`.
            cwd: The call's working directory; empty: the first root.
            make_folders: Make the folders on the way that are missing.

        Raises:
            InstarError: `outside_roots`; `not_found` for a folder on the way; `unprocessable_entity` for a path that
                is none; `forbidden` when the system refuses.
        """
        walk = _Walk(self._roots, self._refused, _Missing.MAKE if make_folders else _Missing.REFUSE)
        try:
            yield walk.to(_joined(path, cwd or self._first()))
        except OSError as error:
            raise refusal(error, path) from error
        finally:
            walk.close()

    def would_be(self, path: str, cwd: str = "") -> str:
        """Return where a path ends, absolute and without links, though folders on the way may be missing yet.

        Raises:
            InstarError: As `place`.
        """
        walk = _Walk(self._roots, self._refused, _Missing.NAME)
        try:
            return walk.to(_joined(path, cwd or self._first())).path
        except OSError as error:
            raise refusal(error, path) from error
        finally:
            walk.close()

    @contextmanager
    def file(self, path: str, cwd: str = "") -> Generator[Opened]:
        """Open a regular file for reading.

        Raises:
            InstarError: As `place`; `not_found`; `unprocessable_entity` for what is no regular file.
        """
        with self.place(path, cwd) as place:
            descriptor, state = open_regular(place)
        try:
            yield Opened(descriptor, place.path, state)
        finally:
            os.close(descriptor)

    @contextmanager
    def folder(self, path: str, cwd: str = "") -> Generator[Opened]:
        """Open a folder for listing.

        Raises:
            InstarError: As `place`; `not_found`; `unprocessable_entity` for what is no folder.
        """
        with self.place(path, cwd) as place:
            if place.state is None:
                raise InstarError("not_found", f"there is no folder {place.path}", hint="List the folder above it.")
            if not stat.S_ISDIR(place.state.st_mode):
                raise InstarError("unprocessable_entity", f"{place.path} is no folder", hint="Name a folder.")
            descriptor = os.open(".", os.O_RDONLY | _FOLDER, dir_fd=place.folder)
        try:
            yield Opened(descriptor, place.path, os.fstat(descriptor))
        finally:
            os.close(descriptor)

    def _first(self) -> str:
        if not self._roots:
            raise InstarError("outside_roots", "this node grants no folder")
        return self._roots[0].path

    def _refused(self, state: os.stat_result) -> str:
        """Return why what was found may not be touched; empty when it may."""
        if _identity(state) in self._hidden:
            return "holds the node's own keys"
        return "is the kernel's" if state.st_dev in self._kernel else ""


class _Walk:
    """One walk along a path; it holds a handle for every folder between the root and where it stands."""

    def __init__(self, roots: Sequence[_Root], refused: _Refused, missing: _Missing) -> None:
        self._roots = roots
        self._refused = refused
        self._if_missing = missing
        self._steps: list[_Step] = []
        self._parts: deque[str] = deque()
        self._links = 0
        self._asked = ""

    def to(self, path: str) -> Place:
        self._asked = path
        self._begin(path)
        while self._parts:
            name = self._parts.popleft()
            if name in ("", "."):
                continue
            if name == "..":
                self._up()
            elif (place := self._into(name)) is not None:
                return place
        top = self._steps[-1]
        return Place(top.handle, ".", top.path, os.stat(".", dir_fd=top.handle))

    def close(self) -> None:
        for step in self._steps[1:]:
            os.close(step.handle)
        self._steps = []

    def _begin(self, path: str) -> None:
        """Stand at the root that an absolute path is written below."""
        wanted = path.split("/")
        for root in self._roots:
            for spelt in root.spelt:
                parts = [part for part in spelt.split("/") if part]
                rest = [part for part in wanted if part not in ("", ".")]
                if rest[: len(parts)] == parts:
                    self.close()
                    self._steps = [_Step(root.handle, root.path)]
                    self._parts = deque(rest[len(parts) :])
                    return
        self._outside()

    def _up(self) -> None:
        if len(self._steps) == 1:
            self._outside()
        os.close(self._steps.pop().handle)

    def _into(self, name: str) -> Place | None:
        """Take one step; return the place when the path ends there."""
        top = self._steps[-1]
        path = f"{top.path.rstrip('/')}/{name}"
        try:
            found = os.stat(name, dir_fd=top.handle, follow_symlinks=False)
        except FileNotFoundError:
            return self._missing(top, name, path)
        if reason := self._refused(found):
            raise InstarError("outside_roots", f"{path} {reason}")
        if stat.S_ISLNK(found.st_mode):
            self._follow(os.readlink(name, dir_fd=top.handle), path)
        elif stat.S_ISDIR(found.st_mode):
            self._enter(top, name, path)
        elif any(part not in ("", ".") for part in self._parts):
            raise InstarError("not_found", f"{path} is no folder, so nothing lies below it", hint="Check the path.")
        else:
            return Place(top.handle, name, path, found)
        return None

    def _enter(self, top: _Step, name: str, path: str) -> None:
        handle = os.open(name, _HANDLE, dir_fd=top.handle)
        self._steps.append(_Step(handle, path))
        if reason := self._refused(os.fstat(handle)):
            raise InstarError("outside_roots", f"{path} {reason}")

    def _missing(self, top: _Step, name: str, path: str) -> Place | None:
        if not any(part not in ("", ".") for part in self._parts):
            return Place(top.handle, name, path, None)
        if self._if_missing is _Missing.NAME:
            return self._named(top, name, path)
        if self._if_missing is _Missing.REFUSE:
            raise InstarError("not_found", f"there is no folder {path}", hint="Make it first, or check the path.")
        os.mkdir(name, 0o777, dir_fd=top.handle)
        self._enter(top, name, path)
        return None

    def _named(self, top: _Step, name: str, path: str) -> Place:
        rest = [part for part in self._parts if part not in ("", ".")]
        if ".." in rest:
            self._outside()
        return Place(top.handle, name, "/".join((path, *rest)), None)

    def _follow(self, target: str, path: str) -> None:
        self._links += 1
        if self._links > LINKS_MAX:
            raise InstarError("unprocessable_entity", f"{path} has too many symbolic links", hint="Mend the links.")
        rest = list(self._parts)
        if target.startswith("/"):
            self._begin(target)
        else:
            self._parts = deque(target.split("/"))
        self._parts.extend(rest)

    def _outside(self) -> NoReturn:
        granted = ", ".join(root.path for root in self._roots) or "nothing"
        raise InstarError("outside_roots", f"{self._asked} leads out of what this node grants: {granted}")


def open_regular(place: Place, flags: int = os.O_RDONLY) -> tuple[int, os.stat_result]:
    """Open the regular file at a place, and return its handle with what it is.

    Raises:
        InstarError: `not_found`; `unprocessable_entity` for what is no regular file.
        OSError: The system refuses.
    """
    if place.state is None:
        raise InstarError("not_found", f"there is no file {place.path}", hint="List its folder to see what there is.")
    _must_be_regular(place.path, place.state)
    descriptor = os.open(place.name, flags | _FILE, dir_fd=place.folder)
    state = os.fstat(descriptor)
    try:
        _must_be_regular(place.path, state)
    except InstarError:
        os.close(descriptor)
        raise
    return descriptor, state


def refusal(error: OSError, path: str) -> InstarError:
    """Return what the system's refusal means to a caller."""
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return InstarError("outside_roots", f"{path} changed while it was being opened", hint="Ask again.")
    if error.errno == errno.ENOENT:
        return InstarError("not_found", f"{path} went away while it was being opened", hint="Ask again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InstarError("forbidden", f"the node's account may not touch {path}: {error.strerror}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InstarError("storage_full", f"there is no room on the node for {path}")
    return InstarError("unprocessable_entity", f"{path} cannot be used: {error.strerror}", hint="Check the path.")


def _must_be_regular(path: str, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        kind = _KINDS.get(stat.S_IFMT(state.st_mode), "something else")
        raise InstarError("unprocessable_entity", f"{path} is {kind}, not a file", hint="Name a regular file.")


def _joined(path: str, cwd: str) -> str:
    if "\0" in path:
        raise InstarError("unprocessable_entity", "a path cannot hold a zero byte")
    return path if path.startswith("/") else f"{cwd}/{path}"


def _open_root(path: Path) -> _Root:
    try:
        real = path.expanduser().resolve(strict=True)
        handle = os.open(real, _HANDLE)
    except OSError as error:
        raise InstarError(
            "unprocessable_entity",
            f"the root {path} cannot be opened: {error.strerror}",
            hint="Make the folder, or grant another with `instar node allow --here --root`.",
        ) from error
    return _Root(handle, str(real), tuple(dict.fromkeys((str(real), str(path.expanduser().absolute())))))


def _identity(state: os.stat_result) -> tuple[int, int]:
    return state.st_dev, state.st_ino
