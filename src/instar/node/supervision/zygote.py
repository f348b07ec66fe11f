"""The zygote: a small process that forks a supervisor for each call, and ends what a dead supervisor left behind."""

import gc
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import NoReturn

from . import tree
from .supervisor import prepare, supervise, watch_children

REQUEST = b"s"
"""One message a call, with its descriptors: control socket, then those of the supervisor."""
_DESCRIPTORS_MAX = 8
_IDLE = 2
"""Supervisors that wait for a call."""


class _Zygote:
    """The loop of the zygote. Idle supervisors wait for requests themselves: a fork costs more than a call may."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._idle: set[int] = set()
        self._supervisors: set[int] = set()
        self._wake = watch_children()
        self._taken, self._take = os.pipe()

    def run(self) -> None:
        """Serve until the node is gone and every supervisor has ended."""
        poll = select.poll()
        poll.register(self._requests, 0)
        poll.register(self._wake, select.POLLIN)
        poll.register(self._taken, select.POLLIN)
        is_open = True
        while is_open or self._supervisors:
            while is_open and len(self._idle) < _IDLE:
                self._fork()
            ready = dict(poll.poll())
            if self._taken in ready:
                pid = int.from_bytes(os.read(self._taken, 4), "big")
                self._idle.discard(pid)
            if self._wake in ready:
                os.read(self._wake, 4_096)
                self._reap()
            if is_open and self._requests.fileno() in ready:
                is_open = False
                poll.unregister(self._requests)
        tree.kill_all(os.getpid())

    def _fork(self) -> None:
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_supervisor(zygote)
        self._idle.add(pid)
        self._supervisors.add(pid)

    def _become_supervisor(self, zygote: int) -> NoReturn:
        """Wait for a request; while it waits, the supervisor ends with its zygote."""
        tree.die_with_parent()
        if os.getppid() != zygote:
            os._exit(0)
        for each in (self._wake, self._taken):
            os.close(each)
        wake = prepare()
        request, descriptors, _flags, _from = socket.recv_fds(self._requests, 16, _DESCRIPTORS_MAX)
        if not request:
            os._exit(0)
        tree.outlive_parent()
        os.write(self._take, os.getpid().to_bytes(4, "big"))
        os.close(self._take)
        self._requests.close()
        for each in descriptors:
            os.set_inheritable(each, False)
        supervise(socket.socket(fileno=descriptors[0]), descriptors[1:], wake)

    def _reap(self) -> None:
        """Forget supervisors that ended; what one left behind, because it was killed, is killed as well."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._idle.discard(pid)
            self._supervisors.discard(pid)
            if status:
                self._end_strays()

    def _end_strays(self) -> None:
        for child in tree.children(os.getpid()):
            if child not in self._supervisors:
                tree.send(child, os.getpid(), signal.SIGSTOP)
                tree.kill_all(child)
                tree.send(child, os.getpid(), signal.SIGKILL)


def main() -> None:
    """Serve on the descriptor that the first argument names; the second, a lock, is held while anything runs."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTTOU, signal.SIGTTIN):
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):
        os.setsid()
    tree.become_subreaper()
    requests, lock = (int(word) for word in sys.argv[1:3])
    for each in (requests, lock):  # the lock is held by being open
        os.set_inheritable(each, False)
    gc.disable()
    gc.freeze()
    _Zygote(socket.socket(fileno=requests)).run()


if __name__ == "__main__":
    main()
