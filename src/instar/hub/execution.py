"""The seam between the gate and whatever carries a call out. Nodes, SSH targets and dialects' nodes fulfil it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from instar.policy.routing import TargetFacts
from instar.wire.execution import CallOrder, LedgerEntry, Outcome, Preparation, Prepared, Sandbox, Start


class CallSink(Protocol):
    """Where an executor puts what comes of a call. Its methods do not block and do not raise."""

    def started(self) -> None:
        """The process runs."""
        ...

    def output(self, channel: int, offset: int, content: bytes | memoryview) -> None:
        """Take bytes of a channel, in order; what was taken before is dropped. Answered by `Executor.allow`."""
        ...

    def allowed(self, upto: int) -> None:
        """The executor takes the call's input up to this offset; before it says so, `LINK_CREDIT_BYTES` of it."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """The call has ended; all of its output came before. A repeat changes nothing."""
        ...

    def severed(self, reason: str) -> None:
        """The way to the executor broke; `Executor.recall` says later what became of the call."""
        ...


class Executor(Protocol):
    """One target that can carry calls out. What awaits raises `InstarError` `node_away` when it cannot be reached.

    It keeps a ledger by call id where it can (`recall`), so that a call starts at most once whatever is repeated.
    """

    @property
    def target_id(self) -> str:
        """Its id: of a device, `local`, or `ssh:ID`."""
        ...

    @property
    def keeps_ledger(self) -> bool:
        """Whether `recall` knows of calls from before a break; without, a severed call is lost."""
        ...

    @property
    def calls_max(self) -> int:
        """How many calls it takes at once."""
        ...

    async def prepare(self, preparation: Preparation) -> Prepared:
        """Resolve what would run. Nothing runs.

        Raises:
            InstarError: `command_refused`, `outside_roots`, `not_found`, `unprocessable_entity`, `node_away` …
        """
        ...

    async def start(self, start: Start, sink: CallSink) -> None:
        """Run exactly what was prepared; return once it is known to have begun (or was begun before).

        Raises:
            InstarError: `plan_changed`; as `prepare`. Nothing ran then. `timeout` and `node_away`: it may have begun.
        """
        ...

    async def order(self, method: str, order: CallOrder) -> None:
        """`cancel`, `signal`, `resize` or `close_input` a running call; of one that has ended nothing is wrong."""
        ...

    def write(self, call_id: str, offset: int, content: bytes) -> None:
        """Send bytes to the call's standard input."""
        ...

    def allow(self, call_id: str, channel: int, upto: int) -> None:
        """Let output of a channel come up to this offset; at first, `LINK_CREDIT_BYTES` may come."""
        ...

    async def recall(self, call_ids: Sequence[str]) -> list[LedgerEntry]:
        """Return what the ledger says of these calls."""
        ...

    async def resume(self, call_id: str, offsets: Mapping[int, int], sink: CallSink) -> None:
        """Go on with the output of a call that still runs, or its outcome, from these offsets; its input too."""
        ...

    def settle(self, call_id: str) -> None:
        """The outcome is on disk: the ledger need not repeat it."""
        ...


class TargetSource(Protocol):
    """Somebody who knows targets: `hub.nodes`, `hub.ssh`."""

    def targets(self) -> Sequence[TargetFacts]:
        """Return what can be chosen, connected or not."""
        ...

    def target(self, target_id: str) -> TargetFacts | None:
        """Return one of them by its id, at no greater cost however many there are."""
        ...

    def executor(self, target_id: str) -> Executor | None:
        """Return the executor of a target that can be reached now."""
        ...

    def permits(self, target_id: str, tool: str, agent_id: str) -> str:
        """Return why this may not be asked of the target; empty when it may."""
        ...

    def env_allowed(self, target_id: str) -> Sequence[str]:
        """Return the names beyond `TERM`, `LANG` and `LC_*` that may be forwarded to it."""
        ...

    def sandboxes(self, target_id: str) -> Collection[Sandbox]:
        """Return the kinds of sandbox that the target offers."""
        ...

    def on_connected(self, callback: Callable[[str], None]) -> None:
        """Call back on the loop, with its id, each time that a target can be reached (again); `executor` has it then.

        Sources whose targets can always be tried never call back.
        """
        ...
