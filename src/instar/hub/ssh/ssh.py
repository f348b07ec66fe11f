"""SSH targets, wired: keys, targets, how they are reached, and what calls see of them. A `TargetSource`."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from instar.base.tasks import TaskScope
from instar.bus.fanout import Pump
from instar.hub.act import Bindings
from instar.hub.secrets import Secrets
from instar.policy.routing import TargetFacts
from instar.store.seam import Store, Transaction
from instar.wire.execution import Sandbox
from instar.wire.nodes import Node, NodeKind
from instar.wire.tools import TOOLS

from . import records
from .executor import SERVED, SshExecutor, obstacle, unserved
from .handlers import Handlers, stored_target
from .inventory import Inventory, Located
from .reaching import Reach
from .status import Status
from .trying import Trying, blocked

CLIENT = ("ssh",)


class SshTargets:
    """The machines that the hub reaches by itself.

    Args:
        store: Where they are kept.
        pump: Keeps the projection true to the log.
        secrets: What keeps private keys.
        scope: The parent of calls under way.
        client: The OpenSSH client, and options that win over ours (tests have it read no configuration).
    """

    def __init__(
        self, store: Store, pump: Pump, secrets: Secrets, scope: TaskScope, client: Sequence[str] = CLIENT
    ) -> None:
        self._store = store
        self._scope = scope
        self.inventory = Inventory(pump, secrets)
        self.reach = Reach(store, secrets, client)
        self._handlers = Handlers(self.inventory, secrets)
        self._trying = Trying(store, self.reach, self._handlers)
        self.status = Status(self.inventory, self.reach)
        self._executors: dict[str, SshExecutor] = {}
        self._listeners: list[Callable[[str], None]] = []

    def bindings(self) -> Bindings:
        """Return `ssh.*` with their handlers."""
        return (*self._handlers.bindings(), *self._trying.bindings())

    async def load(self) -> None:
        """Read keys and targets; called once, before anything is served, with secrets loaded."""
        await self.inventory.load(self._store)
        # Calls of an earlier process are lost now, not after they have waited for a target that never comes back.
        for located in self.inventory.targets():
            for listener in self._listeners:
                listener(located.id)

    # TargetSource

    def targets(self) -> Sequence[TargetFacts]:
        """Return every SSH target. Each can be tried at any time; what is in its way is said when it is."""
        return [self._facts(located) for located in self.inventory.targets()]

    def target(self, target_id: str) -> TargetFacts | None:
        """Return one of them, or None."""
        located = self.inventory.get(target_id)
        return self._facts(located) if located is not None and located.id == target_id else None

    def executor(self, target_id: str) -> SshExecutor | None:
        """Return what carries calls out on a target."""
        located = self.inventory.get(target_id)
        if located is None or located.id != target_id:
            return None
        known = self._executors.get(target_id)
        if known is None:
            find = partial(self.inventory.target, target_id)
            known = SshExecutor(target_id, find, self.reach, self._block, self._scope)
            self._executors[target_id] = known
        return known

    def permits(self, target_id: str, tool: str, agent_id: str) -> str:  # noqa: ARG002 - the shape of TargetSource
        """Return why this may not be asked of a target; empty when it may."""
        if self.inventory.get(target_id) is None:
            return "there is no such SSH target"
        return "" if tool in SERVED else unserved(tool)

    def env_allowed(self, target_id: str) -> Sequence[str]:  # noqa: ARG002 - the shape of TargetSource
        """Return none: nothing but `TERM`, `LANG` and `LC_*` is forwarded over SSH."""
        return ()

    def sandboxes(self, target_id: str) -> Collection[Sandbox]:  # noqa: ARG002 - the shape of TargetSource
        """Return none."""
        return ()

    def on_connected(self, callback: Callable[[str], None]) -> None:
        """Call back once with every target, when they are loaded; after that they can always be tried."""
        self._listeners.append(callback)

    # Shown beside nodes

    def nodes(self) -> list[Node]:
        """Return the targets as `nodes.list` shows them: without telemetry, presence or anything they said."""
        return [self._node(located) for located in self.inventory.targets()]

    def _node(self, located: Located) -> Node:
        record = located.record
        executor = self._executors.get(located.id)
        return Node(
            located.id, record.label, NodeKind.SSH, obstacle(located) is None,
            address=located.destination.shown, capabilities=list(SERVED), declared=list(SERVED),
            commands=[tool for tool in SERVED if tool in TOOLS], details={"mode": str(record.mode)},
            calls_running=executor.calls_running if executor else 0, calls_max=SshExecutor.calls_max,
            host_pinned=bool(located.pins), is_default=record.is_default,
        )  # fmt: skip

    def _facts(self, located: Located) -> TargetFacts:
        executor = self._executors.get(located.id)
        return TargetFacts(
            located.id, located.record.label, NodeKind.SSH, {}, is_connected=True,
            is_default=located.record.is_default, load=executor.calls_running if executor else 0,
        )  # fmt: skip

    async def _block(self, located: Located, fingerprint: str) -> None:
        """Take note that a host showed another key than the pinned one: no call goes there until it is pinned anew."""

        async def work(tx: Transaction) -> None:
            stored = await stored_target(tx, located.record.id)
            changed = blocked(stored, located, fingerprint)
            if changed != stored:
                await records.put(tx, changed, "")

        await self._store.transact(work)
