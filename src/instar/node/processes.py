"""Programs under supervision: each with a supervisor of its own, which ends all that the program started."""

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import instar
from instar.base.errors import InstarError
from instar.wire.limits import CALL_KILL_GRACE_S

from .supervision.supervisor import Spec
from .supervision.zygote import REQUEST

_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from instar.node.supervision.zygote import main; main()"
_LOCK_S = 3 * CALL_KILL_GRACE_S
"""How long a new node waits for the supervisors of one that was killed to have ended their trees."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run; its descriptors stay the caller's.

    Args:
        argv: Its words, its own name first.
        env: All of its environment.
        folder: Descriptor of its working directory.
        executable: Descriptor of the program.
        path: What is executed instead of `executable`: a script, or a sandbox around it.
        named: The program's path: it must still lead to `executable`.
        mark: What `executable` must still look like (`supervisor.mark`); empty: anything.
        has_terminal: Its input is a terminal, which becomes its controlling one.
        grace_s: Between SIGTERM and SIGKILL.
    """

    argv: list[str]
    env: dict[str, str]
    folder: int
    executable: int
    path: str = ""
    named: str = ""
    mark: list[int] = field(default_factory=list[int])
    has_terminal: bool = False
    grace_s: float = CALL_KILL_GRACE_S


class Supervised:
    """A running program, and everything that it starts."""

    def __init__(self, control: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self.control = control
        self._buffer = b""
        self.started: asyncio.Future[int] = loop.create_future()
        """Its process id; raises `OSError` or `InstarError` when it could not be executed."""
        self.exited: asyncio.Future[int | None] = loop.create_future()
        """Its exit status, negative for the signal that ended it; None when nobody saw it end."""
        self.gone: asyncio.Future[bool] = loop.create_future()
        """Resolves once nothing that it started is left: True; or cannot be ended: False."""
        self.is_spawning = False
        """Whether it may have begun, even if `started` fails."""
        loop.add_reader(control.fileno(), self._read)

    def terminate(self) -> None:
        """End the whole tree: SIGTERM, and after the grace SIGKILL."""
        self._say("terminate")

    def kill(self) -> None:
        """Kill the whole tree at once."""
        self._say("kill")

    def signal(self, number: int) -> None:
        """Send a signal to the program and its group."""
        self._say(f"signal {number}")

    def release(self) -> None:
        """Let go of the supervisor; a tree that is left is killed by it."""
        if self.control.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.control.fileno())
            self.control.close()
        self._settle()

    def _say(self, words: str) -> None:
        with contextlib.suppress(OSError):
            self.control.send(words.encode() + b"\n")

    def _read(self) -> None:
        try:
            content = self.control.recv(4_096)
        except BlockingIOError:
            return
        except OSError:
            content = b""
        *lines, self._buffer = (self._buffer + content).split(b"\n")
        for line in lines:
            self._told(line.decode().split(" "))
        if not content:
            if self._buffer:
                self._told(self._buffer.decode().split(" "))
            self.release()

    def _told(self, words: list[str]) -> None:
        match words:
            case ["spawning"]:
                self.is_spawning = True
            case ["started", pid] if not self.started.done():
                self.started.set_result(int(pid))
            case ["failed", stage, number] if not self.started.done():
                self.is_spawning = False
                self.started.set_exception(_failure(stage, int(number)))
            case ["exited", status] if not self.exited.done():
                self.exited.set_result(int(status))
            case ["gone"] if not self.gone.done():
                self.gone.set_result(True)
            case ["stuck"] if not self.gone.done():
                self.gone.set_result(False)
            case _:
                pass

    def _settle(self) -> None:
        """Nobody will say more."""
        if not self.started.done():
            cause = "the supervisor was ended from outside while the program began"
            detail = {"may_have_run": self.is_spawning}
            self.started.set_exception(InstarError("internal_error", cause, detail=detail))
            self.started.exception()
        if not self.exited.done():
            self.exited.set_result(None)
        if not self.gone.done():
            self.gone.set_result(True)


