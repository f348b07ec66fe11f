"""What the dispatch asks of approvals: may this run, and if a person must say so, ask one."""

from collections.abc import Callable
from typing import Protocol

from instar.hub.approvals.asking import ApprovalDraft
from instar.policy.routing import TargetFacts
from instar.wire.approvals import Approval, Verdict
from instar.wire.execution import ReadRule


class Gate(Protocol):
    """Rules and approvals: `hub.approvals.Approvals`."""

    def judge(self, draft: ApprovalDraft) -> Verdict:
        """Return what the rules say."""
        ...

    def read_rules(self, tool: str, target: TargetFacts, agent_id: str, room: str) -> list[ReadRule]:
        """Return what an executor needs to know of what may be read; of a tool that is no search, nothing.

        Raises:
            InstarError: `unprocessable_entity`: too many rules say it.
        """
        ...

    async def request(self, draft: ApprovalDraft) -> Approval:
        """Ask for an approval, once for each call: a repeat returns it as it stands.

        Raises:
            InstarError: `overloaded`: too many wait; `plan_changed`: the one that was asked for is of another plan.
        """
        ...

    def on_decided(self, callback: Callable[[Approval], None]) -> None:
        """Call back on the loop with each approval that waits no more."""
        ...

    async def cancel(self, call_id: str, reason: str) -> object:
        """Withdraw the approval of a call that has ended. One that does not wait is no error."""
        ...
