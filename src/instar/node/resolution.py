"""What a program's words name on this machine: its folder, its executable, and the files among its arguments.

Everything is opened before it is looked at, and what is opened is what runs: the descriptors go to the supervisor.
What the system leaves open between looking and running is said in words, for whoever approves.
"""

import errno
import hashlib
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from instar.base.errors import InstarError
from instar.wire.execution import FileFact
from instar.wire.limits import PLAN_FILE_MAX_BYTES, PLAN_FILES_MAX

from .supervision.supervisor import mark
from .supervision.tree import IS_LINUX

_BLOCK_BYTES = 1_048_576
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_SETTLED_NS = 2_000_000_000
"""A file that changed less than this ago is hashed again each time: its times may not tell the next change."""
_KNOWN_MAX = 1_024
_KERNEL = ("/proc/", "/sys/")
_FIRST_LINE_BYTES = 256
_INTERPRETERS_MAX = 4
EXECUTABLE, OPERAND = "executable", "operand"
_known: OrderedDict[tuple[int, ...], str] = OrderedDict()


@dataclass(slots=True)
class Resolved:
    """A program as it stands; close it when it runs or will not.

    Args:
        folder: Descriptor of the working directory.
        cwd: Its path without links.
        executable: Descriptor of the program.
        path: Its path without links.
        is_script: Another program reads it: it cannot be executed by descriptor.
        mark: What the executable looked like when it was hashed.
    """

    folder: int
    cwd: str
    executable: int = -1
    path: str = ""
    is_script: bool = False
    mark: list[int] = field(default_factory=list[int])
    files: list[FileFact] = field(default_factory=list[FileFact])
    unbound: list[str] = field(default_factory=list[str])

    @property
    def can_execute_descriptor(self) -> bool:
        """Whether the opened file itself can be executed, whatever its path leads to by then."""
        return IS_LINUX and not self.is_script

    def close(self) -> None:
        """Give the descriptors back."""
        for each in (self.folder, self.executable):
            if each >= 0:
                os.close(each)
        self.folder = self.executable = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def resolve(argv: Sequence[str], cwd: str, path_env: str, named: Sequence[str]) -> Resolved:
    """Open the folder and the program, and hash the files that are named. It blocks; it belongs into a thread.

    Args:
        argv: The program and its arguments.
        cwd: Absolute.
        path_env: Where programs are looked for.
        named: Words that may name files: of a shell line its words, else the arguments.

    Raises:
        InstarError: `not_found`, `unprocessable_entity`.
    """
    resolved = _open_folder(cwd)
    try:
        _open_program(resolved, argv[0], path_env)
        facts = _Facts(resolved)
        facts.program(path_env)
        facts.operands(named)
    except BaseException:
        resolved.close()
        raise
    return resolved


def find_program(name: str, cwd: str, path_env: str) -> str:
    """Return the path of a program, as a shell finds it.

    Raises:
        InstarError: `not_found`; `unprocessable_entity` for what is there and no program.
    """
    if not name or "\0" in name:
        raise InstarError("unprocessable_entity", "the program has no name", hint="Name a program first.")
    if "/" in name:
        path = str(Path(cwd) / name)
        if not os.path.lexists(path):
            raise InstarError("not_found", f"there is no program {path}", hint="Check the path, and the call's `cwd`.")
        if not _is_program(path):
            raise InstarError("unprocessable_entity", f"{path} is no program", hint=f"Make it one: chmod +x {path}")
        return path
    for folder in path_env.split(":"):
        if folder and _is_program(path := str(Path(folder) / name)):
            return path
    raise InstarError(
        "not_found", f"the node has no program {name!r}", hint=f"Its PATH is {path_env}; give the whole path."
    )


def digest_of(descriptor: int) -> str:
    """Return the SHA-256 of an open file; one that has not changed since is not read again.

    Raises:
        OSError: It cannot be read, or has no end, as files of the kernel.
    """
    seen = tuple(mark(descriptor))
    if (known := _known.get(seen)) is not None:
        _known.move_to_end(seen)
        return known
    digest, offset = hashlib.sha256(), 0
    while block := os.pread(descriptor, _BLOCK_BYTES, offset):
        digest.update(block)
        offset += len(block)
        if offset > PLAN_FILE_MAX_BYTES:
            raise OSError(errno.EFBIG, "it holds more than it says")
    if tuple(mark(descriptor)) == seen and time.time_ns() - os.fstat(descriptor).st_ctime_ns > _SETTLED_NS:
        _known[seen] = digest.hexdigest()
        while len(_known) > _KNOWN_MAX:
            _known.popitem(last=False)
    return digest.hexdigest()


