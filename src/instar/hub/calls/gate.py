"""What the dispatch asks of approvals: may this run, and if a person must say so, ask one."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from instar.policy.routing import TargetFacts
from instar.wire.approvals import Approval, Verdict
from instar.wire.execution import Prepared

from .records import CallRecord


class Asked(NamedTuple):
    """A call as it is judged."""

    call: CallRecord
    prepared: Prepared
    target: TargetFacts
    is_lax: bool
    """An agent asks for less of a sandbox than it would have by default: no rule allows that."""


class Gate(Protocol):
    """Rules and approvals."""

    def judge(self, asked: Asked) -> Verdict:
        """Return what the rules say."""
        ...

    async def request(self, asked: Asked, verdict: Verdict) -> Approval:
        """Ask for an approval, once for each call: a repeat returns it as it stands.

        Raises:
            InstarError: `overloaded`: too many wait; `plan_changed`: the one that was asked for is of another plan.
        """
        ...

    def on_decided(self, callback: Callable[[Approval], None]) -> None:
        """Call back on the loop with each approval that waits no more."""
        ...

    async def cancel(self, call_id: str, reason: str) -> None:
        """Withdraw the approval of a call that has ended. One that does not wait is no error."""
        ...
