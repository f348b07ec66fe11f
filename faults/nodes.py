"""A machine that is a node of a hub, let in as an operator would, behind a proxy that can cut its link."""

import asyncio
import contextlib
from pathlib import Path

from faults.hub import Hub
from instar.client import device
from instar.client.http import Client
from instar.client.pins import Pin
from instar.node.allow import Allowed
from instar.node.allow import save as permit
from instar.node.config import NodeConfig, NodeFolder
from instar.wire import signatures

ROLE = "node"


class Cutter:
    """A TCP proxy in front of a hub whose connections can be cut at any moment, without a word."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.is_open = True
        self.cuts = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Break every connection at once, as a network does: no close frame, what is on its way is lost."""
        self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_open:
            writer.transport.abort()
            return
        try:
            onward = await asyncio.open_connection("127.0.0.1", self._hub.port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, onward[1]}
        for source, target in ((reader, onward[1]), (onward[0], writer)):
            task = asyncio.get_running_loop().create_task(_pass_on(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while content := await source.read(65_536):
            target.write(content)
            await target.drain()
    target.transport.abort()


def operator(hub: Hub) -> Client:
    """Return the local operator's client."""
    return Client(f"http://127.0.0.1:{hub.port}", hub.token)


def let_in(hub: Hub, folder: NodeFolder, root: Path, port: int) -> NodeConfig:
    """Make a machine a node: key, request, approval with all that it offers, allow list. It blocks."""
    boss = operator(hub)
    boss.invoke("pairing.open", {"for_s": 600})
    url = f"http://127.0.0.1:{port}"
    client, seed = Client(url), device.seed_at(folder.key)
    pin = Pin(role=ROLE)
    handshake = device.begin(client, seed, pin)
    facts = {**device.own_facts("faults"), "client_id": "instar-node", "client_mode": ROLE}
    request = device.ask(client, seed, handshake, role=ROLE, scopes=[ROLE], facts=facts)
    boss.invoke("nodes.approve", {"request_id": request["id"], "permit": {"commands": ["*"]}})
    permit(folder.allow, Allowed(["*"], [str(root)]))
    return NodeConfig(
        url, "faults", working_dir=str(root), hub_id=handshake.hub_id, hub_key=handshake.hub_key,
        device_id=signatures.device_id(signatures.public_key_of(seed)),
    )  # fmt: skip


def allow_all(hub: Hub) -> None:
    """Let every line of the test run without a question."""
    operator(hub).invoke("approvals.add_rule", {"rule": {"tool": "*", "value": "*", "action": "allow"}})