class Supervisors:
    """The zygote and the supervisors that it forks.

    Args:
        lock: File that is locked while a process of a call lives, also one of a node that was killed.
    """

    def __init__(self, lock: Path) -> None:
        self._lock = lock
        self._zygote: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    async def open(self) -> None:
        """Wait for what an earlier node left to be ended.

        Raises:
            InstarError: `conflict` when it does not end.
        """
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            async with asyncio.timeout(_LOCK_S):
                while not _locked(descriptor, fcntl.LOCK_EX):  # noqa: ASYNC110 - no event tells of another process
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise InstarError(
                "conflict",
                "processes of an earlier node are still there",
                hint=f"Another node may run with this folder; else end those that have {self._lock} open.",
            ) from None
        finally:
            os.close(descriptor)

    async def spawn(self, program: Program, marks: tuple[int, int, int]) -> Supervised:
        """Run a program with these descriptors as its input, output and error.

        Raises:
            InstarError: `not_found`, `plan_changed`, `unprocessable_entity`: it could not be executed.
                `internal_error`: its supervisor was killed; with the detail `may_have_run` perhaps after it had begun.
        """
        for _ in range(2):
            supervised = self._ask(program, marks)
            try:
                with contextlib.suppress(OSError):
                    await asyncio.get_running_loop().sock_sendall(supervised.control, _spec(program))
                await asyncio.shield(supervised.started)
            except InstarError as error:
                supervised.release()
                if error.code != "internal_error" or supervised.is_spawning:
                    raise
            except BaseException:
                supervised.release()
                raise
            else:
                return supervised
        raise InstarError("internal_error", "supervisors are ended from outside before they begin")

    def _ask(self, program: Program, marks: tuple[int, int, int]) -> Supervised:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        try:
            self._request([theirs.fileno(), *marks, program.folder, program.executable])
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return Supervised(ours)

    async def close(self) -> None:
        """End the zygote; every tree that is left is killed."""
        zygote, self._zygote = self._zygote, None
        if self._requests is not None:
            self._requests.close()
            self._requests = None
        if zygote is not None:
            await asyncio.to_thread(_reap, zygote)

    def _request(self, descriptors: list[int]) -> None:
        """Ask the zygote for a supervisor; one that was killed is replaced."""
        if self._zygote is not None and self._zygote.poll() is not None:
            self._forget()
        for _ in range(2):
            requests = self._requests or self._start()
            try:
                socket.send_fds(requests, [REQUEST], descriptors)
            except OSError as error:
                self._forget()
                if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ECONNREFUSED):
                    break
            else:
                return
        raise InstarError("internal_error", "the zygote does not run")

    def _forget(self) -> None:
        """Let go of a zygote that is no more."""
        if self._requests is not None:
            self._requests.close()
            self._requests = None
        if self._zygote is not None:
            _reap(self._zygote)
            self._zygote = None

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _locked(lock, fcntl.LOCK_SH)
            source = str(Path(instar.__file__).resolve().parent.parent)
            self._zygote = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-I", "-S", "-c", _BOOT, source, str(theirs.fileno()), str(lock)],
                env={}, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), lock),
            )  # fmt: skip
        finally:
            theirs.close()
            os.close(lock)
        self._requests = ours
        return ours


def signal_name(status: int) -> str:
    """Return the name of the signal in a negative exit status, without SIG."""
    try:
        return signal.Signals(-status).name.removeprefix("SIG")
    except ValueError:
        return f"RT{-status}"


def signal_number(name: str) -> int:
    """Return the number of a signal by its name, with or without SIG.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    try:
        return signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"]
    except KeyError:
        raise InstarError(
            "unprocessable_entity", f"there is no signal {name[:50]!r}", hint="Name one such as INT, TERM or HUP."
        ) from None


def _spec(program: Program) -> bytes:
    spec = Spec(
        path=program.path, named=program.named, argv=program.argv, env=program.env,
        has_terminal=program.has_terminal, grace_s=program.grace_s, check=program.mark,
    )  # fmt: skip
    return json.dumps(spec).encode() + b"\n"


def _failure(stage: str, number: int) -> InstarError:
    reason = os.strerror(number) if number else "it could not be begun"
    if stage == "changed":
        return InstarError("plan_changed", "the program was changed while it was about to run")
    if number == errno.ENOENT:
        return InstarError("not_found", f"the {stage} cannot be used: {reason}", hint="Check the program's first line.")
    return InstarError(
        "unprocessable_entity", f"the {stage} cannot be used: {reason}", hint="See it with `exec ls -l`."
    )


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _reap(zygote: subprocess.Popen[bytes]) -> None:
    """Wait for a zygote that was let go; one that hangs is killed."""
    try:
        zygote.wait(_LOCK_S)
    except subprocess.TimeoutExpired:
        zygote.kill()
        zygote.wait()
