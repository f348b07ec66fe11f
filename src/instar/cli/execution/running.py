"""One call from its request to its end, with the terminal as its streams."""

import asyncio
import contextlib
import signal
import sys
import uuid
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any

from instar.base.backoff import full_jitter
from instar.cli.session import Session
from instar.client.errors import HubError, UnreachableError
from instar.client.link import Link
from instar.client.watching import CallWatch

from . import tty
from .asking import Decider
from .escapes import Escapes, Leave

_POLL_BASE_S = 0.02
_POLL_MAX_S = 0.5
_BREAK_TELL_S = 3.0
_BREAK_MAX_S = 600.0
"""A hub that is gone for this long is waited for no more."""
_RETRY_BASE_S = 0.1
_RETRY_MAX_S = 2.0
_STDOUT = 1
_WAITING = ("admitted", "awaiting_approval")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a call is run from here."""

    has_input: bool = False
    has_terminal: bool = False
    is_background: bool = False
    is_streamed: bool = True
    """Whether output is written as it comes."""
    says_yes: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of it."""

    call: dict[str, Any]
    interrupted_by: int = 0
    has_left: bool = False
    """The call goes on without anybody here."""


class Running:
    """A call and whoever asked for it.

    Args:
        session: The hub and the person.
        asked: Parameters of `calls.start`.
        manner: How.
    """

    def __init__(self, session: Session, asked: dict[str, Any], manner: Manner) -> None:
        self._session = session
        self._asked = asked
        self._manner = manner
        self._say = session.output.note
        self._runs = asyncio.Event()
        self._left = asyncio.Event()
        self._interrupted_by = 0
        self._call: dict[str, Any] = {}
        self._jobs: set[asyncio.Task[None]] = set()

    async def run(self) -> Finished:
        """Ask for the call and stay with it until it ends, runs in the background, or the person leaves.

        Raises:
            HubError: The hub's refusal; `UnreachableError` when it cannot be reached.
            BrokenPipeError: Nobody reads the output any more; the call was cancelled.
        """
        token, _ = self._session.credential
        link = Link(
            self._session.access.url, token, feed=False, client="instar-exec", trust=self._session.trust
        )  # fmt: skip
        async with link:
            self._call = await self._start(link)
            with self._signals(link):
                return await self._follow(link)

    async def _start(self, link: Link) -> dict[str, Any]:
        """Ask once, however often it takes to be heard."""
        key = f"exec-{uuid.uuid4()}"
        delays = full_jitter(_RETRY_BASE_S, _RETRY_MAX_S)
        async with asyncio.timeout(self._session.timeout_s):
            while True:
                try:
                    return await link.call("calls.start", self._asked, key=key)
                except HubError as error:
                    if error.code != "unreachable":
                        raise
                await asyncio.sleep(next(delays))

    async def _follow(self, link: Link) -> Finished:
        stdin = tty.Input()
        async with link.watch(self._call["id"]) as watch:
            end = asyncio.create_task(self._drain(link, watch))
            beside = [
                asyncio.create_task(work)
                for work in (self._settle(link, stdin), self._feed(link, watch, stdin), self._heed(link), self._leave())
            ]
            pending: set[asyncio.Task[Any]] = {end, *beside}
            try:
                while not end.done() and not self._left.is_set():
                    done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
            finally:
                for task in pending:
                    task.cancel()
                await asyncio.gather(*pending, return_exceptions=True)
            if not end.done() or end.cancelled():
                return Finished(self._call, self._interrupted_by, has_left=True)
            return Finished(end.result(), self._interrupted_by)

    async def _leave(self) -> None:
        await self._left.wait()

    async def _heed(self, link: Link) -> None:
        """Say that the link is broken, if it stays so.

        Raises:
            UnreachableError: It was for too long.
        """
        broken_s = 0.0
        while True:
            await asyncio.sleep(1.0)
            broken_s = 0.0 if link.machine() is not None else broken_s + 1.0
            if broken_s == _BREAK_TELL_S:
                self._say("The link to the hub is broken. It goes on where it was once the hub is back.")
            if broken_s >= _BREAK_MAX_S:
                raise UnreachableError(f"the hub did not come back; the call was {self._call['id']}")

    # Until it runs

    async def _settle(self, link: Link, stdin: tty.Input) -> None:
        """Stay with the call until it runs: ask for its approval, say what it waits for."""
        ask = self._ask(stdin) if self._session.may_ask and not self._manner.says_yes else None
        decider = Decider(link, ask, self._say, says_yes=self._manner.says_yes)
        wait_s, told, has_decided = _POLL_BASE_S, "", False
        while self._call["state"] in _WAITING and not self._runs.is_set():
            if self._call["state"] == "awaiting_approval" and not has_decided:
                has_decided = True
                await self._decide(decider)
                if self._manner.is_background and ask is None and not self._manner.says_yes:
                    break
            elif (reason := self._call.get("waits_for", "")) and reason != told and self._call["state"] == "admitted":
                told = reason
                self._say(f"It {reason.removeprefix('it ')}.")
                if self._manner.is_background:
                    break
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 1.5, _POLL_MAX_S)
            await self._look(link)
        self._runs.set()
        if self._manner.is_background:
            self._left.set()

    async def _decide(self, decider: Decider) -> None:
        try:
            await decider.decide(self._call["id"])
        except HubError as error:
            if error.code != "conflict":
                raise
            # Somebody else was faster, or it ended; the call itself says how.
            self._say(f"{error.message}.")

    async def _look(self, link: Link) -> None:
        """See where the call stands; while the link is broken, it stands where it was."""
        try:
            self._call = await link.call("calls.get", {"call_id": self._call["id"]})
        except HubError as error:
            if error.code != "unreachable":
                raise

    def _ask(self, stdin: tty.Input) -> Callable[[str], Coroutine[Any, Any, str]]:
        async def ask(question: str) -> str:
            sys.stderr.write(question)
            sys.stderr.flush()
            return await stdin.line()

        return ask

    # While it runs

    async def _drain(self, link: Link, watch: CallWatch) -> dict[str, Any]:
        """Write what the call writes, and return how it ended."""
        try:
            async for output in watch.outputs():
                self._runs.set()
                if self._manner.is_streamed:
                    stream = sys.stdout if output.channel == _STDOUT else sys.stderr
                    # A slow reader must not keep the link from answering the hub.
                    await asyncio.to_thread(_write, stream.buffer, output.content)
        except BrokenPipeError:
            await self._cancel(link, "nobody reads its output")
            raise
        return await watch.call()

    async def _feed(self, link: Link, watch: CallWatch, stdin: tty.Input) -> None:
        """Pass what is typed, or what a file or pipe holds."""
        if not self._manner.has_input:
            return
        await self._runs.wait()
        if self._manner.is_background:
            return
        with tty.raw() if self._manner.has_terminal else contextlib.nullcontext():
            escapes = Escapes() if self._manner.has_terminal and sys.stdin.isatty() else None
            while content := await stdin.read():
                leave = None
                if escapes is not None:
                    content, leave = escapes.feed(content)
                if content:
                    await watch.write(content)
                if leave is Leave.DETACH:
                    self._left.set()
                elif leave is Leave.END:
                    self._interrupted_by = signal.SIGINT
                    await self._cancel(link, "left at the terminal")
            watch.close_input()
            # The terminal stays raw until the call ends.
            await asyncio.Event().wait()

    async def _cancel(self, link: Link, reason: str) -> None:
        with contextlib.suppress(HubError):
            await link.call("calls.cancel", {"call_id": self._call["id"], "reason": reason})

    # Signals

    @contextlib.contextmanager
    def _signals(self, link: Link) -> Generator[None]:
        loop = asyncio.get_running_loop()
        caught: list[tuple[signal.Signals, Callable[[], None]]] = [
            (number, lambda number=number: self._interrupted(link, number))
            for number in (signal.SIGINT, signal.SIGTERM)
        ]
        if self._manner.has_terminal:
            caught.append((signal.SIGWINCH, lambda: self._resized(link)))
        for number, handler in caught:
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number, _ in caught:
                loop.remove_signal_handler(number)

    def _interrupted(self, link: Link, number: signal.Signals) -> None:
        """Once: cancel the call, and see how it ends. Again: leave."""
        if self._interrupted_by:
            self._left.set()
            return
        self._interrupted_by = number
        self._say("Cancelling it. Once more leaves it to the hub.")
        self._begin(self._cancel(link, f"interrupted at the terminal by {number.name}"))

    def _resized(self, link: Link) -> None:
        rows, columns = tty.size()
        self._begin(self._resize(link, rows, columns))

    async def _resize(self, link: Link, rows: int, columns: int) -> None:
        with contextlib.suppress(HubError):
            await link.call("calls.resize", {"call_id": self._call["id"], "rows": rows, "columns": columns})

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        job = asyncio.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)


def _write(stream: Any, content: bytes) -> None:  # noqa: ANN401 - typeshed's BinaryIO of a text stream
    stream.write(content)
    stream.flush()
