"""Files to a node and from it, piece by piece: each piece is a call of its own, and a cut one goes on where it stopped.

What is fetched grows in a hidden file beside its target and takes the target's name once its digest is right.
"""

import asyncio
import hashlib
import os
import sys
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from instar.base.backoff import full_jitter
from instar.client.errors import HubError
from instar.client.link import Link
from instar.client.watching import CallWatch

from .execution import tty
from .execution.asking import Decider
from .session import Session

PIECE_BYTES = 33_554_432
"""Of one call; the hub keeps twice as much of a call's output."""
PIECE_S = 900.0
TRIES = 6
"""So often is a piece begun that a broken way ends."""
_BLOCK_BYTES = 262_144
_TRANSIENT = frozenset(("node_away", "unreachable", "timeout", "overloaded"))
_RETRY_BASE_S, _RETRY_MAX_S = 0.5, 8.0
_STDOUT = 1


class Copied(NamedTuple):
    """What was copied."""

    source: str
    target: str
    size_bytes: int
    sha256: str


class Copying:
    """One file, one way.

    Args:
        session: The hub and the person.
        link: An open link to the hub.
        node: The node, as it was typed.
        says_yes: Approve what the caller may approve.
        tell: Is told how many bytes of how many are there.
    """

    def __init__(
        self, session: Session, link: Link, node: str, *, says_yes: bool, tell: Callable[[int, int], None]
    ) -> None:
        self._link = link
        self._node = node
        self._tell = tell
        ask = _ask if session.may_ask and not says_yes else None
        self._decider = Decider(link, ask, session.output.note, says_yes=says_yes)

    async def put(self, source: Path, target: str, *, resume: bool) -> Copied:
        """Send a file.

        Raises:
            HubError: Why it cannot be sent, or not now.
        """
        size, digest, mode = await asyncio.to_thread(_facts, source)
        args = {"path": target, "size_bytes": size, "sha256": digest, "mode": mode}
        begin = await self._held(args) if resume else 0
        while True:
            done = await self._again(partial(self._send, source, args), begin, lambda: self._held(args))
            begin = int(done.get("size_bytes", 0))
            self._tell(begin, size)
            if done.get("is_complete"):
                return Copied(str(source), f"{self._node}:{done['path']}", size, digest)

    async def get(self, source: str, target: Path, *, resume: bool) -> Copied:
        """Fetch a file.

        Raises:
            HubError: As `put`; `conflict` when the file changed on the way.
        """
        begun = target.with_name(f".{target.name}.part")
        begin = begun.stat().st_size if resume and begun.exists() else 0
        known: dict[str, Any] = {}

        async def held() -> int:
            return begun.stat().st_size

        with begun.open("r+b" if begin else "wb") as file:
            while not known or begin < known["size_bytes"]:
                fetch = partial(self._fetch, source, file.fileno(), str(known.get("sha256", "")))
                known = await self._again(fetch, begin, held)
                begin = begun.stat().st_size
                self._tell(begin, known["size_bytes"])
            file.flush()
            os.fsync(file.fileno())
        if await asyncio.to_thread(_digest, begun) != known["sha256"]:
            begun.unlink()
            raise HubError("conflict", f"{source} changed while it was fetched", hint="Fetch it again.")
        begun.chmod(known.get("mode", 0o644))
        begun.replace(target)
        return Copied(f"{self._node}:{known['path']}", str(target), begin, known["sha256"])

    async def _again(
        self, piece: Callable[[int], Awaitable[dict[str, Any]]], begin: int, held: Callable[[], Awaitable[int]]
    ) -> dict[str, Any]:
        """Carry a piece over, however often the way breaks."""
        delays = full_jitter(_RETRY_BASE_S, _RETRY_MAX_S)
        for left in reversed(range(TRIES)):
            try:
                return await piece(begin)
            except HubError as error:
                if error.code not in _TRANSIENT or not left:
                    raise
            await asyncio.sleep(next(delays))
            begin = await held()
        raise AssertionError

    async def _held(self, args: dict[str, Any]) -> int:
        """Ask how much of a file is on the node already."""
        ended = await self._call("put_file", {**args, "offset": args["size_bytes"]}, None, None)
        return int(ended["result"].get("size_bytes", 0))

    async def _send(self, source: Path, args: dict[str, Any], begin: int) -> dict[str, Any]:
        async def feed(watch: CallWatch) -> None:
            with source.open("rb") as file:
                file.seek(begin)
                left = PIECE_BYTES
                while left and (block := await asyncio.to_thread(file.read, min(_BLOCK_BYTES, left))):
                    await watch.write(block)
                    left -= len(block)
            watch.close_input()

        ended = await self._call("put_file", {**args, "offset": begin}, feed, None)
        return ended["result"]

    async def _fetch(self, source: str, file: int, digest: str, begin: int) -> dict[str, Any]:
        args = {"path": source, "offset": begin, "limit_bytes": PIECE_BYTES, "sha256": digest}
        at = begin

        def take(offset: int, content: bytes) -> None:
            nonlocal at
            if begin + offset != at:
                raise HubError("output_gone", "the hub kept less of the file than it was sent", hint="Fetch it again.")
            at += os.pwrite(file, content, at)

        ended = await self._call("get_file", args, None, take)
        return ended["result"]

    async def _call(
        self,
        tool: str,
        args: dict[str, Any],
        feed: Callable[[CallWatch], Awaitable[None]] | None,
        take: Callable[[int, bytes], None] | None,
    ) -> dict[str, Any]:
        """Carry one call out and return how it ended.

        Raises:
            HubError: Why it did not end well.
        """
        asked = {"tool": tool, "args": args, "target": self._node, "has_input": feed is not None, "timeout_s": PIECE_S}
        call = await self._link.call("calls.start", asked, key=f"cp-{uuid.uuid4()}")
        async with self._link.watch(call["id"]) as watch:
            beside = [asyncio.create_task(self._settle(call))]
            if feed is not None:
                beside.append(asyncio.ensure_future(feed(watch)))
            try:
                async for output in watch.outputs():
                    if take is not None and output.channel == _STDOUT:
                        await asyncio.to_thread(take, output.offset, output.content)
                ended = await watch.call()
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
        if ended["state"] != "done":
            error: dict[str, str] = ended.get("error") or {"code": "cancelled", "message": f"it is {ended['state']}"}
            raise HubError(error["code"], error["message"], hint=error.get("hint", ""))
        return ended

    async def _settle(self, call: dict[str, Any]) -> None:
        """Decide about a call that waits, as far as the caller may."""
        while call["state"] == "admitted":
            await asyncio.sleep(0.02)
            call = await self._link.call("calls.get", {"call_id": call["id"]})
        if call["state"] == "awaiting_approval":
            await self._decider.decide(call["id"])


def _facts(source: Path) -> tuple[int, str, int]:
    state = source.stat()
    return state.st_size, _digest(source), state.st_mode & 0o777


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _ask(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    return await tty.Input().line()
