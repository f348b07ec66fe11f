"""The node of the hub's own machine: a child of the hub, which gives it its orders on standard input.

Run as `python -m instar.node.local`. The first line of standard input is `LocalOrders` as JSON: the token is neither
in the arguments nor in the environment. Standard input stays open; when it ends, the hub is gone, and the node ends
with everything that it runs.
"""

import asyncio
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from instar.base.errors import InstarError
from instar.client.serving import NodeConnection, Service, open_node
from instar.wire.execution import Declaration
from instar.wire.limits import NODE_CALLS_MAX

from . import sandbox
from .allow import Allowed
from .environment import own_account
from .executor import Machine
from .grants import Grants
from .link import NodeProgram
from .main import crashed, log_to, refusal, run_loop, until_stopped
from .preparing import Place
from .speaking import Speaker
from .telemetry.sampler import Sampler

_ORDERS_MAX_BYTES = 65_536
_FINAL = frozenset(("unauthorized", "forbidden"))


class LocalOrders(Struct, frozen=True, forbid_unknown_fields=True):
    """What the hub tells the node of its own machine."""

    url: str
    """Of the hub, `unix:/PATH`."""
    token: str
    state: str
    """Folder of the node's own, within the hub's data directory."""
    name: str = "local"
    working_dir: str = ""
    """Empty: the account's home."""
    roots: list[str] = []
    """Empty: the working directory."""
    commands: list[str] = msgspec.field(default_factory=lambda: ["*"])
    hidden: list[str] = []
    """Folders that no tool and no sandboxed program sees: the hub's data directory."""
    concurrency: int = NODE_CALLS_MAX
    timeout_s: float = 0.0
    """Longest run of a command; 0: what the call says."""


def main() -> int:
    """Read the orders and serve the hub until it is gone; return the exit code."""
    log_to(sys.stderr.write)
    try:
        orders = msgspec.json.decode(sys.stdin.buffer.readline(_ORDERS_MAX_BYTES), type=LocalOrders)
    except msgspec.DecodeError as error:
        sys.stderr.write(f"the hub's orders cannot be read: {error}\n")
        return 2
    try:
        return run_loop(run_local(orders))
    except InstarError as error:
        sys.stderr.write(refusal(error) + "\n")
        return 1


async def run_local(orders: LocalOrders) -> int:
    """Serve the hub on this machine until its end of standard input closes.

    Raises:
        InstarError: `conflict` when another node uses the folder; a root cannot be opened.
    """
    account = own_account()
    working_dir = orders.working_dir or account.home
    allowed = Allowed(orders.commands, orders.roots or [working_dir])
    hidden = [orders.state, *orders.hidden]
    place = Place("local", account, working_dir, orders.timeout_s, hidden)
    grants = Grants(lambda: allowed, [Path(each) for each in hidden])
    machine = Machine(place, Path(orders.state), grants, calls_max=orders.concurrency, on_crash=crashed)
    speaker = Speaker(
        lambda: allowed,
        account,
        Sampler({}, account.path, calls_running=lambda: machine.running),
        name=orders.name,
        labels={},
        working_dir=working_dir,
        sandboxes=await asyncio.to_thread(sandbox.available),
        concurrency=orders.concurrency,
    )

    async def dial(declaration: Declaration, service: Service) -> NodeConnection:
        return await open_node(orders.url, orders.token, declaration, service)

    await machine.open()
    program = NodeProgram(machine, dial, speaker, is_final=lambda error: error.code in _FINAL)
    return await until_stopped(machine, program, _end_of_input())


async def _end_of_input() -> None:
    """Wait until nobody holds the other end of standard input."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    while await reader.read(1_024):
        pass


if __name__ == "__main__":
    sys.exit(main())
