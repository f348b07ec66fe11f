"""The node program: `instar node run` and the service call `run`; the hub's own machine runs `instar.node.local`."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from instar.base.errors import InstarError
from instar.client import device
from instar.client.http import Client
from instar.client.pins import Pin
from instar.client.serving import NodeConnection, Service, open_node
from instar.client.trust import Trust
from instar.wire.execution import Declaration

from . import sandbox
from .allow import AllowList
from .config import NodeConfig, NodeFolder
from .environment import own_account
from .executor import Machine
from .grants import Grants
from .link import NodeProgram
from .preparing import Place
from .speaking import Speaker
from .standing import StandingFile
from .telemetry.sampler import Sampler

ROLE = "node"
_log = structlog.get_logger("instar.node")


def run(folder: NodeFolder, config: NodeConfig, environ: Mapping[str, str]) -> int:
    """Serve the hub until SIGTERM or SIGINT; return the exit code. It comes back to the hub for ever.

    Raises:
        InstarError: `conflict` when a node runs with this folder already; what it permits cannot be read.
    """
    log_to(sys.stderr.write)
    return run_loop(serve(folder, config, environ))


async def serve(folder: NodeFolder, config: NodeConfig, environ: Mapping[str, str]) -> int:
    """Serve the hub until the process is told to stop; calls that run then are ended, and the hub is told.

    Raises:
        InstarError: As `run`.
    """
    account = own_account()
    allowed = AllowList(folder.allow)
    working_dir = config.working_dir or account.home
    place = Place(config.device_id, account, working_dir, config.timeout_s, [str(folder.path)])
    machine = Machine(
        place, folder.state, Grants(allowed.current, [folder.path]), calls_max=config.concurrency, on_crash=crashed
    )
    sampler = Sampler(environ, account.path, calls_running=lambda: machine.running)
    speaker = Speaker(
        allowed.current,
        account,
        sampler,
        name=config.name,
        labels=config.labels,
        working_dir=working_dir,
        sandboxes=await asyncio.to_thread(sandbox.available),
        concurrency=config.concurrency,
        own_id=config.node_id,
    )
    await machine.open()
    board = StandingFile(folder.standing, config.url)
    try:
        return await until_stopped(machine, NodeProgram(machine, dialer(folder.key, config), speaker, board=board))
    finally:
        board.close()


def dialer(key: Path, config: NodeConfig) -> Callable[[Declaration, Service], Awaitable[NodeConnection]]:
    """Return how this node connects: the hub proves its key, the node proves its own, each time anew."""
    trust = Trust(config.certificate, config.ca_file)._replace(
        ca_file=config.ca_file, certificate=config.certificate, source="the pairing with it"
    )
    pin = Pin(config.certificate, config.hub_id, config.hub_key, config.device_id, ROLE)

    def sign_in() -> str:
        client = Client(config.url, trust=trust)
        seed = device.seed_at(key)
        session = device.sign_in(client, seed, device.begin(client, seed, pin), role=ROLE)
        return str(session["token"])

    async def dial(declaration: Declaration, service: Service) -> NodeConnection:
        token = await asyncio.to_thread(sign_in)
        return await open_node(config.url, token, declaration, service, trust=trust)

    return dial


async def until_stopped(machine: Machine, program: NodeProgram, *also: Awaitable[object]) -> int:
    """Run a program until SIGTERM, SIGINT, its own end, or that of what is waited for besides; close the machine.

    The link stays until the machine has ended its calls: what became of them is still told.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = loop.create_task(program.run(), name="node")
    waiting: list[asyncio.Future[Any]] = [
        serving,
        loop.create_task(stop.wait()),
        *(asyncio.ensure_future(each) for each in also),
    ]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        failure = serving.result() if serving.done() else None
        await machine.finish("the node was stopped")
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await machine.close()
    if failure is not None:
        _log.error("node ended", code=failure.code, error=failure.message, hint=failure.hint)
    return 0 if failure is None else 1


def run_loop(work: "asyncio.Future[int] | Awaitable[int]") -> int:
    """Run to the end on the fastest loop that there is."""

    async def whole() -> int:
        return await work

    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 - optional

        return uvloop.run(whole())
    return asyncio.run(whole())


def log_to(write: Callable[[str], object]) -> None:
    """Write one line an event, to where a service's output goes."""

    class Lines:
        """As structlog wants a logger."""

        def msg(self, message: str) -> None:
            """Write a line."""
            write(message + "\n")

        log = debug = info = warning = error = critical = exception = failure = fatal = msg

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: Lines(),
        cache_logger_on_first_use=False,
    )


def crashed(name: str, error: BaseException) -> None:
    """Log a defect of ours; the other calls go on."""
    _log.error("task failed", task=name, error=repr(error))


def refusal(error: InstarError) -> str:
    """Return an error as a line for a person."""
    return f"{error.message}\n  {error.hint}" if error.hint else error.message
