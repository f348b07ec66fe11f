"""One call's supervisor: it forks the program, is told to end it, and outlives everything that the program started.

It is driven over a stream socket. First comes one line of JSON (`Spec`), then one word a line: `terminate`, `kill`,
`signal N`. It answers one word a line: `spawning`, `started PID`, `failed STAGE ERRNO`, `exited STATUS` (negative for a
signal), `gone` once nothing of the tree is left, `stuck` when something of it cannot be killed.
"""

import json
import os
import select
import signal
import socket
import time
from contextlib import suppress
from typing import NoReturn, TypedDict

from . import tree

MARKS_KEPT = 3
"""Standard input, output and error."""
_RETRY_S = 0.05
_STUCK_S = 5.0
"""A tree that was killed and is still there after this time is reported as stuck."""
_RESET = [number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)]


class Spec(TypedDict):
    """What to run. Its descriptors come with the request: input, output, error, folder, program."""

    path: str
    """What is executed; empty: the program's descriptor is."""
    named: str
    """The program's path."""
    argv: list[str]
    env: dict[str, str]
    has_terminal: bool
    grace_s: float
    """Between asking a tree to end and killing it, and how long what is left of it may go on by itself."""
    check: list[int]
    """What the program must still look like (`mark`), by its descriptor and by its path; empty: anything."""


def prepare() -> int:
    """Do all that can be done before there is a call; return what is polled for children that end."""
    os.setsid()
    tree.become_subreaper()
    os.umask(0o022)
    return watch_children()


def watch_children() -> int:
    """Have the end of a child wake a poll; return what to poll."""
    reading, writing = os.pipe()
    for each in (reading, writing):
        os.set_blocking(each, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return reading


def supervise(control: socket.socket, descriptors: list[int], wake: int) -> NoReturn:
    """Be the supervisor of one call until its tree is gone; then end."""
    line = b""
    while not line.endswith(b"\n"):
        piece = control.recv(1_048_576)
        if not piece:
            os._exit(0)
        line += piece
    spec: Spec = json.loads(line)
    try:
        program = _spawn(spec, descriptors, control)
    except _FailureError as failure:
        _say(control, f"failed {failure.stage} {failure.number}")
        os._exit(0)
    for each in descriptors:
        os.close(each)
    _say(control, f"started {program}")
    _Watch(control, wake, program, spec["grace_s"]).run()
    os._exit(0)


class _Watch:
    """What a supervisor does once its program runs."""

    def __init__(self, control: socket.socket, wake: int, program: int, grace_s: float) -> None:
        self._control = control
        self._wake = wake
        self._program = program
        self._grace_s = grace_s
        self._kill_at = float("inf")
        self._stuck_at = float("inf")
        self._is_orphaned = False
        self._buffer = b""

    def run(self) -> None:
        """Wait, reap and obey until nothing is left."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while self._reap():
            wait_ms = None if self._kill_at == float("inf") else max(0, (self._kill_at - time.monotonic()) * 1_000)
            ready = dict(poll.poll(wait_ms))
            if self._wake in ready:
                os.read(self._wake, 4_096)
            if not self._is_orphaned and self._control.fileno() in ready and not self._obey():
                self._is_orphaned = True
                poll.unregister(self._control)
                self._kill_at = 0.0
            if time.monotonic() >= self._kill_at:
                self._kill()
        _say(self._control, "gone")

    def _reap(self) -> bool:
        """Take the status of what ended; return whether anything is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._program:
                _say(self._control, f"exited {os.waitstatus_to_exitcode(status)}")
                self._kill_at = min(self._kill_at, time.monotonic() + self._grace_s)

    def _obey(self) -> bool:
        """Do what was asked; return False once nobody is left to ask."""
        try:
            content = self._control.recv(4_096)
        except OSError:
            return False
        *lines, self._buffer = (self._buffer + content).split(b"\n")
        for line in lines:
            word, _, value = line.partition(b" ")
            if word == b"terminate":
                tree.signal_all(os.getpid(), signal.SIGTERM)
                tree.signal_all(os.getpid(), signal.SIGCONT)
                self._kill_at = min(self._kill_at, time.monotonic() + self._grace_s)
            elif word == b"kill":
                self._kill_at = 0.0
            elif word == b"signal":
                self._signal(int(value))
        return bool(content)

    def _signal(self, number: int) -> None:
        """Signal the program's group. A sandbox's own processes, which know nothing of signals, are left out."""
        if tree.command(self._program) != "bwrap":
            with suppress(OSError):
                os.killpg(self._program, number)
            return
        tree.signal_all(os.getpid(), number, wanted=lambda pid: tree.command(pid) != "bwrap")

    def _kill(self) -> None:
        now = time.monotonic()
        if self._stuck_at == float("inf"):
            self._stuck_at = now + _STUCK_S
        elif now >= self._stuck_at:
            _say(self._control, "stuck")
            self._stuck_at = now + 3_600.0
        if tree.IS_LINUX:
            tree.kill_all(os.getpid())
        else:
            with suppress(OSError):
                os.killpg(self._program, signal.SIGKILL)
        self._kill_at = time.monotonic() + _RETRY_S


class _FailureError(Exception):
    """The program could not be executed: at which stage, and the system's number for why."""

    def __init__(self, stage: str, number: int) -> None:
        super().__init__(stage, number)
        self.stage = stage
        self.number = number


def _spawn(spec: Spec, descriptors: list[int], control: socket.socket) -> int:
    """Execute the program in a session of its own and return its process id."""
    try:
        os.fchdir(descriptors[MARKS_KEPT])
    except OSError as error:
        raise _FailureError("cwd", error.errno or 0) from error
    program = descriptors[MARKS_KEPT + 1]
    if spec["check"] and not spec["check"] == mark(program) == _mark_at(spec["named"]):
        raise _FailureError("changed", 0)
    _say(control, "spawning")
    try:
        return os.posix_spawn(
            spec["path"] or f"/proc/self/fd/{program}",
            spec["argv"],
            spec["env"],
            file_actions=_marks(spec, descriptors),
            setsid=True,
            setsigdef=_RESET,
        )
    except OSError as error:
        raise _FailureError("executable", error.errno or 0) from error


def _marks(spec: Spec, descriptors: list[int]) -> list[tuple[int, int, int] | tuple[int, int, str, int, int]]:
    """Return how the program gets its input, output and error; a terminal that it opens becomes its controlling one."""
    if not spec["has_terminal"]:
        return [(os.POSIX_SPAWN_DUP2, source, target) for target, source in enumerate(descriptors[:MARKS_KEPT])]
    opened = (os.POSIX_SPAWN_OPEN, 0, os.ttyname(descriptors[0]), os.O_RDWR, 0)
    return [opened, (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)]


def mark(descriptor: int) -> list[int]:
    """Return what changes when a file does: device, inode, size, change and modification time."""
    return _mark(os.fstat(descriptor))


def _mark_at(path: str) -> list[int]:
    try:
        return _mark(os.lstat(path))
    except OSError:
        return []


def _mark(state: os.stat_result) -> list[int]:
    return [state.st_dev, state.st_ino, state.st_size, state.st_ctime_ns, state.st_mtime_ns]


def _say(control: socket.socket, words: str) -> None:
    """Tell the node; if it is gone, nobody."""
    with suppress(OSError):
        control.sendall(words.encode() + b"\n")
