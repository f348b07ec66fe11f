"""A machine to try calls on, and somewhere for their bytes to go."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from instar.node.allow import Allowed
from instar.node.environment import own_account
from instar.node.executor import Machine
from instar.node.grants import Grants
from instar.node.preparing import Place
from instar.wire.execution import Outcome, Preparation, Start
from instar.wire.limits import LINK_CREDIT_BYTES

END_S = 20.0


class Taken:
    """Takes a call's output, and grants more as it comes unless told not to."""

    def __init__(self, machine: Machine, call_id: str, *, grants: bool = True) -> None:
        self.machine = machine
        self.call_id = call_id
        self.grants = grants
        self.content: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
        self.credits: list[int] = []
        self.outcomes: list[Outcome] = []
        self.stirred = asyncio.Event()

    def chunk(self, channel: int, offset: int, content: bytes | memoryview) -> None:
        assert offset == len(self.content[channel]), "a chunk out of turn"
        self.content[channel] += content
        if self.grants:
            self.machine.allow(self.call_id, channel, offset + len(content) + LINK_CREDIT_BYTES)
        self.stirred.set()

    def credit(self, upto: int) -> None:
        self.credits.append(upto)
        self.stirred.set()

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.stirred.set()

    @property
    def out(self) -> bytes:
        return bytes(self.content[1])

    @property
    def err(self) -> bytes:
        return bytes(self.content[2])

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(END_S):
            while not holds():
                self.stirred.clear()
                await self.stirred.wait()

    async def end(self) -> Outcome:
        await self.until(lambda: self.outcomes)
        return self.outcomes[0]


class Bench:
    """A machine with folders of its own, and short words for what tests ask of it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.root.mkdir(exist_ok=True)
        self.state = folder / "state"
        self.allowed = Allowed(commands=["*"], roots=[str(self.root)], env=["FLAVOUR"])
        self.crashes: list[BaseException] = []
        self.machine = self.made()
        self._last = 0

    def made(self, **options: Any) -> Machine:
        place = Place("node_1", own_account(), str(self.root), options.pop("timeout_s", 60.0), [str(self.state)])
        grants = Grants(lambda: self.allowed, [self.state] if self.state.exists() else [])
        return Machine(place, self.state, grants, on_crash=lambda _name, error: self.crashes.append(error), **options)

    def asked(self, tool: str, args: dict[str, Any], **options: Any) -> Preparation:
        self._last += 1
        call_id = options.pop("call_id", f"call_{self._last}")
        return Preparation(call_id, tool, msgspec.Raw(msgspec.json.encode(args)), **options)

    async def begin(self, preparation: Preparation, *, grants: bool = True, deadline_s: float = 0.0) -> Taken:
        prepared = await self.machine.prepare(preparation)
        taken = Taken(self.machine, preparation.call_id, grants=grants)
        await self.machine.start(Start(preparation, prepared.digest, deadline_s), taken)
        return taken

    async def run(self, tool: str, args: dict[str, Any], **options: Any) -> Taken:
        taken = await self.begin(self.asked(tool, args, **options))
        await taken.end()
        return taken

    async def shell(self, line: str, **options: Any) -> Taken:
        return await self.run("shell", {"command": line}, **options)


@contextlib.asynccontextmanager
async def bench_in(folder: Path) -> AsyncIterator[Bench]:
    bench = Bench(folder)
    await bench.machine.open()
    try:
        yield bench
    finally:
        await bench.machine.close()
        assert bench.crashes == []


def alive(mark: str) -> list[int]:
    """Return the processes whose command line holds this mark."""
    found: list[int] = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                if (
                    mark.encode() in (path / "cmdline").read_bytes()
                    and b"State:\tZ" not in (path / "status").read_bytes()
                ):
                    found.append(int(path.name))
    return found


async def until_alive(mark: str, count: int) -> None:
    """Wait until so many processes have this mark."""
    async with asyncio.timeout(END_S):
        while len(alive(mark)) < count:  # noqa: ASYNC110 - no event tells of other processes
            await asyncio.sleep(0.01)


async def until_gone(mark: str) -> None:
    """Wait until no process has this mark."""
    async with asyncio.timeout(END_S):
        while alive(mark):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
