"""Approvals, wired: the rules, what waits for a person, and their end, in one object."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from instar.base.clock import MICROS_PER_S, Micros, from_rfc3339, now
from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.bus.fanout import Pump
from instar.hub.act import Bindings
from instar.hub.identity.authority import Authority
from instar.hub.identity.principals import Caller
from instar.hub.rooms.directory import Directory
from instar.policy.routing import TargetFacts
from instar.store.seam import Store
from instar.wire.approvals import Approval, Verdict
from instar.wire.events import RoomKey
from instar.wire.execution import ReadRule
from instar.wire.limits import APPROVAL_S

from .asking import ApprovalDraft
from .deciding import Deciding
from .handlers import Handlers
from .rule_handlers import RuleHandlers
from .rulebook import Rulebook
from .static_file import StaticFile
from .waiting import Waiting

FILE_NAME = "permissions.jsonc"
_LOOK_S = 30.0
"""How often at least it is looked for what has expired."""

FindTarget = Callable[[str], TargetFacts | None]
_log = structlog.get_logger("instar.approvals")


class Approvals:
    """The one gate that says whether a call may run: by rule, or by a person.

    Args:
        store: Where approvals and rules are kept.
        pump: Keeps the projections true to the log.
        authority: Whose grants reach which rooms.
        directory: The rooms.
        data_dir: Where the static file is.
        scope: The parent of the task that lets approvals expire.
        expires_s: How long one waits.
        clock: Wall-clock time, for tests.
    """

    def __init__(
        self,
        store: Store,
        pump: Pump,
        authority: Authority,
        directory: Directory,
        data_dir: Path,
        scope: TaskScope,
        *,
        expires_s: float = APPROVAL_S,
        clock: Callable[[], Micros] = now,
    ) -> None:
        self._store = store
        self._authority = authority
        self._directory = directory
        self._scope = scope
        self._clock = clock
        self._file = StaticFile(data_dir / FILE_NAME)
        self._rulebook = Rulebook(pump, self._file, clock)
        self._waiting = Waiting(pump)
        self._deciding = Deciding(store, self._rulebook, self._waiting, expires_s, clock)
        self._handlers = Handlers(store, self._deciding, self._waiting, self._rulebook, self._reaches, clock)
        self._rule_handlers = RuleHandlers(store, self._rulebook, self._target, clock)
        self.find_target: FindTarget | None = None
        """What is known of a machine by its id or name, for `approvals.judge`; set by the wiring."""

    def bindings(self) -> Bindings:
        """Return `approvals.*` with their handlers."""
        return (*self._handlers.bindings(), *self._rule_handlers.bindings())

    async def load(self) -> None:
        """Read the rules and what waits; called once, before anything is served. Seeds the static file."""
        self._file.seed()
        await self._rulebook.load(self._store)
        await self._waiting.load(self._store)
        self._scope.start("approvals expire", self._expire())

    def obey(self, expires_s: float) -> None:
        """Let those asked for from now on wait so long."""
        self._deciding.expires_s = expires_s

    def judge(self, draft: ApprovalDraft) -> Verdict:
        """Return what the rules say of a call, with the rules that `always` would remember of it."""
        return self._deciding.judge(draft)

    def read_rules(self, tool: str, target: TargetFacts, agent_id: str, room: str) -> list[ReadRule]:
        """Return what an executor needs to know of what may be read; of a tool that is no search, nothing.

        Raises:
            InstarError: `unprocessable_entity`: too many rules say it.
        """
        return self._deciding.read_rules(tool, target, agent_id, room)

    async def request(self, draft: ApprovalDraft) -> Approval:
        """Ask for an approval, once for each call; see `Deciding.request`.

        Raises:
            InstarError: `plan_changed`, `overloaded`.
        """
        return await self._deciding.request(draft)

    def on_decided(self, callback: Callable[[Approval], None]) -> None:
        """Call back on the loop with each approval that waits no more."""
        self._waiting.on_decided(callback)

    async def cancel(self, call_id: str, reason: str) -> None:
        """Withdraw the approval of a call that has ended. One that does not wait is no error."""
        await self._deciding.cancel(call_id, reason)

    async def expire(self) -> None:
        """End what waited too long; the task does this by itself."""
        await self._deciding.expire()

    @property
    def fault(self) -> str:
        """Why the static file is not obeyed; empty: it is."""
        self._file.rules()
        return self._file.fault

    def _reaches(self, caller: Caller, room: str) -> bool:
        if caller.grant.rooms is None:
            return True
        found = self._directory.get(RoomKey(room)) if room else None
        return found is not None and self._authority.admits_room(caller, found)

    def _target(self, ref: str) -> TargetFacts | None:
        return self.find_target(ref) if self.find_target is not None else None

    async def _expire(self) -> None:
        while True:
            due = [from_rfc3339(record.expires_at) for record in self._waiting.all()]
            left_s = (min(due) - self._clock()) / MICROS_PER_S if due else _LOOK_S
            await self._waiting.change(min(max(left_s, 0.05), _LOOK_S))
            try:
                await self._deciding.expire()
            except InstarError as error:
                _log.warning("what waited too long cannot be ended yet", code=error.code, cause=error.message)
                await asyncio.sleep(_LOOK_S)