class _Facts:
    """The files that a plan binds, each once."""

    def __init__(self, resolved: Resolved) -> None:
        self._resolved = resolved
        self._seen: set[str] = set()
        self._left_out = 0

    def program(self, path_env: str) -> None:
        """Take the executable, and whatever reads it if it is a script."""
        resolved = self._resolved
        resolved.mark = mark(resolved.executable)
        self._add(resolved.executable, resolved.path, EXECUTABLE)
        first = resolved.executable
        opened: list[int] = []
        try:
            for _ in range(_INTERPRETERS_MAX):
                words = _interpreter(first)
                if not words:
                    break
                resolved.is_script = True
                for word in words:
                    with suppress(InstarError, OSError):
                        first = os.open(os.path.realpath(find_program(word, resolved.cwd, path_env)), _READ)
                        opened.append(first)
                        self._add(first, _path_of(first), EXECUTABLE)
        finally:
            for each in opened:
                os.close(each)
        if resolved.is_script:
            resolved.unbound.append(f"{resolved.path} is a script: its interpreter opens it again when it starts.")

    def operands(self, named: Sequence[str]) -> None:
        """Take the words that name regular files."""
        for path in _candidates(named):
            try:
                descriptor = os.open(path, _READ, dir_fd=self._resolved.folder)
            except (OSError, ValueError):
                continue
            try:
                self._operand(descriptor)
            except OSError as error:
                self._resolved.unbound.append(f"{path} cannot be bound, so it may change: {error.strerror}.")
            finally:
                os.close(descriptor)
        if self._left_out:
            self._resolved.unbound.append(
                f"{self._left_out} more files are named; only the first {PLAN_FILES_MAX} are bound."
            )

    def _operand(self, descriptor: int) -> None:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode) and (path := _path_of(descriptor)).startswith(_KERNEL):
            self._resolved.unbound.append(f"{path} is the kernel's, and is another with each reading.")
        elif stat.S_ISREG(mode):
            self._add(descriptor, _path_of(descriptor), OPERAND)
        elif stat.S_ISDIR(mode) and (path := _path_of(descriptor)) not in self._seen:
            self._seen.add(path)
            if path != self._resolved.cwd:
                self._resolved.unbound.append(f"What lies in {path} may change.")

    def _add(self, descriptor: int, path: str, role: str) -> None:
        if path in self._seen:
            return
        self._seen.add(path)
        if len(self._resolved.files) >= PLAN_FILES_MAX:
            self._left_out += 1
            return
        size = os.fstat(descriptor).st_size
        if size > PLAN_FILE_MAX_BYTES:
            self._resolved.unbound.append(f"{path} is too large to be bound, so it may change.")
            return
        self._resolved.files.append(FileFact(path, digest_of(descriptor), size, role))


def _open_folder(cwd: str) -> Resolved:
    try:
        folder = os.open(cwd, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        raise InstarError(
            "not_found", f"the working directory {cwd} cannot be used: {reason}", hint="Name a folder of the node."
        ) from error
    return Resolved(folder, _path_of(folder, cwd))


def _open_program(resolved: Resolved, name: str, path_env: str) -> None:
    found = find_program(name, resolved.cwd, path_env)
    try:
        resolved.executable = os.open(os.path.realpath(found), _READ)
    except OSError as error:
        raise InstarError(
            "unprocessable_entity", f"{found} cannot be read: {error.strerror}", hint="Let the node's account read it."
        ) from error
    if not stat.S_ISREG(os.fstat(resolved.executable).st_mode):
        raise InstarError("unprocessable_entity", f"{found} is no regular file", hint="Name a program.")
    resolved.path = _path_of(resolved.executable, found)


def _path_of(descriptor: int, path: str = "") -> str:
    """Return where an open file stands, by the system's word where it gives one."""
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:
        return os.path.realpath(path)


def _is_program(path: str) -> bool:
    try:
        return Path(path).is_file() and os.access(path, os.X_OK)
    except (OSError, ValueError):
        return False


def _interpreter(descriptor: int) -> list[str]:
    """Return the programs that a script's first line names: `#!/usr/bin/env python3` names two."""
    head = os.pread(descriptor, _FIRST_LINE_BYTES, 0)
    if not head.startswith(b"#!"):
        return []
    words = head[2:].split(b"\n", 1)[0].decode(errors="surrogateescape").split()
    if words and Path(words[0]).name == "env":
        rest = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        return words[:1] + rest[:1]
    return words[:1]


def _candidates(named: Sequence[str]) -> Iterator[str]:
    """Yield what may be a path: each word, what stands behind the `=` of one, or behind the letter of an option."""
    for word in named:
        if word and "\0" not in word:
            yield word
            if len(word) > 2 and word[0] == "-" and word[1] != "-":
                yield word[2:]
            if "=" in word:
                yield word.split("=", 1)[1] or "."
