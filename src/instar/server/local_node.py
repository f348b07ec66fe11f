"""The node of the hub's own machine: a child that starts at the first call that needs it and ends with the hub.

It runs `instar.node.local` and dials in over a Unix socket in the data directory. Its credential is a grant of scope
`node` that no table keeps, handed over on standard input: never in arguments, environment or a file.
"""

import asyncio
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.hub.identity.attenuation import Wanted
from instar.hub.identity.loans import Loans
from instar.hub.nodes.nodes import Nodes
from instar.wire.identity import Scope
from instar.wire.nodes import LOCAL

SOCKET = "local-node.sock"
STATE_FOLDER = "local-node"
_RESTART_S = 1.0
"""A child that ended is started again no sooner than this after its start."""
_STOP_S = 5.0
"""How long a child may take to end its calls and itself."""
_LINE_MAX_CHARS = 2_000
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "HOME", "TMPDIR")
"""What the child is given of the hub's environment; nothing of it reaches a call."""

_log = structlog.get_logger("instar.local_node")


class PrivateSocket:
    """A listening Unix socket that only the hub's own account reaches.

    Args:
        data_dir: Where it lies, unless that path is longer than a socket's may be, or the disk there takes no sockets.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder: Path | None = None
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.path = data_dir / SOCKET
        try:
            self._bind()
        except OSError:
            self._folder = Path(tempfile.mkdtemp(prefix="instar-"))
            self.path = self._folder / SOCKET
            self._bind()

    def _bind(self) -> None:
        self.path.unlink(missing_ok=True)
        self.socket.bind(str(self.path))
        self.path.chmod(0o600)

    def close(self) -> None:
        """Give it back."""
        self.socket.close()
        self.path.unlink(missing_ok=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class LocalNode:
    """Starts the child, looks after it, ends it.

    Args:
        nodes: Who it serves.
        loans: Its credential.
        scope: The parent of what reads its words.
        data_dir: The hub's; no tool of the node sees it.
        path: Of the hub's private socket.
        environ: The hub's environment.
    """

    def __init__(
        self, nodes: Nodes, loans: Loans, scope: TaskScope, data_dir: Path, path: Path, environ: Mapping[str, str]
    ) -> None:
        self._nodes = nodes
        self._loans = loans
        self._scope = scope
        self._data_dir = data_dir.absolute()
        self._path = path.absolute()
        self._environ = {name: environ[name] for name in _KEPT if name in environ}
        self._starting = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._started_at = 0.0
        self._is_stopping = False
        nodes.local.starter = self.start

    async def start(self) -> None:
        """Make sure that the child runs.

        Raises:
            InstarError: `node_away` when the hub stops, or the program cannot be run.
        """
        async with self._starting:
            if self._process is not None and self._process.returncode is None:
                return
            await asyncio.sleep(max(0.0, self._started_at + _RESTART_S - time.monotonic()))
            if self._is_stopping:
                raise InstarError("node_away", "the hub stops")
            await self._spawn()

    async def close(self) -> None:
        """End the child, and with it everything that it runs. Twice is no error."""
        self._is_stopping = True
        async with self._starting:
            process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _spawn(self) -> None:
        state = self._data_dir / STATE_FOLDER
        state.mkdir(mode=0o700, exist_ok=True)
        grant, token = self._loans.lend(Wanted("key", "the node of the hub's machine", frozenset({Scope.NODE})))
        self._nodes.roster.local_grant = grant.id
        self._started_at = time.monotonic()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "instar.node.local",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
                env=self._environ, cwd=state, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._loans.take_back(grant.id)
            cause = f"the node of the hub's own machine cannot be run: {error.strerror}"
            raise InstarError("node_away", cause) from error
        self._process = process
        assert process.stdin is not None
        process.stdin.write(_orders(f"unix:{self._path}", token, state, self._data_dir))
        _log.info("local node started", pid=process.pid)
        self._scope.start("local node", self._look_after(process, grant.id))

    async def _look_after(self, process: asyncio.subprocess.Process, grant_id: str) -> None:
        """Pass its words on to the log; when it ends, its credential ends too."""
        assert process.stderr is not None
        try:
            async for line in process.stderr:
                _log.info("local node", said=line.decode("utf-8", "replace").rstrip()[:_LINE_MAX_CHARS])
            status = await process.wait()
            _log.info("local node ended", pid=process.pid, status=status)
            self._nodes.local.gave_up(f"it ended with status {status}")
        finally:
            self._loans.take_back(grant_id)


def _orders(url: str, token: str, state: Path, data_dir: Path) -> bytes:
    """Return the line that the child reads first (`instar.node.local.LocalOrders`)."""
    orders = {"url": url, "token": token, "state": str(state), "name": LOCAL, "hidden": [str(data_dir)]}
    return msgspec.json.encode(orders) + b"\n"
