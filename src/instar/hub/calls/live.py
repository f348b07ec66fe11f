"""A call under way: its record, its output, who waits for it, and what happened to it since its task last looked."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from instar.bus.fanout import Fanout
from instar.hub.execution import Executor
from instar.wire.approvals import Approval
from instar.wire.calls import Call, CallError, CallState
from instar.wire.codes import CODES
from instar.wire.execution import Outcome, Start
from instar.wire.limits import CALL_KILL_GRACE_S, CALL_OBEY_S, LINK_CREDIT_BYTES

from .audience import Audience
from .feeding import CallInput
from .machine import ENDED, Move
from .outputs import CHANNELS, Outputs
from .policy import CallPolicy
from .records import CallRecord
from .telling import Telling
from .times import Changes, Timers

_GRANT_STEP_BYTES = LINK_CREDIT_BYTES // 4
"""Credit is given in steps: short output needs none."""


AWAY = frozenset({"node_away", "timeout"})
"""Codes of an executor that may or may not have heard what it was asked."""
T = TypeVar("T")


class Wish(NamedTuple):
    """Why a call is to end that has not ended by itself."""

    move: Move
    code: str
    message: str


class Ending(NamedTuple):
    """How a call ends."""

    move: Move
    error: CallError | None = None
    outcome: Outcome | None = None
    is_owed: bool = False
    """Its executor does not know of it."""


class OverError(Exception):
    """The call is at its end, wherever its task was."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.move)
        self.ending = ending


def wished(wish: Wish, *, is_owed: bool = False, note: str = "") -> Ending:
    """Return the end that was wished for."""
    return Ending(wish.move, call_error(wish.code, f"{wish.message}; {note}" if note else wish.message), None, is_owed)


def call_error(code: str, message: str, hint: str = "") -> CallError:
    """Return why a call did not end well, with the next step of the code unless there is a nearer one."""
    return CallError(code, message, hint or CODES[code].hint)


class Live:
    """One call that has not ended. Its task alone moves it; everybody else leaves word here.

    Args:
        record: The call as it is stored.
        policy: How much of its output is stored, and how long it goes on unwatched if it minds.
    """

    def __init__(self, record: CallRecord, outputs: Outputs, fanout: Fanout, policy: CallPolicy) -> None:
        self.record = record
        self.output = outputs.open(record.id, policy.output_max_bytes, self._stored)
        self.waits_for = ""
        self.news = asyncio.Event()
        """Something below changed; the call's task looks."""
        self.task: asyncio.Task[None] | None = None
        self.turn = ""
        """The target on which it holds a turn."""
        self.timers = Timers()
        self._overdue: asyncio.TimerHandle | None = None
        self._is_interruptible = False
        self._is_patient = False
        self.executor: Executor | None = None
        """Who runs it, once it was dispatched and while it is reached."""
        self.sink: Sink | None = None
        self.start: Start | None = None
        """What its executor was told."""
        self.seen = -1
        """How often its target had come back when it was last tried in vain."""
        self.outcome: Outcome | None = None
        self.is_recovered = False
        """Whether an earlier process of the hub dispatched it."""
        self.is_early = False
        """Whether the hub has just started, so that its target may not have come back yet."""
        self.severed = ""
        """Why its executor is not reached; empty while it is."""
        self.wish: Wish | None = None
        self.has_given_up = False
        """Whether the time for its executor to obey is over."""
        self.approval: Approval | None = None
        """The last word on its approval."""
        self.final: Call | None = None
        """The call at its end."""
        self._unwatched_s = policy.unwatched_s if record.request.ends_unwatched else 0.0
        self.watches = Audience(self._unwatched_s, self._is_deserted)
        self.input = CallInput(record.id, has_input=record.request.has_input, is_kept=record.request.is_queued)
        self._granted: dict[int, int] = {}
        self.changes = Changes()
        """Each move, byte and end of the call."""
        self._telling = Telling(fanout, record.id, record.home)

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.id

    @property
    def state(self) -> CallState:
        """Where it stands."""
        return self.record.state

    @property
    def outlasts_absence(self) -> bool:
        """Whether it waits for a target that is not reached before it is sent."""
        return self.record.request.is_queued or self.is_early

    def view(self) -> Call:
        """Return the call as callers see it now."""
        if self.final is not None:
            return self.final
        call = self.record.view()
        return replace(call, waits_for=self.waits_for) if self.waits_for else call

    def become(self, record: CallRecord, waits_for: str = "") -> None:
        """Take what is on disk now, and wake who waits for a change."""
        self.record, self.waits_for = record, waits_for
        self.changes.tell()

    def end(self, call: Call) -> None:
        """Say that it has ended to whoever waits and watches."""
        self._telling.flush()
        self.final = call
        self.input.close()
        self.waits_for = ""
        self.timers.stop()
        self.changes.tell()
        self.watches.dismiss()
        for watch in self.watches:
            watch.ended(call)

    # What others want

    def stop(self, wish: Wish) -> None:
        """Let the call end; a wish that it has already stands."""
        if self.wish is not None or self.record.state in ENDED:
            return
        self.wish = wish
        self.news.set()
        if self._is_interruptible and self.task is not None:
            self.task.cancel()

    def wait_at_most(self, wait_s: float) -> None:
        """Let the call expire if it has not been sent so long after it first waits."""
        if not self._is_patient:
            self._is_patient = True
            self.timers.at(wait_s, partial(self.stop, Wish(Move.EXPIRE, "expired", "it waited too long")))

    async def interruptibly(self, work: Awaitable[T]) -> T:
        """Await something that a wish to end the call may break off; only its own task does, before it is sent.

        Raises:
            OverError: It is wished to end.
        """
        self._is_interruptible = True
        try:
            return await work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self.wish is None or task is None:
                raise
            task.uncancel()
            raise OverError(wished(self.wish)) from None
        finally:
            self._is_interruptible = False

    async def heard(self) -> None:
        """Wait for news; only its own task does, before it is sent.

        Raises:
            OverError: It is wished to end.
        """
        if self.wish is None:
            await self.news.wait()
        self.news.clear()
        self.check_wish()

    def check_wish(self) -> None:
        """Go no further when it is wished to end.

        Raises:
            OverError: It is.
        """
        if self.wish is not None:
            raise OverError(wished(self.wish))

    def expect_end(self, left_s: float) -> None:
        """Let the call expire when its executor, who is reached, should long have ended it; only if it has a limit."""
        if self._overdue is not None:
            self._overdue.cancel()
        if self.record.request.timeout_s:
            self._overdue = self.timers.at(max(left_s, 0.0) + CALL_KILL_GRACE_S + CALL_OBEY_S, self._is_overdue)

    def _is_overdue(self) -> None:
        # While its executor is away it may have ended in time: that is asked when it is back.
        if not self.severed:
            limit_s = self.record.request.timeout_s
            self.stop(Wish(Move.EXPIRE, "timeout", f"it ran longer than {limit_s:g} s"))

    def _is_deserted(self) -> None:
        self.stop(Wish(Move.EXPIRE, "expired", f"nobody watched it for {self._unwatched_s:g} s"))

    def give_up(self) -> None:
        """Wait for the executor no longer."""
        self.has_given_up = True
        self.news.set()

    def wait_early(self, wait_s: float) -> None:
        """Let a call of an earlier process wait so long for its target to come back."""
        self.is_early = True
        self.timers.at(wait_s, self._no_longer_early)

    def _no_longer_early(self) -> None:
        self.is_early = False
        self.news.set()

    def decided(self, approval: Approval) -> None:
        """Take a decision on its approval."""
        self.approval = approval
        self.news.set()

    def let_input(self) -> None:
        """Say how far input is taken to whoever writes it."""
        for watch in self.watches:
            watch.input_allowed(self.input.upto)
        self.changes.tell()

    # Its output

    def extent(self, channel: int) -> tuple[int, int]:
        """Return how far a channel is stored, and how far it is stored or thrown away."""
        stream = self.output.stream(channel)
        return stream.stored, stream.settled

    def took(self, channel: int, offset: int, content: bytes | memoryview) -> None:
        """Take output from the executor."""
        if channel not in CHANNELS:
            return
        stream = self.output.stream(channel)
        at = max(offset, stream.taken)
        if new := stream.take(offset, content):
            for watch in self.watches:
                watch.offer(channel, at, new)
            self._telling.took(channel, at, new)

    def _stored(self, channel: int) -> None:
        settled = self.output.stream(channel).settled
        upto = settled + LINK_CREDIT_BYTES
        if self.executor is not None and upto - self._granted.get(channel, LINK_CREDIT_BYTES) >= _GRANT_STEP_BYTES:
            self._granted[channel] = upto
            self.executor.allow(self.id, channel, upto)
        for watch in self.watches:
            watch.stored()
        self.changes.tell()

    def began_anew(self) -> None:
        """Grant credit anew: the way to the executor is another one."""
        self._granted.clear()


class Sink:
    """What an executor tells of one call, by one way; what comes by an older way is not heard."""

    def __init__(self, live: Live, stream: Callable[[], None]) -> None:
        self._live = live
        self._stream = stream

    def started(self) -> None:
        """The process runs."""
        if self._live.sink is self:
            self._stream()

    def output(self, channel: int, offset: int, content: bytes | memoryview) -> None:
        """Take bytes of a channel."""
        if self._live.sink is self:
            self._stream()
            self._live.took(channel, offset, content)

    def allowed(self, upto: int) -> None:
        """The executor takes the call's input up to this offset."""
        if self._live.sink is self and self._live.input.taken(upto):
            self._live.let_input()

    def ended(self, outcome: Outcome) -> None:
        """The call has ended."""
        if self._live.sink is self and self._live.outcome is None:
            self._live.outcome = outcome
            self._live.news.set()

    def severed(self, reason: str) -> None:
        """The way to the executor broke."""
        if self._live.sink is self and self._live.outcome is None:
            self._live.severed = reason or "the link broke"
            self._live.news.set()
